-- Statements of `reproduce.py`: which picture is meant.

-- name: picture_of_post
-- What the post with this id or slug shows.
SELECT id::text AS id, slug, featured_image_url FROM {posts} AS posts WHERE slug = %(post)s OR id::text = lower(%(post)s) LIMIT 1
