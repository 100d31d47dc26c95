-- Statements of `reproduce.py`: which picture is meant.

-- name: image_by_id
SELECT * FROM images WHERE id = %(id)s

-- name: image_by_key
SELECT * FROM images WHERE key = %(key)s

-- name: picture_of_post
-- What the post with this id or slug shows.
SELECT id::text AS id, slug, featured_image_url FROM posts WHERE slug = %(post)s OR id::text = lower(%(post)s) LIMIT 1

-- name: blog_has_posts
-- Whether there is a posts table to look at.
SELECT to_regclass('posts') IS NOT NULL AS found
