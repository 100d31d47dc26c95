-- Statements of `renewal.py`.

-- name: window
-- The next prompts, by their ids, whether they have a post or not.
SELECT max(id) AS last FROM (SELECT id FROM prompts WHERE id > %(after)s ORDER BY id LIMIT %(limit)s) AS prompts

-- name: shown
-- Published prompts of a window, or those of some posts, each with its picture and what its post has of it; only posts
-- that show the very picture, by any address that begins as the catalogue's, and of two prompts with one post the last.
SELECT p.*, i.url AS image_url, i.key AS image_key, i.bytes AS image_bytes, i.sha256 AS image_sha256,
       i.width AS image_width, i.height AS image_height, i.placeholder AS image_placeholder,
       coalesce((SELECT jsonb_agg(jsonb_build_object('key', r.key, 'kind', r.kind, 'width', r.width))
                 FROM renditions AS r WHERE r.image_id = i.id), '[]'::jsonb) AS image_renditions,
       o.id AS post, to_jsonb(o) ->> 'featured_image_url' AS url, to_jsonb(o) ->> 'cover_image_url' AS cover,
       to_jsonb(o) -> 'featured_image_data' AS data_in_column,
       to_jsonb(o) #> '{metadata,featured_image_data}' AS data_in_metadata,
       to_jsonb(o) #>> %(alt_text_at)s::text[] AS said
FROM prompts AS p JOIN images AS i ON i.id = p.image_id JOIN {posts} AS o ON o.id = p.published_post_id
WHERE p.status = 'published' AND i.removed_at IS NULL AND p.id > %(after)s AND p.id <= %(last)s
  AND starts_with(to_jsonb(o) ->> 'featured_image_url', left(i.url, -4))
  AND NOT EXISTS (SELECT FROM prompts AS q
                  WHERE q.published_post_id = p.published_post_id AND q.image_id = p.image_id AND q.id > p.id
                    AND q.status = 'published')
ORDER BY p.id
