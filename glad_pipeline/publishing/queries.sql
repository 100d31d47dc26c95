-- The catalogue of stored pictures, and the statements on the blog's tables whose columns are the same everywhere.
-- INSERT and UPDATE of `posts` are composed in posts.py from the columns that the blog at hand has.

-- name: record_image
-- A picture seen whole in the store. Seen again, it is confirmed with what its object says now: it may have been lost
-- and drawn anew since. One that was taken down stays so, unless it was allowed again.
INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model, model_revision,
                    seconds, contrast, provenance, pixels_sha256, thumbnail_key, thumbnail_url, verified_at,
                    deployment_id, removed_at, removed_reason)
VALUES (%(key)s, %(recipe_hash)s, %(url)s, %(sha256)s, %(bytes)s, %(width)s, %(height)s, %(content_type)s, %(recipe)s,
        %(model)s, %(model_revision)s, %(seconds)s, %(contrast)s, %(provenance)s, %(pixels_sha256)s, %(thumbnail_key)s,
        %(thumbnail_url)s, now(), (SELECT id FROM deployments WHERE current), (SELECT barred_at FROM barred_recipes WHERE recipe_hash = %(recipe_hash)s),
        (SELECT reason FROM barred_recipes WHERE recipe_hash = %(recipe_hash)s))
ON CONFLICT (key) DO UPDATE SET verified_at = now(), url = excluded.url, sha256 = excluded.sha256,
    bytes = excluded.bytes, seconds = excluded.seconds, contrast = excluded.contrast, provenance = excluded.provenance,
    pixels_sha256 = excluded.pixels_sha256, thumbnail_key = excluded.thumbnail_key,
    thumbnail_url = excluded.thumbnail_url, deployment_id = excluded.deployment_id,
    removed_at = excluded.removed_at, removed_reason = excluded.removed_reason
RETURNING id, recipe_hash

-- name: newest_images
-- For the checks.
SELECT * FROM images WHERE removed_at IS NULL ORDER BY id DESC LIMIT %(limit)s

-- name: known_keys
SELECT key FROM images WHERE key = ANY(%(keys)s)

-- name: find_image
SELECT * FROM images WHERE id = %(id)s OR key = %(key)s OR recipe_hash = %(text)s ORDER BY id LIMIT 1

-- name: columns_of
-- The columns of a table as they are, in this schema: name, type, width of a varchar, and whether a value is owed.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
       CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS width,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS owed
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid = to_regclass(%(table)s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped

-- name: taken_slugs
SELECT slug FROM posts WHERE slug = ANY(%(slugs)s)

-- name: lock_posts
-- In the order of their ids, so that two transactions never wait for each other in a circle.
SELECT id, coalesce(to_jsonb(posts) ->> 'updated_at', '') AS version FROM posts WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE

-- name: note_our_write
INSERT INTO post_writes (post_id, before, after) VALUES (%(post)s, %(before)s, %(after)s)
ON CONFLICT (post_id, before) DO UPDATE SET after = excluded.after

-- name: is_ours
-- Whether nothing but writes of ours leads from the version that was noted to the one there is now.
WITH RECURSIVE ours (version) AS (
    SELECT %(noted)s::text
    UNION
    SELECT w.after FROM post_writes AS w JOIN ours ON w.before = ours.version WHERE w.post_id = %(post)s
)
SELECT EXISTS (SELECT FROM ours WHERE version = %(now)s) AS ours

-- name: existing_tasks
SELECT task_id FROM content_tasks WHERE task_id = ANY(%(ids)s)

-- name: bad_urls
-- For the check: the newest posts of ours whose picture URL a browser could not open.
SELECT p.slug
FROM (SELECT published_post_id FROM prompts WHERE status = 'published' ORDER BY published_at DESC LIMIT %(limit)s) q
JOIN posts p ON p.id = q.published_post_id
WHERE (p.featured_image_url IS NULL OR p.featured_image_url !~ '^https?://[^\s]+$' OR length(p.featured_image_url) > 500)
LIMIT 20
