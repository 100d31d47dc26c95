-- Statements of `management.py`: what people ask of single prompts by hand. Rows are locked in the order of
-- their ids, so that two people at once never wait for each other in a circle.

-- name: list_prompts
-- A page of prompts, the newest first.
SELECT p.id, p.status, p.priority, p.source, p.attempts, p.title, p.prompt, p.slug, p.task_id, p.last_error, p.created_at,
       p.publish_at, p.published_at, CASE WHEN i.removed_at IS NULL THEN i.url END AS image_url
FROM prompts AS p LEFT JOIN images AS i ON i.id = p.image_id
WHERE (%(status)s::text IS NULL OR p.status = %(status)s)
  AND (%(source)s::text IS NULL OR p.source = %(source)s)
  AND (%(category)s::text IS NULL OR p.category = %(category)s)
  AND (%(since)s::timestamptz IS NULL OR p.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR p.created_at < %(until)s)
  AND (%(text)s::text IS NULL OR strpos(lower(concat_ws(E'\n', p.title, p.prompt)), lower(%(text)s)) > 0)
  AND (%(before)s::bigint IS NULL OR p.id < %(before)s)
ORDER BY p.id DESC LIMIT %(limit)s;

-- name: post_states
-- How the posts are that these prompts have become or illustrate: a blog may have no such column.
SELECT p.id, to_jsonb(posts) ->> 'status' AS post_status
FROM prompts AS p JOIN {posts} AS posts ON posts.id::text = coalesce(p.published_post_id, p.post_id)::text
WHERE p.id = ANY(%(ids)s);

-- name: show_prompt
-- Everything about one prompt and its picture; a picture that was taken down has no address any more.
SELECT p.*, CASE WHEN i.removed_at IS NULL THEN i.url END AS image_url, i.key AS image_key, i.bytes AS image_bytes, i.sha256 AS image_sha256,
       i.width AS image_width, i.height AS image_height, i.model AS image_model,
       i.model_revision AS image_model_revision, i.seconds AS image_seconds, i.pixels_sha256 AS image_pixels_sha256,
       (SELECT nullif(least(coalesce(sum(count::numeric), 0), 1000000), 0)::int
        FROM (VALUES (i.provenance -> 'prompt_tokens_dropped'), (i.provenance -> 'negative_prompt_tokens_dropped'))
            AS dropped (count)
        WHERE jsonb_typeof(count) = 'number' AND p.status IN ('generated', 'awaiting_approval', 'published', 'ready'))
           AS image_tokens_dropped,
       CASE WHEN i.removed_at IS NULL THEN i.thumbnail_url END AS image_thumbnail_url,
       i.removed_at AS image_removed_at, i.removed_reason AS image_removed_reason
FROM prompts AS p LEFT JOIN images AS i ON i.id = p.image_id
WHERE p.id = %(id)s;

-- name: post_of
-- The post a prompt has become or illustrates, and what it shows that is not ours.
SELECT '/posts/' || slug AS post_path, title AS post_title, coalesce(to_jsonb(posts) ->> 'status', 'published') AS post_status,
       (SELECT nullif(shown.url, '') FROM (SELECT to_jsonb(posts) ->> 'featured_image_url' AS url) AS shown
        WHERE NOT EXISTS (SELECT FROM images
                          WHERE key = substring(shown.url FROM 'generated/[0-9a-f]{2}/[0-9a-f]{32}') || '.png')) AS post_shows
FROM {posts} AS posts WHERE id::text = %(post_id)s::text;

-- name: counts_by_status
-- How many prompts are in each state, of those that `list_prompts` would list in any.
SELECT p.status, count(*) AS prompts FROM prompts AS p
WHERE (%(source)s::text IS NULL OR p.source = %(source)s)
  AND (%(category)s::text IS NULL OR p.category = %(category)s)
  AND (%(since)s::timestamptz IS NULL OR p.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR p.created_at < %(until)s)
  AND (%(text)s::text IS NULL OR strpos(lower(concat_ws(E'\n', p.title, p.prompt)), lower(%(text)s)) > 0)
GROUP BY p.status;

-- name: states_of
-- Where these prompts are now, to say why one did not move.
SELECT id, status FROM prompts WHERE id = ANY(%(ids)s) AND (%(of)s::text IS NULL OR source = %(of)s);

-- name: sources_of
SELECT id, source FROM prompts WHERE id = ANY(%(ids)s);

-- name: retry
-- Back to the queue with all attempts before it.
WITH chosen AS (
    SELECT id FROM prompts
    WHERE id = ANY(%(ids)s) AND status IN ('failed', 'rejected', 'cancelled') AND (%(of)s::text IS NULL OR source = %(of)s)
    ORDER BY id FOR UPDATE
)
UPDATE prompts SET status = 'pending', attempts = 0, last_error = NULL, post_version = NULL,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id
RETURNING prompts.id;

-- name: retry_all_failed
-- Empties the dead letter back into the queue.
WITH chosen AS (SELECT id FROM prompts WHERE status = 'failed' ORDER BY id FOR UPDATE)
UPDATE prompts SET status = 'pending', attempts = 0, last_error = NULL, post_version = NULL,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id;

-- name: cancel
-- Out of the queue, from wherever it is before publication; a run that holds it loses it. Also one whose post somebody
-- has deleted: it is over.
WITH chosen AS (
    SELECT id FROM prompts
    WHERE id = ANY(%(ids)s) AND (%(of)s::text IS NULL OR source = %(of)s)
      AND (status IN ('pending', 'claimed', 'generated', 'awaiting_approval')
           OR (status = 'published' AND published_post_id IS NOT NULL
               AND NOT EXISTS (SELECT FROM {posts} AS posts WHERE posts.id = prompts.published_post_id)))
    ORDER BY id FOR UPDATE
)
UPDATE prompts SET status = 'cancelled', claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id
RETURNING prompts.id;

-- name: approve
-- A person has seen the picture: the next run, whichever it is, publishes it, on the post as it is now. `seen`: which
-- picture (images.id), by prompt; where it is another one by now, nobody has.
WITH chosen AS (
    SELECT id FROM prompts
    WHERE id = ANY(%(ids)s) AND status = 'awaiting_approval' AND coalesce(image_id = (%(seen)s::jsonb ->> id::text)::bigint, true)
    ORDER BY id FOR UPDATE
)
UPDATE prompts SET status = 'generated', last_error = NULL,
    post_version = (SELECT coalesce(to_jsonb(posts) ->> 'updated_at', '') FROM {posts} AS posts
                    WHERE posts.id = coalesce(prompts.post_id, prompts.published_post_id)),
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id
RETURNING prompts.id;

-- name: discard
-- A person has seen a picture that was asked for alone, and wants neither it nor a post.
WITH chosen AS (
    SELECT id FROM prompts
    WHERE id = ANY(%(ids)s) AND status = 'ready' AND coalesce(image_id = (%(seen)s::jsonb ->> id::text)::bigint, true)
    ORDER BY id FOR UPDATE
)
UPDATE prompts SET status = 'cancelled', last_error = %(reason)s,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id
RETURNING prompts.id;

-- name: reject
-- A person has seen the picture and does not want it.
WITH chosen AS (
    SELECT id FROM prompts
    WHERE id = ANY(%(ids)s) AND status = 'awaiting_approval' AND coalesce(image_id = (%(seen)s::jsonb ->> id::text)::bigint, true)
    ORDER BY id FOR UPDATE
)
UPDATE prompts SET status = 'rejected', last_error = %(reason)s,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id
RETURNING prompts.id;
