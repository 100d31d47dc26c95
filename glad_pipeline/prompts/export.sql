-- Statements of `export.py`. {columns}: what intake writes.

-- name: export_prompts
-- Every prompt in the order of its id, with its picture's address; a picture that was taken down has none any more.
SELECT p.id AS result_id, p.status AS result_status, p.last_error AS result_reason, p.seed AS result_seed,
       CASE WHEN i.removed_at IS NULL THEN i.url END AS result_image_url, NULL AS result_post,
       p.published_at AS result_published_at, {columns}
FROM (SELECT id, status, last_error, published_at, image_id, {columns} FROM prompts
      WHERE %(status)s::text IS NULL OR status = %(status)s) AS p
LEFT JOIN (SELECT id AS image, removed_at, url FROM images) AS i ON i.image = p.image_id
ORDER BY p.id;

-- name: export_prompts_with_posts
-- The same, with the post's path on the blog.
SELECT p.id AS result_id, p.status AS result_status, p.last_error AS result_reason, p.seed AS result_seed,
       CASE WHEN i.removed_at IS NULL THEN i.url END AS result_image_url, post.path AS result_post,
       p.published_at AS result_published_at, {columns}
FROM (SELECT id, status, last_error, published_at, published_post_id, image_id, {columns} FROM prompts
      WHERE %(status)s::text IS NULL OR status = %(status)s) AS p
LEFT JOIN (SELECT id AS image, removed_at, url FROM images) AS i ON i.image = p.image_id
LEFT JOIN (SELECT id::text AS post, '/posts/' || posts.slug AS path FROM {posts} AS posts) AS post
    ON post.post = coalesce(p.published_post_id, p.post_id)::text
ORDER BY p.id;

-- name: prompts_by_id
-- These prompts, as an export has them.
SELECT id, {columns} FROM prompts WHERE id = ANY(%(ids)s);
