-- Statements of `takedown.py`. What changes columns of `posts` is composed in publishing/posts.py.

-- name: find_post
SELECT id, slug, to_jsonb(posts) ->> 'status' AS status FROM {posts} AS posts
WHERE slug = %(post)s OR id::text IN (%(post)s, lower(%(post)s))
ORDER BY slug = %(post)s DESC, id::text = %(post)s DESC LIMIT 1

-- name: pictures_of
-- What was drawn for a post and is not taken down yet, each with another published post that shows it too.
SELECT i.*, (
    SELECT min(p.slug) FROM {posts} AS p
    WHERE p.id <> %(post)s AND strpos(p.featured_image_url, left(i.key, -4)) > 0
      AND coalesce(to_jsonb(p) ->> 'status', 'published') = 'published') AS elsewhere
FROM images i
WHERE i.removed_at IS NULL AND i.id IN (SELECT image_id FROM prompts WHERE published_post_id = %(post)s)
ORDER BY i.id

-- name: removed_of
-- What was drawn for a post and was taken down before.
SELECT i.key
FROM images i
WHERE i.removed_at IS NOT NULL AND i.id IN (SELECT image_id FROM prompts WHERE published_post_id = %(post)s)
ORDER BY i.id

-- name: post_by_id
SELECT slug, to_jsonb(posts) ->> 'status' AS status FROM {posts} AS posts WHERE id = %(post)s

-- name: posts_with
-- The posts that show a picture, and whether it is their own prompt's: they came with it. A person may have put it
-- on more posts, or another one on ours.
SELECT p.id, p.slug, EXISTS (SELECT FROM prompts q WHERE q.image_id = i.id AND q.published_post_id = p.id
                             AND q.post_id IS NULL) AS made
FROM {posts} AS p, images i
WHERE i.id = %(image)s AND strpos(p.featured_image_url, left(i.key, -4)) > 0
ORDER BY p.id

-- name: replaced_by
-- What that is not ours a post showed before it got this picture, by the picture's own prompt; where that one is being
-- drawn again, or is gone, by the last prompt that has replaced anything on this post.
SELECT replaced_image_url AS image_url, replaced_alt_text AS alt_text FROM prompts
WHERE published_post_id = %(post)s AND (image_id = %(image)s OR replaced_image_url IS NOT NULL)
ORDER BY image_id IS NOT DISTINCT FROM %(image)s DESC, published_at DESC NULLS LAST LIMIT 1

-- name: lock_prompts
-- All that a takedown may move, in the order of their ids.
SELECT id FROM prompts
WHERE published_post_id = ANY(%(posts)s) OR post_id = ANY(%(posts)s) OR image_id = ANY(%(images)s)
ORDER BY id FOR UPDATE

-- name: keep_reason
INSERT INTO takedowns (subject, reason) VALUES (%(subject)s, %(reason)s)

-- name: cancel_prompts
-- A hidden post gets nothing more: not from the prompt it was made by, not from others that aim at it. What had ended before
-- stays as it is; should a person have it tried again, its post is shown again.
WITH ended AS (
    UPDATE prompts SET taken_down_at = now()
    WHERE published_post_id = ANY(%(posts)s) AND status IN ('rejected', 'failed', 'cancelled')
)
UPDATE prompts SET status = 'cancelled', last_error = %(reason)s, claim_token = NULL, claimed_by = NULL,
    lease_expires_at = NULL, taken_down_at = CASE WHEN published_post_id = ANY(%(posts)s) THEN now() END
WHERE (published_post_id = ANY(%(posts)s) OR post_id = ANY(%(posts)s))
  AND status IN ('pending', 'claimed', 'generated', 'awaiting_approval', 'published', 'ready')
RETURNING id

-- name: drop_prompts
-- Prompts whose picture is gone: published ones are over, and those that were about to be published, or asked for the
-- picture alone, are refused.
UPDATE prompts SET status = CASE status WHEN 'published' THEN 'cancelled' ELSE 'rejected' END,
    last_error = CASE status WHEN 'published' THEN %(reason)s ELSE %(refusal)s END,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
WHERE image_id = %(image)s AND status IN ('generated', 'awaiting_approval', 'published', 'ready')
RETURNING id

-- name: ready_or_discarded
SELECT status, image_id, status = 'ready' OR (publish = 'picture' AND status = 'cancelled' AND image_id IS NOT NULL) AS is_fit
FROM prompts WHERE id = %(id)s

-- name: other_user
-- Another prompt that has a picture, or whose post shows it, and has not ended.
SELECT id, status FROM prompts
WHERE image_id = %(image)s AND id <> %(id)s AND status NOT IN ('rejected', 'failed', 'cancelled') ORDER BY id LIMIT 1

-- name: discard
UPDATE prompts SET status = 'cancelled', last_error = %(reason)s, claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
WHERE id = %(id)s AND status = 'ready'

-- name: tasks_of
SELECT DISTINCT task_id FROM prompts WHERE image_id = %(image)s AND task_id IS NOT NULL

-- name: mark_removed
UPDATE images SET removed_at = now(), removed_reason = %(reason)s, placeholder = NULL WHERE id = %(image)s

-- name: undeleted
-- Whether the objects of a picture are still to be deleted, and why they could not be.
SELECT last_error FROM outbox WHERE subject = %(subject)s AND kind = 'delete' AND status = 'waiting' LIMIT 1

-- name: spare
-- Given up deletions of a picture that is allowed again must never be retried.
UPDATE outbox SET status = 'skipped', last_error = 'allowed again', ended_at = now()
WHERE subject = %(subject)s AND kind = 'delete' AND status = 'dead'

-- name: retriable
SELECT id FROM prompts WHERE image_id = %(image)s AND status IN ('cancelled', 'rejected') ORDER BY id

-- name: last_message
SELECT coalesce(max(id), 0) AS id FROM outbox
