-- Statements of the audit. Those that change something are in the second half, and mend.py alone runs them.

-- name: clock
SELECT now() AS now

-- name: no_idle_limit
-- The snapshot waits while the store lists its next page.
SET LOCAL idle_in_transaction_session_timeout = 0

-- name: expected
-- Each key that the catalogue knows, in the order of its bytes. What was taken down and allowed again may be there, and
-- a thumbnail that is not recorded; a picture's original comes last. What lies in a bucket that this database had before is not expected here.
WITH here AS NOT MATERIALIZED (
    SELECT images.*, barred_at FROM images LEFT JOIN barred_recipes USING (recipe_hash)
    WHERE deployment_id IS NULL OR deployment_id IN (SELECT id FROM deployments WHERE current)
)
SELECT * FROM (
    SELECT key, id, bytes, 'original' AS kind, removed_at IS NULL AS required, barred_at IS NOT NULL AS removed
    FROM here
    UNION ALL
    SELECT coalesce(thumbnail_key, regexp_replace(key, '\.png$', '-256.webp')), id, NULL, 'thumbnail',
           removed_at IS NULL AND thumbnail_key IS NOT NULL, barred_at IS NOT NULL
    FROM here
    UNION ALL
    SELECT r.key, here.id, r.bytes, 'rendition', removed_at IS NULL, barred_at IS NOT NULL
    FROM renditions AS r JOIN here ON here.id = r.image_id
) AS expected
ORDER BY key COLLATE "C"

-- name: wanted_seeds
-- What prompts in the queue are about to draw, or have drawn and not catalogued.
SELECT DISTINCT seed, prompt FROM prompts
WHERE status IN ('pending', 'claimed', 'generated') AND seed = ANY(%(seeds)s::bigint[])

-- name: anybody_draws
-- Whether a living run holds any prompt.
SELECT EXISTS (
    SELECT FROM prompts
    WHERE status = 'claimed' AND (lease_expires_at >= now() OR claim_token IN (SELECT token FROM prompts_live_holds()))
) AS found

-- name: images
-- These pictures as they are catalogued now.
SELECT * FROM images WHERE id = ANY(%(ids)s) AND removed_at IS NULL ORDER BY id

-- name: users
-- The prompts of these pictures, whether a living run may hold them, and whether they published the picture on a post
-- that is gone or shows another one by now: a person's choice, which drawing it again would undo.
SELECT q.id, q.image_id, q.status, q.claimed_by,
       q.claim_token IS NOT NULL AND (q.lease_expires_at >= now()
           OR q.claim_token IN (SELECT token FROM prompts_live_holds())) AS held,
       q.status = 'published' AND q.published_post_id IS NOT NULL
           AND coalesce(strpos(p.featured_image_url, left(i.key, -4)), 0) = 0 AS unshown
FROM prompts AS q
JOIN images AS i ON i.id = q.image_id
LEFT JOIN {posts} AS p ON p.id = q.published_post_id
WHERE q.image_id = ANY(%(ids)s) ORDER BY q.id

-- name: dead_links
-- Published posts of ours that show one of these pictures, which are not in the store.
SELECT DISTINCT ON (p.id) p.slug, p.featured_image_url AS url, i.id AS image_id, q.id AS prompt_id
FROM images AS i
JOIN prompts AS q ON q.image_id = i.id
JOIN {posts} AS p ON p.id = q.published_post_id
WHERE i.id = ANY(%(ids)s) AND coalesce(to_jsonb(p) ->> 'status', 'published') = 'published'
  AND strpos(p.featured_image_url, left(i.key, -4)) > 0
ORDER BY p.id, q.id

-- name: links_to_removed
-- Published posts of ours that show a picture which was taken down.
SELECT p.slug, p.featured_image_url AS url, q.id AS prompt_id, count(*) OVER () AS found
FROM images AS i
JOIN prompts AS q ON q.image_id = i.id
JOIN {posts} AS p ON p.id = q.published_post_id
WHERE i.removed_at IS NOT NULL AND coalesce(to_jsonb(p) ->> 'status', 'published') = 'published'
  AND strpos(p.featured_image_url, left(i.key, -4)) > 0
ORDER BY q.id LIMIT %(limit)s

-- name: lost
-- Published, and what was published is gone: the post, or the picture's row. A prompt that only fills a task has none.
SELECT q.id, CASE
           WHEN i.id IS NULL THEN format('its picture''s row %%s is gone', coalesce(q.image_id::text, ''))
           WHEN q.published_post_id IS NULL THEN 'it has neither a post nor a task'
           ELSE format('its post %%s is gone', q.published_post_id) END AS why,
       count(*) OVER () AS found
FROM prompts AS q
LEFT JOIN images AS i ON i.id = q.image_id
LEFT JOIN {posts} AS p ON p.id = q.published_post_id
WHERE q.status = 'published'
  AND (i.id IS NULL
       OR (q.published_post_id IS NOT NULL AND p.id IS NULL)
       OR (q.published_post_id IS NULL AND q.task_id IS NULL))
ORDER BY q.id LIMIT %(limit)s

-- name: shared_posts
-- Prompts that share a post which was made for one of them. Illustrating one post twice on purpose is none.
SELECT published_post_id::text AS post_id, array_agg(id ORDER BY id) AS prompts, count(*) OVER () AS found
FROM prompts WHERE published_post_id IS NOT NULL AND post_id IS NULL
GROUP BY published_post_id HAVING count(*) > 1
ORDER BY published_post_id LIMIT %(limit)s

-- name: has_image_s3_key
-- Whether posts say which object they were made with; the migration could not add the column everywhere.
SELECT EXISTS (SELECT FROM pg_attribute
               WHERE attrelid = to_regclass({posts_name}) AND attname = 'image_s3_key' AND NOT attisdropped) AS found

-- name: doubled_posts
-- Posts made with a picture of ours that no prompt has for its own, while the picture's prompt has another post.
SELECT p.slug, q.id AS prompt_id, count(*) OVER () AS found
FROM {posts} AS p
JOIN images AS i ON i.key = p.image_s3_key
JOIN LATERAL (SELECT id FROM prompts WHERE image_id = i.id AND published_post_id <> p.id ORDER BY id LIMIT 1) AS q ON true
WHERE NOT EXISTS (SELECT FROM prompts WHERE published_post_id = p.id)
  AND NOT EXISTS (SELECT FROM prompts WHERE post_id = p.id)
ORDER BY q.id LIMIT %(limit)s

-- name: stuck
-- Claimed, the lease over and the hold dead.
SELECT id, claimed_by, lease_expires_at, count(*) OVER () AS found FROM prompts
WHERE status = 'claimed' AND lease_expires_at < now() AND claim_token NOT IN (SELECT token FROM prompts_live_holds())
ORDER BY lease_expires_at, id LIMIT %(limit)s

-- name: waiting
-- Drawn, due, and in nobody's hand.
SELECT id, generated_at, count(*) OVER () AS found FROM prompts
WHERE status = 'generated' AND coalesce(publish_at, '-infinity'::timestamptz) <= now()
  AND (claim_token IS NULL OR (lease_expires_at < now() AND claim_token NOT IN (SELECT token FROM prompts_live_holds())))
ORDER BY generated_at, id LIMIT %(limit)s

-- name: dead_messages
SELECT id, kind, subject, last_error, count(*) OVER () AS found FROM outbox
WHERE status = 'dead' ORDER BY id LIMIT %(limit)s

-- name: undelivered
-- The oldest first.
SELECT id, kind, subject, attempts, created_at, count(*) OVER () AS found FROM outbox
WHERE status = 'waiting' ORDER BY id LIMIT 1

-- name: elsewhere
SELECT i.key, d.bucket, d.place, count(*) OVER () AS found
FROM images AS i JOIN deployments AS d ON d.id = i.deployment_id
WHERE NOT d.current AND i.removed_at IS NULL ORDER BY i.id LIMIT %(limit)s

-- name: requeue
-- The prompts of pictures that are gone wait again, unless a living run has them in hand, or their post is gone or
-- shows another picture.
WITH users AS (
    SELECT q.id FROM prompts AS q
    JOIN images AS i ON i.id = q.image_id
    WHERE q.image_id = ANY(%(ids)s) AND q.status IN ('generated', 'awaiting_approval', 'published', 'ready')
      AND (q.claim_token IS NULL
           OR (q.lease_expires_at < now() AND q.claim_token NOT IN (SELECT token FROM prompts_live_holds())))
      AND (q.status <> 'published' OR q.published_post_id IS NULL
           OR EXISTS (SELECT FROM {posts} AS p
                      WHERE p.id = q.published_post_id AND strpos(p.featured_image_url, left(i.key, -4)) > 0))
    ORDER BY q.id FOR UPDATE OF q SKIP LOCKED
)
UPDATE prompts AS p SET status = 'pending', attempts = 0, claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL,
    last_error = 'its picture was gone from the store or damaged: the audit put it back to be drawn again'
FROM users WHERE p.id = users.id

-- name: let_go_of_images
-- Prompts that ended want no picture any more, where no published post shows it and nobody else wants it.
UPDATE prompts AS q SET image_id = NULL
FROM images AS i
WHERE i.id = q.image_id AND q.image_id = ANY(%(ids)s) AND q.status IN ('failed', 'rejected', 'cancelled')
  AND NOT EXISTS (SELECT FROM prompts AS other LEFT JOIN {posts} AS p ON p.id = other.published_post_id
                  WHERE other.image_id = i.id
                    AND (other.status NOT IN ('failed', 'rejected', 'cancelled')
                         OR (coalesce(to_jsonb(p) ->> 'status', 'published') = 'published'
                             AND strpos(p.featured_image_url, left(i.key, -4)) > 0)))

-- name: delete_unused_images
-- Rows of pictures that are gone and that no prompt wants.
DELETE FROM images AS i
WHERE id = ANY(%(ids)s) AND removed_at IS NULL AND NOT EXISTS (SELECT FROM prompts WHERE image_id = i.id)
RETURNING id

-- name: being_drawn
-- Pictures with a prompt that will have them drawn again.
SELECT DISTINCT image_id AS id FROM prompts WHERE image_id = ANY(%(ids)s) AND status IN ('pending', 'claimed')

-- name: removed_keys
-- Originals, thumbnails and renditions of pictures that are taken down and whose deletion nobody waits for any more. One
-- that was allowed again may have been drawn since.
SELECT ARRAY[key, coalesce(thumbnail_key, regexp_replace(key, '\.png$', '-256.webp'))]
       || ARRAY(SELECT r.key FROM renditions AS r WHERE r.image_id = images.id) AS keys
FROM images JOIN barred_recipes USING (recipe_hash)
WHERE id = ANY(%(ids)s)
  AND NOT EXISTS (SELECT FROM outbox WHERE subject = 'image:' || key AND kind = 'delete' AND status = 'waiting')

-- name: lock_published
-- Pictures that are not taken down, and stay so until this transaction ends.
SELECT * FROM images WHERE id = ANY(%(ids)s) AND removed_at IS NULL ORDER BY id FOR SHARE

-- name: removed
-- Which of these pictures are taken down.
SELECT id FROM images WHERE id = ANY(%(ids)s) AND removed_at IS NOT NULL
