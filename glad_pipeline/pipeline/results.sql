-- Statements of `results.py`.

-- name: prompts
SELECT * FROM prompts WHERE id = ANY(%(ids)s) ORDER BY id

-- name: images
SELECT i.*, p.id AS prompt_id FROM prompts p JOIN images i ON i.id = p.image_id WHERE p.id = ANY(%(ids)s) ORDER BY p.id

-- name: posts
SELECT o.*, p.id AS prompt_id FROM prompts p JOIN {posts} AS o ON o.id = p.published_post_id WHERE p.id = ANY(%(ids)s)
ORDER BY p.id

-- name: newest_prompt
SELECT coalesce(max(id), 0) AS id FROM prompts

-- name: prompts_now
-- How the table stands, at a price that does not grow with it: at most 1,000 of each state that prompts pass through are
-- counted, by the partial indexes; all rows are PostgreSQL's own estimate.
SELECT greatest((SELECT reltuples FROM pg_class WHERE oid = 'prompts'::regclass)::bigint, 0) AS rows,
       (SELECT count(*) FROM (SELECT FROM prompts WHERE status = 'pending' LIMIT 1000) AS few) AS pending,
       (SELECT count(*) FROM (SELECT FROM prompts WHERE status IN ('claimed', 'generated') LIMIT 1000) AS few) AS in_work

-- name: columns_of
SELECT attname AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
WHERE attrelid = to_regclass(%(table)s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum

-- name: takedowns_since
-- What was taken down after this one, the oldest first.
SELECT id, subject FROM takedowns WHERE id > %(last)s ORDER BY id LIMIT 100

-- name: newest_takedown
SELECT coalesce(max(id), 0) AS id FROM takedowns
