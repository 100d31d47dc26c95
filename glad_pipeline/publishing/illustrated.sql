-- Statements of `illustrated.py`.

-- name: illustrated
-- Posts by the last prompt that was published on them, the newest first.
SELECT posts.id AS post_id, posts.slug, '/posts/' || posts.slug AS path, posts.title,
       coalesce(to_jsonb(posts) ->> 'status', 'published') AS status, p.post_id IS NULL AS made,
       p.id AS prompt_id, p.status AS prompt_status, p.published_at, p.taken_down_at, p.image_id,
       CASE WHEN i.removed_at IS NULL THEN i.url END AS image_url,
       CASE WHEN i.removed_at IS NULL THEN i.thumbnail_url END AS image_thumbnail_url,
       to_jsonb(posts) ->> 'featured_image_url' AS shows
FROM prompts AS p JOIN {posts} AS posts ON posts.id = p.published_post_id LEFT JOIN images AS i ON i.id = p.image_id
WHERE p.published_post_id IS NOT NULL AND (%(before)s::bigint IS NULL OR p.id < %(before)s)
  AND (%(status)s::text IS NULL OR coalesce(to_jsonb(posts) ->> 'status', 'published') = %(status)s)
  AND NOT EXISTS (SELECT FROM prompts AS later
                  WHERE later.published_post_id = p.published_post_id AND later.id > p.id)
ORDER BY p.id DESC LIMIT %(limit)s;
