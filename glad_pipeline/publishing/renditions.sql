-- Statements of `renditions.py`. {columns}: the fields of `StoredRendition`; {values}: their parameters.

-- name: record
-- Seen again, or made anew, it is as its object says now.
INSERT INTO renditions ({columns}, image_id) VALUES ({values}, %(image_id)s)
ON CONFLICT (key) DO UPDATE SET image_id = excluded.image_id, kind = excluded.kind, width = excluded.width,
    height = excluded.height, bytes = excluded.bytes, sha256 = excluded.sha256
WHERE (renditions.image_id, renditions.kind, renditions.width, renditions.height, renditions.bytes, renditions.sha256)
   IS DISTINCT FROM
      (excluded.image_id, excluded.kind, excluded.width, excluded.height, excluded.bytes, excluded.sha256)

-- name: record_placeholder
UPDATE images SET placeholder = %(placeholder)s WHERE id = %(image_id)s AND placeholder IS DISTINCT FROM %(placeholder)s

-- name: known
SELECT key, sha256 FROM renditions WHERE key = ANY(%(keys)s)

-- name: forget
DELETE FROM renditions WHERE key = ANY(%(keys)s)

-- name: lock
-- They stay as they are until this transaction ends, and nobody else records renditions of them; in the order of their
-- keys, as the catalogue writes them.
SELECT id FROM images WHERE id = ANY(%(ids)s) AND removed_at IS NULL ORDER BY key FOR NO KEY UPDATE

-- name: removed
SELECT id FROM images JOIN barred_recipes USING (recipe_hash) WHERE id = ANY(%(ids)s) AND removed_at IS NOT NULL

-- name: ids
-- The next pictures, by their ids.
SELECT id FROM images WHERE id > %(after)s AND removed_at IS NULL ORDER BY id LIMIT %(limit)s

-- name: due_ids
-- The next of those whose prompts are due to be published.
SELECT DISTINCT image_id AS id FROM prompts
WHERE status = 'generated' AND coalesce(publish_at, '-infinity'::timestamptz) <= now() AND image_id > %(after)s
ORDER BY image_id LIMIT %(limit)s

-- name: pictures
-- Pictures with all that decides which renditions they should have.
SELECT i.id, i.key, i.recipe_hash, i.sha256, i.width, i.height, i.placeholder,
       coalesce((SELECT jsonb_object_agg(r.key, jsonb_build_object('kind', r.kind, 'width', r.width, 'height', r.height,
                                                                   'bytes', r.bytes))
                 FROM renditions AS r WHERE r.image_id = i.id), '{}'::jsonb) AS renditions,
       ARRAY(SELECT DISTINCT focus FROM prompts WHERE image_id = i.id) AS focuses
FROM images AS i
WHERE i.id = ANY(%(ids)s) AND i.removed_at IS NULL
  AND (i.deployment_id IS NULL OR i.deployment_id IN (SELECT id FROM deployments WHERE current))
ORDER BY i.id

-- name: of_picture
SELECT * FROM renditions WHERE image_id = %(image_id)s ORDER BY key
