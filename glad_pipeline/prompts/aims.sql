-- Statements of `aims.py`.

-- name: post
-- Whether there is a post with this id.
SELECT true AS found FROM {posts} AS posts WHERE id = %(post_id)s;
