-- Statements of `trial.py`, inside a savepoint that is rolled back.

-- name: not_long
-- Who holds a lock on the blog's posts is not waited for.
SET LOCAL lock_timeout = '1s'

-- name: seen
SELECT to_jsonb(posts) ->> 'status' AS status, featured_image_url FROM {posts} AS posts WHERE id = %(post)s FOR UPDATE

-- name: judge
-- Constraints that the blog defers to the end of a transaction.
SET CONSTRAINTS ALL IMMEDIATE
