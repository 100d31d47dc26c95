-- Statements of `posts.py` on the blog's tables whose columns are the same everywhere. INSERT and UPDATE of `posts` are
-- composed there from the columns that the blog at hand has.

-- name: taken_slugs
SELECT slug FROM {posts} AS posts WHERE slug = ANY(%(slugs)s)

-- name: lock_posts
-- In the order of their ids, so that two transactions never wait for each other in a circle.
SELECT id, coalesce(to_jsonb(posts) ->> 'updated_at', '') AS version FROM {posts} AS posts WHERE id = ANY(%(ids)s) ORDER BY id FOR UPDATE

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

-- name: bad_urls
-- For the check: the newest posts of ours whose picture URL a browser could not open.
SELECT p.slug
FROM (SELECT published_post_id FROM prompts WHERE status = 'published' ORDER BY published_at DESC LIMIT %(limit)s) q
JOIN {posts} AS p ON p.id = q.published_post_id
WHERE (p.featured_image_url IS NULL OR p.featured_image_url !~ '^https?://[^\s]+$' OR length(p.featured_image_url) > 500)
LIMIT 20
