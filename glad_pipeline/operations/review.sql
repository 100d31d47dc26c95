-- Statements of `review.py`.

-- name: waiting
-- Prompts in this state, by their ids, each with its picture as `DuePrompt` has it.
SELECT p.*, i.url AS image_url, i.key AS image_key, i.bytes AS image_bytes, i.sha256 AS image_sha256,
       i.width AS image_width, i.height AS image_height, i.placeholder AS image_placeholder,
       i.thumbnail_url AS image_thumbnail_url, i.contrast AS image_contrast,
       (SELECT least(coalesce(sum(count::numeric), 0), 1000000)::int
        FROM (VALUES (i.provenance -> 'prompt_tokens_dropped'), (i.provenance -> 'negative_prompt_tokens_dropped'))
            AS dropped (count) WHERE jsonb_typeof(count) = 'number') AS image_tokens_dropped,
       coalesce((SELECT jsonb_agg(jsonb_build_object('key', r.key, 'kind', r.kind, 'width', r.width))
                 FROM renditions AS r WHERE r.image_id = i.id), '[]'::jsonb) AS image_renditions
FROM prompts AS p JOIN images AS i ON i.id = p.image_id
WHERE p.status = %(status)s AND i.removed_at IS NULL
  AND (%(source)s::text IS NULL OR p.source = %(source)s) AND (%(after)s::bigint IS NULL OR p.id > %(after)s)
ORDER BY p.id LIMIT %(limit)s;

-- name: posts_of
-- Where the posts are that these prompts illustrate, and what they show that is not ours.
SELECT p.id, '/posts/' || posts.slug AS path, (
    SELECT nullif(shown.url, '') FROM (SELECT to_jsonb(posts) ->> 'featured_image_url' AS url) AS shown
    WHERE NOT EXISTS (SELECT FROM images
                      WHERE key = substring(shown.url FROM 'generated/[0-9a-f]{2}/[0-9a-f]{32}') || '.png')) AS shows
FROM prompts AS p JOIN {posts} AS posts ON posts.id = coalesce(p.published_post_id, p.post_id)
WHERE p.id = ANY(%(ids)s);
