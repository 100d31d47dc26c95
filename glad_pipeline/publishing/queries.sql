-- The catalogue of stored pictures, and the statements on the blog's tables whose columns are the same everywhere.
-- INSERT and UPDATE of `posts` are composed in posts.py from the columns that the blog at hand has.

-- name: record_image
-- A picture seen whole in the store. Seen again, it is confirmed with what its object says now: it may have been lost
-- and drawn anew since.
INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model, model_revision,
                    seconds, contrast, provenance, pixels_sha256, thumbnail_key, thumbnail_url, verified_at)
VALUES (%(key)s, %(recipe_hash)s, %(url)s, %(sha256)s, %(bytes)s, %(width)s, %(height)s, %(content_type)s, %(recipe)s,
        %(model)s, %(model_revision)s, %(seconds)s, %(contrast)s, %(provenance)s, %(pixels_sha256)s, %(thumbnail_key)s,
        %(thumbnail_url)s, now())
ON CONFLICT (key) DO UPDATE SET verified_at = now(), url = excluded.url, sha256 = excluded.sha256,
    bytes = excluded.bytes, seconds = excluded.seconds, contrast = excluded.contrast, provenance = excluded.provenance,
    pixels_sha256 = excluded.pixels_sha256, thumbnail_key = excluded.thumbnail_key,
    thumbnail_url = excluded.thumbnail_url
RETURNING id, recipe_hash

-- name: newest_images
-- For the checks: the newest pictures as the catalogue knows them.
SELECT id, key, sha256, bytes, content_type, url, contrast FROM images ORDER BY id DESC LIMIT %(limit)s

-- name: columns_of
-- The columns of a table as they are, in this schema: name, type, width of a varchar, and whether a value is owed.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
       CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS width,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS owed
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid = to_regclass(%(table)s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped

-- name: taken_slugs
SELECT slug FROM posts WHERE slug = ANY(%(slugs)s)

-- name: existing_posts
SELECT id FROM posts WHERE id = ANY(%(ids)s) FOR UPDATE

-- name: existing_tasks
SELECT task_id FROM content_tasks WHERE task_id = ANY(%(ids)s)

-- name: bad_urls
-- For the check: the newest posts of ours whose picture URL a browser could not open.
SELECT p.id, p.slug, p.featured_image_url
FROM (SELECT published_post_id FROM prompts WHERE status = 'published' ORDER BY published_at DESC LIMIT %(limit)s) q
JOIN posts p ON p.id = q.published_post_id
WHERE (p.featured_image_url IS NULL OR p.featured_image_url !~ '^https?://[^\s]+$' OR length(p.featured_image_url) > 500)
LIMIT 20
