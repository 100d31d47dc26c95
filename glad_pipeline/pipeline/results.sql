-- Statements of `results.py`.

-- name: prompts
SELECT * FROM prompts WHERE id = ANY(%(ids)s) ORDER BY id

-- name: images
SELECT i.*, p.id AS prompt_id FROM prompts p JOIN images i ON i.id = p.image_id WHERE p.id = ANY(%(ids)s) ORDER BY p.id

-- name: posts
SELECT o.*, p.id AS prompt_id FROM prompts p JOIN posts o ON o.id = p.published_post_id WHERE p.id = ANY(%(ids)s)
ORDER BY p.id

-- name: newest_prompt
SELECT coalesce(max(id), 0) AS id FROM prompts

-- name: prompts_by_status
SELECT status, count(*)::integer AS prompts FROM prompts GROUP BY status ORDER BY status

-- name: columns_of
SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum

-- name: takedowns_since
-- What was taken down after this one, the oldest first.
SELECT id, subject FROM takedowns WHERE id > %(last)s ORDER BY id LIMIT 100

-- name: newest_takedown
SELECT coalesce(max(id), 0) AS id FROM takedowns
