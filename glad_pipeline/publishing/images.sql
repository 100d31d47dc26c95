-- Statements of `images.py`, on the catalogue. {columns}: the fields of `CatalogueEntry`; {values}: their parameters.

-- name: record_image
-- A picture seen whole in the store. Seen again, it is confirmed with what its object says now: it may have been lost
-- and drawn anew since. One that was taken down stays so, unless it was allowed again. `gone`: its objects were deleted,
-- or are in another bucket, since the row was written before (a subquery sees the row as it was).
INSERT INTO images ({columns}, verified_at, deployment_id, removed_at, removed_reason)
VALUES ({values}, now(), (SELECT id FROM deployments WHERE current),
        (SELECT barred_at FROM barred_recipes WHERE recipe_hash = %(recipe_hash)s),
        (SELECT reason FROM barred_recipes WHERE recipe_hash = %(recipe_hash)s))
ON CONFLICT (key) DO UPDATE SET verified_at = now(), url = excluded.url, sha256 = excluded.sha256,
    bytes = excluded.bytes, seconds = excluded.seconds, contrast = excluded.contrast, provenance = excluded.provenance,
    pixels_sha256 = excluded.pixels_sha256, thumbnail_key = excluded.thumbnail_key,
    thumbnail_url = excluded.thumbnail_url, deployment_id = excluded.deployment_id,
    removed_at = excluded.removed_at, removed_reason = excluded.removed_reason
RETURNING id, recipe_hash, removed_at IS NULL AND EXISTS (
    SELECT FROM images AS old
    WHERE old.key = images.key
      AND (old.removed_at IS NOT NULL OR old.deployment_id NOT IN (SELECT id FROM deployments WHERE current))) AS gone

-- name: forget_renditions
DELETE FROM renditions WHERE image_id = ANY(%(ids)s)

-- name: newest_images
-- For the checks.
SELECT * FROM images WHERE removed_at IS NULL ORDER BY id DESC LIMIT %(limit)s

-- name: images_with_keys
-- For the checks of a group.
SELECT * FROM images WHERE removed_at IS NULL AND key = ANY(%(keys)s) ORDER BY id DESC

-- name: known_keys
SELECT key FROM images WHERE key = ANY(%(keys)s)

-- name: find_image
SELECT * FROM images WHERE id = %(id)s OR key = %(key)s OR recipe_hash = %(text)s ORDER BY id LIMIT 1
