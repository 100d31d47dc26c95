-- Statements of `claim.py`.

-- name: aims
-- What claimed prompts aim at, as the blog is now. One that has a post already gets it another picture; the others
-- become a post or, without a title, fill a task.
SELECT p.id, p.post_id::text AS post_id, p.slug, p.task_id, p.is_new,
       p.post_id IS NOT NULL AND NOT EXISTS (SELECT FROM {posts} AS posts WHERE posts.id = p.post_id) AS no_post,
       p.is_new AND p.slug IN (SELECT slug FROM {posts} AS posts WHERE slug = ANY(%(slugs)s)) AS no_slug,
       p.is_new AND p.task_id IS NOT NULL AND coalesce(p.title, '') = '' AS for_a_task
FROM (SELECT q.*, q.post_id IS NULL AND NOT EXISTS (SELECT FROM {posts} AS posts WHERE posts.id = q.published_post_id) AS is_new
      FROM prompts AS q WHERE q.id = ANY(%(ids)s)) AS p
