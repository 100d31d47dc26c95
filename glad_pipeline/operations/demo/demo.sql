-- name: totals
-- How many pictures and published prompts there are: the difference between two calls is what happened between.
SELECT (SELECT count(*) FROM images) AS drawn,
       (SELECT count(*) FROM prompts WHERE status = 'published') AS published

-- name: posts
-- The published posts of the sample prompts, with their pictures, in the order of the file.
SELECT coalesce(o.title, p.title, left(p.prompt, 60)) AS title, coalesce(o.slug, '') AS slug, i.url, p.prompt,
       i.bytes AS size, i.sha256, i.seconds, i.width, i.height, i.model,
       coalesce(to_jsonb(o) -> 'featured_image_data', to_jsonb(o) #> '{metadata,featured_image_data}') AS data
FROM prompts p
JOIN images i ON i.id = p.image_id
JOIN {posts} AS o ON o.id = p.published_post_id
WHERE p.status = 'published' AND p.title = ANY(%(titles)s)
ORDER BY p.id
LIMIT 100

-- name: unfinished
-- What a run should have published and did not, and what it gave up since the given moment.
SELECT id, coalesce(title, left(prompt, 60)) AS title, status,
       coalesce(nullif(last_error, ''), CASE status WHEN 'claimed' THEN 'held by another run'
                ELSE 'not taken by this run (GLAD_BATCH_SIZE bounds one run)' END) AS reason
FROM prompts
WHERE status = 'claimed'
   OR (status IN ('pending', 'generated') AND coalesce(publish_at, now()) <= now())
   OR (status IN ('failed', 'rejected') AND updated_at >= %(since)s)
ORDER BY id
LIMIT 20

-- name: now
SELECT now() AS now
