-- Every statement of the queue that moves a prompt from one state to another while a run works.
-- What people do by hand (add, import, retry, cancel) is in the other .sql files of this folder.

-- name: next_token
-- A new number for a new hold; its advisory lock tells the others that the holder lives.
SELECT nextval('prompt_claim_tokens')::integer AS token

-- name: lock_token
-- Held on the heartbeat's own connection: gone the instant that process or its network is gone.
SELECT prompts_lock_token(%(token)s) AS locked

-- name: record_claim
-- Which run this claim is of: should its lock go without this row, its process is gone. Tokens come round again one day.
INSERT INTO run_claims (token, run_id, database) VALUES (%(token)s, %(run_id)s, %(database)s)
ON CONFLICT (token) DO UPDATE SET run_id = excluded.run_id, database = excluded.database, since = now()

-- name: end_claim
-- And what nobody has asked about for a month: runs of an instance that is no more.
DELETE FROM run_claims WHERE token = %(token)s
   OR (since < now() - interval '30 days' AND token NOT IN (SELECT token FROM prompts_live_holds()))

-- name: end_reports
-- What no check has named in a month: of jobs without one.
DELETE FROM run_reports WHERE NOT published AND since < now() - interval '30 days'

-- name: prune_carefully
-- Whatever the statistics say, the plan reads the indexes from where it begins; and who deletes prompts is not in its way.
SELECT set_config('lock_timeout', '200ms', true), set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true), set_config('enable_sort', 'off', true),
       set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)

-- name: prune_events
-- The oldest history of prompts that have ended, a bounded part of it. Every second look begins anywhere in what is old
-- enough, so that what is kept, of prompts that wait still, does not hide the rest.
WITH old AS MATERIALIZED (
    SELECT prompt_id, id FROM prompt_events
    WHERE at < now() - %(keep_events)s
      AND at >= (SELECT min(at) + greatest(0, random() * 2 - 1) * greatest(interval '0', now() - %(keep_events)s - min(at))
                 FROM prompt_events)
      AND (SELECT pg_try_advisory_xact_lock(1735156072))  -- one at a time
    ORDER BY at LIMIT %(prune)s
)
DELETE FROM prompt_events AS e USING old, prompts AS p
WHERE (e.prompt_id, e.id) = (old.prompt_id, old.id) AND p.id = e.prompt_id
  AND p.status IN ('published', 'ready', 'rejected', 'failed', 'cancelled')

-- name: orphaned_runs
-- Runs of this very database none of whose claims has its lock: their processes are gone, or are just connecting anew.
SELECT run_id FROM run_claims WHERE database = %(database)s GROUP BY run_id
HAVING NOT bool_or(token IN (SELECT token FROM prompts_live_holds()))

-- name: forget_runs
-- Runs that have ended.
DELETE FROM run_claims
WHERE run_id = ANY(%(run_ids)s) AND token NOT IN (SELECT token FROM prompts_live_holds())

-- name: has_lock
-- Whether this very session still holds the lock: also the heartbeat's sign that its connection lives.
SELECT EXISTS (SELECT FROM pg_locks
               WHERE locktype = 'advisory' AND classid::bigint = 1735156068 AND objid::bigint = %(token)s
                 AND objsubid = 2 AND granted AND pid = pg_backend_pid()
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())) AS has_lock

-- name: renew
-- The heartbeat: this hold's rows stay ours for another lease.
UPDATE prompts SET lease_expires_at = now() + %(lease)s
WHERE claim_token = %(token)s AND status IN ('claimed', 'generated')

-- name: without_life
-- Tokens of claims whose holder has no lock now: it is gone, or is just connecting anew.
SELECT DISTINCT claim_token AS token FROM prompts
WHERE status = 'claimed' AND claim_token NOT IN (SELECT token FROM prompts_live_holds())

-- name: return_abandoned
-- Rows whose holder is gone or silent (its lease is over) wait again, or fail when their attempts are spent.
WITH gone AS (
    SELECT id FROM prompts
    WHERE status = 'claimed' AND (lease_expires_at < now() OR (claim_token = ANY(%(gone)s)
          AND claim_token NOT IN (SELECT token FROM prompts_live_holds())))  -- none of them is back since we looked
    FOR UPDATE SKIP LOCKED
)
UPDATE prompts p
SET status = CASE WHEN attempts >= %(max_attempts)s THEN 'failed' ELSE 'pending' END,
    last_error = format('run %%s ended without finishing it (drawing was begun %%s times, at most %%s)',
                        claimed_by, attempts, %(max_attempts)s::integer),
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM gone WHERE p.id = gone.id
RETURNING p.id, p.status

-- name: requeue_named
-- Prompts named on purpose are worked again even if they had ended.
UPDATE prompts SET status = 'pending', attempts = 0, last_error = NULL, claim_token = NULL, claimed_by = NULL,
    lease_expires_at = NULL, post_version = NULL
WHERE id = ANY(%(ids)s) AND status IN ('published', 'ready', 'rejected', 'failed', 'cancelled')
  AND NOT EXISTS (SELECT FROM prompt_sources s WHERE s.source IN (prompts.source, '*') AND s.paused_since IS NOT NULL)

-- name: states_of
-- What became of the prompts named on purpose.
SELECT id, status, claimed_by FROM prompts WHERE id = ANY(%(ids)s)

-- name: claim_named
-- Take these, of sources that are not paused, whatever their priority and `publish_at`.
WITH next AS MATERIALIZED (
    SELECT id FROM prompts
    WHERE status || '' = 'pending' AND id = ANY(%(ids)s)
      AND NOT EXISTS (SELECT FROM prompt_sources s WHERE s.source IN (prompts.source, '*') AND s.paused_since IS NOT NULL)
    ORDER BY priority DESC, id
    LIMIT %(batch)s
    FOR UPDATE SKIP LOCKED
)
UPDATE prompts p
SET status = 'claimed', claim_token = %(token)s, claimed_by = %(worker)s,
    lease_expires_at = now() + %(lease)s, claimed_at = now()
FROM next WHERE p.id = next.id
RETURNING p.id, p.source, p.id AS place, coalesce(p.post_id, p.published_post_id) IS NOT NULL AS has_post

-- name: claim_overdue
-- Take up to `batch` rows that have waited for longer than the settings allow, the oldest first, whatever their priority.
-- Where the oldest of all are of paused sources, a probe of the index for each source that has waiting rows.
WITH RECURSIVE paused AS MATERIALIZED (
    SELECT s.source FROM prompt_sources s WHERE s.paused_since IS NOT NULL
), oldest AS MATERIALIZED (
    SELECT p.id, p.source, greatest(p.created_at, p.put_back_at, p.publish_at) AS since FROM prompts p
    WHERE p.status = 'pending' AND greatest(p.created_at, p.put_back_at, p.publish_at) < now() - %(longest_wait)s
      AND p.id <> ALL(%(had)s::bigint[]) AND NOT EXISTS (SELECT FROM paused WHERE paused.source = '*')
    ORDER BY greatest(p.created_at, p.put_back_at, p.publish_at) LIMIT 2 * %(batch)s + 50
), open AS MATERIALIZED (
    SELECT id, since FROM oldest WHERE source NOT IN (SELECT source FROM paused)
), sources AS (
    (SELECT p.source FROM prompts p
     WHERE p.status = 'pending' AND EXISTS (SELECT FROM oldest) AND NOT EXISTS (SELECT FROM open) ORDER BY p.source LIMIT 1)
    UNION ALL
    SELECT (SELECT p.source FROM prompts p WHERE p.status = 'pending' AND p.source > s.source ORDER BY p.source LIMIT 1)
    FROM sources s WHERE s.source IS NOT NULL
), waiting AS MATERIALIZED (
    SELECT id, since FROM open
    UNION ALL
    SELECT w.id, w.since FROM sources CROSS JOIN LATERAL (
        SELECT p.id, greatest(p.created_at, p.put_back_at, p.publish_at) AS since FROM prompts p
        WHERE p.status = 'pending' AND p.source = sources.source
          AND greatest(p.created_at, p.put_back_at, p.publish_at) < now() - %(longest_wait)s
        ORDER BY greatest(p.created_at, p.put_back_at, p.publish_at) LIMIT 2 * %(batch)s) AS w
    WHERE sources.source NOT IN (SELECT source FROM paused)
), next AS MATERIALIZED (
    SELECT p.id, waiting.since FROM waiting JOIN prompts p ON p.id = waiting.id
    WHERE p.status || '' = 'pending' AND p.id <> ALL(%(had)s::bigint[]) ORDER BY waiting.since, p.id LIMIT %(batch)s
    FOR UPDATE OF p SKIP LOCKED
)
UPDATE prompts p
SET status = 'claimed', claim_token = %(token)s, claimed_by = %(worker)s,
    lease_expires_at = now() + %(lease)s, claimed_at = now()
FROM next WHERE p.id = next.id
RETURNING p.id, p.source, next.since AS place, coalesce(p.post_id, p.published_post_id) IS NOT NULL AS has_post

-- name: claim
-- Take up to `batch` waiting prompts, in the order of `prompts_in_turn`; two runs never take the same row. `among`: how many
-- to choose from, since others take some of them at this very moment.
-- `status || ''`, here and above: rows are looked up by their ids. Of rows that have just come the planner knows nothing, and
-- would read the whole index of those that wait.
-- Where the settings have pictures drawn ahead, a prompt does not wait for its `publish_at`.
WITH turn AS MATERIALIZED (
    SELECT t.prompt_id, t.place FROM prompts_in_turn(%(among)s, %(above)s, %(ahead)s,
        coalesce((SELECT s.turns FROM prompt_sources s WHERE s.source = '*'), '{}')) AS t
), next AS MATERIALIZED (
    SELECT p.id, turn.place FROM turn JOIN prompts p ON p.id = turn.prompt_id
    WHERE p.status || '' = 'pending' AND p.id <> ALL(%(had)s::bigint[]) ORDER BY turn.place LIMIT %(batch)s
    FOR UPDATE OF p SKIP LOCKED
)
UPDATE prompts p
SET status = 'claimed', claim_token = %(token)s, claimed_by = %(worker)s,
    lease_expires_at = now() + %(lease)s, claimed_at = now()
FROM next WHERE p.id = next.id
RETURNING p.id, p.source, p.priority, next.place, coalesce(p.post_id, p.published_post_id) IS NOT NULL AS has_post

-- name: note_turn
-- At this priority the next claim begins after this source. Not worth waiting for another claim that writes it, nor
-- remembering the turns of a hundred priorities.
UPDATE prompt_sources SET turns =
    CASE WHEN (SELECT count(*) FROM jsonb_object_keys(turns)) < 100 THEN turns ELSE '{}' END
    || jsonb_build_object(%(priority)s::integer::text, %(source)s::text)
WHERE source = (SELECT source FROM prompt_sources
                WHERE source = '*' AND coalesce(turns ->> %(priority)s::integer::text, '') <> %(source)s FOR UPDATE SKIP LOCKED)

-- name: in_turn
-- The first that wait, without those that are named.
SELECT prompt_id AS id FROM prompts_in_turn(%(among)s, %(above)s, %(ahead)s, '{}')
WHERE prompt_id <> ALL(%(without)s::bigint[]) ORDER BY place LIMIT %(most)s

-- name: in_hand
-- Which prompts this hold has in hand.
SELECT id FROM prompts WHERE claim_token = %(token)s AND status = 'claimed'

-- name: name_event
-- What the history of a prompt calls what this transaction does.
SELECT set_config('glad.event', %(event)s, true)

-- name: give_back
-- Claimed, and not to be drawn now: they wait again as before.
UPDATE prompts SET status = 'pending', last_error = coalesce(%(reason)s::text, last_error),
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
WHERE id = ANY(%(ids)s) AND claim_token = %(token)s AND status = 'claimed'

-- name: note_post_versions
-- How the posts that these prompts aim at are now: edited from here on, they are not written over. What was noted before
-- a run died stays: an edit since then is one too.
UPDATE prompts p SET post_version = (
    SELECT coalesce(to_jsonb(posts) ->> 'updated_at', '') FROM {posts} AS posts
    WHERE posts.id = coalesce(p.post_id, p.published_post_id))
WHERE id = ANY(%(ids)s) AND post_version IS NULL

-- name: held
-- What this hold has in hand, in the order of its claim.
SELECT * FROM prompts WHERE claim_token = %(token)s AND status = 'claimed' ORDER BY priority DESC, id

-- name: held_of
-- Those of these that this hold has in hand.
SELECT * FROM prompts WHERE id = ANY(%(ids)s) AND claim_token = %(token)s AND status = 'claimed'

-- name: count_tries
-- So many tries each of these prompts has now: one more when drawing begins, for a process that dies may die of it;
-- as many as when it was claimed, when the store, the database or the GPU was the cause. The same when asked twice.
-- The GPU waits for it: not for the server's disk too. A server that crashes within a second may forget it, we may not.
UPDATE prompts p SET attempts = counted.attempts
FROM unnest(%(ids)s::bigint[], %(attempts)s::integer[]) AS counted (id, attempts),
    set_config('synchronous_commit', 'off', true)
WHERE p.id = counted.id AND p.claim_token = %(token)s AND p.status = 'claimed'

-- name: taken_over
-- Whether another claim works on some of these, or has. Who edits or cancels one leaves it pending or cancelled.
SELECT EXISTS (SELECT FROM prompts
               WHERE id = ANY(%(ids)s) AND status IN ('claimed', 'generated', 'awaiting_approval', 'published', 'ready')
                 AND claim_token IS DISTINCT FROM %(token)s) AS taken_over

-- name: settle_failed
-- A prompt whose own work went wrong: it waits for another attempt, or fails when they are spent.
WITH done AS (
    UPDATE prompts SET attempts = attempts + %(uncounted)s,
        status = CASE WHEN attempts + %(uncounted)s >= %(max_attempts)s THEN 'failed' ELSE 'pending' END,
        last_error = %(reason)s, claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
    WHERE id = %(id)s AND claim_token = %(token)s AND status = 'claimed'
    RETURNING id, status, last_error
)
INSERT INTO run_reports (prompt_id, published, run_id, reason)
SELECT id, false, %(worker)s, last_error FROM done WHERE status = 'failed'
ON CONFLICT (prompt_id, published) DO UPDATE SET run_id = excluded.run_id, reason = excluded.reason, since = excluded.since

-- name: settle_rejected
-- A prompt that can never be published as it is: put aside with the reason.
WITH done AS (
    UPDATE prompts SET status = 'rejected', last_error = %(reason)s,
        claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
    WHERE id = %(id)s AND claim_token IS NOT DISTINCT FROM %(token)s AND status IN ('claimed', 'generated')
    RETURNING id, last_error
)
INSERT INTO run_reports (prompt_id, published, run_id, reason) SELECT id, false, %(worker)s, last_error FROM done
ON CONFLICT (prompt_id, published) DO UPDATE SET run_id = excluded.run_id, reason = excluded.reason, since = excluded.since

-- name: settle_generated
-- Its picture is in the store and in the catalogue; where it alone was asked for, that is all. Asked twice, since an answer
-- was lost, it says the same.
WITH done AS (
    SELECT * FROM unnest(%(ids)s::bigint[], %(image_ids)s::bigint[]) AS done (id, image_id)
), moved AS (
    UPDATE prompts p SET status = CASE p.publish WHEN 'picture' THEN 'ready' ELSE 'generated' END,
        image_id = done.image_id, generated_at = now(), last_error = NULL,
        claim_token = CASE p.publish WHEN 'post' THEN p.claim_token END,
        claimed_by = CASE p.publish WHEN 'post' THEN p.claimed_by END,
        lease_expires_at = CASE p.publish WHEN 'post' THEN p.lease_expires_at END
    FROM done WHERE p.id = done.id AND p.claim_token = %(token)s AND p.status IN ('claimed', 'generated')
    RETURNING p.id, p.status
)
SELECT id, status FROM moved UNION ALL
SELECT p.id, p.status FROM prompts p JOIN done USING (id)  -- as it was before: these are nobody's since they moved
WHERE p.image_id = done.image_id AND p.claim_token IS NULL AND p.status IN ('ready', 'awaiting_approval')

-- name: await_approval
-- Those of them that a person wants to see first.
UPDATE prompts SET status = 'awaiting_approval', claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
WHERE id = ANY(%(ids)s) AND status = 'generated' AND needs_approval
RETURNING id

-- name: note_what_approval_replaces
-- Of those that wait for a person now, it is said where an approval would replace a person's picture.
UPDATE prompts AS p SET last_error = concat_ws('. ', nullif(p.last_error, ''), format(
    'Its post shows a picture that is not this pipeline''s: `glad prompts approve %%s` puts the new one in its place, '
    '`glad prompts reject %%s` keeps it', p.id, p.id))
FROM (SELECT posts.id, to_jsonb(posts) ->> 'featured_image_url' AS url FROM {posts} AS posts
      WHERE posts.id IN (SELECT coalesce(q.post_id, q.published_post_id) FROM prompts AS q WHERE q.id = ANY(%(ids)s))) AS shown
WHERE p.id = ANY(%(ids)s) AND p.status = 'awaiting_approval' AND NOT p.replace
  AND shown.id = coalesce(p.post_id, p.published_post_id) AND shown.url <> ''
  AND NOT EXISTS (SELECT FROM images WHERE key = substring(shown.url FROM 'generated/[0-9a-f]{2}/[0-9a-f]{32}') || '.png')

-- name: stale
-- Pictures whose time has come and that were seen in the store too long ago to be believed, or by another address.
SELECT DISTINCT i.id, i.key, i.bytes FROM prompts p JOIN images i ON i.id = p.image_id
WHERE p.status = 'generated' AND coalesce(p.publish_at, '-infinity'::timestamptz) <= now()
  AND (i.verified_at < now() - %(fresh)s OR i.url <> %(base)s::text || i.key) AND i.removed_at IS NULL
  AND (p.claim_token IS NULL OR p.claim_token = %(token)s OR p.lease_expires_at < now()
       OR p.claim_token NOT IN (SELECT token FROM prompts_live_holds()))
ORDER BY i.id LIMIT %(batch)s

-- name: seen_again
-- The public address may be another one since they were catalogued; no `base`: that is not known.
UPDATE images SET verified_at = now(), url = coalesce(%(base)s::text || key, url),
    thumbnail_url = coalesce(%(base)s::text || thumbnail_key, thumbnail_url)
WHERE id = ANY(%(ids)s)

-- name: draw_again
-- Their picture is gone from the store: they wait again, and the next run draws it under the same key.
WITH chosen AS (
    SELECT id FROM prompts
    WHERE image_id = ANY(%(ids)s) AND status = 'generated'
      AND (claim_token IS NULL OR claim_token = %(token)s OR lease_expires_at < now()
           OR claim_token NOT IN (SELECT token FROM prompts_live_holds()))
    ORDER BY id FOR UPDATE
)
UPDATE prompts SET status = 'pending', attempts = 0, last_error = %(reason)s,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id
RETURNING prompts.id

-- name: hold_back
-- Prompts that are to become posts with this picture wait for a person. Who needs approval and is `generated` has it.
WITH chosen AS (
    SELECT p.id FROM prompts p JOIN images i ON i.id = p.image_id
    WHERE i.key = %(key)s AND p.status = 'generated' AND NOT p.needs_approval ORDER BY p.id FOR UPDATE OF p
)
UPDATE prompts SET status = 'awaiting_approval', needs_approval = true, last_error = %(reason)s,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
FROM chosen WHERE prompts.id = chosen.id
RETURNING prompts.id

-- name: publishable
-- Pictures whose time has come: this hold's own, and those that no living run holds; each seen in the store just now.
SELECT p.*, i.url AS image_url, i.key AS image_key, i.bytes AS image_bytes, i.sha256 AS image_sha256,
       i.width AS image_width, i.height AS image_height, i.removed_at AS image_removed_at,
       i.removed_reason AS image_removed_reason, i.placeholder AS image_placeholder,
       coalesce((SELECT jsonb_agg(jsonb_build_object('key', r.key, 'kind', r.kind, 'width', r.width))
                 FROM renditions AS r WHERE r.image_id = i.id), '[]'::jsonb) AS image_renditions
FROM prompts p JOIN images i ON i.id = p.image_id
WHERE p.status = 'generated' AND coalesce(p.publish_at, '-infinity'::timestamptz) <= now()
  AND (i.removed_at IS NOT NULL
       OR (i.verified_at >= now() - %(fresh)s AND (%(base)s::text IS NULL OR i.url = %(base)s::text || i.key)))
  AND (p.claim_token IS NULL OR p.claim_token = %(token)s OR p.lease_expires_at < now()
       OR p.claim_token NOT IN (SELECT token FROM prompts_live_holds()))
ORDER BY coalesce(p.publish_at, '-infinity'::timestamptz), p.id
LIMIT %(batch)s
FOR UPDATE OF p SKIP LOCKED

-- name: settle_published
-- Committed together with the post itself, and with the note that Dagster does not tell of it yet.
WITH done AS (
    UPDATE prompts p SET status = 'published', published_post_id = done.published_post_id, published_at = now(), last_error = NULL,
        claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL, taken_down_at = NULL,
        post_version = NULL, replaced_image_url = done.replaced_image_url,
        replaced_alt_text = done.replaced_alt_text
    FROM jsonb_populate_recordset(NULL::prompts, %(done)s) AS done  -- whatever type the ids of this blog's posts have
    WHERE p.id = done.id AND p.status = 'generated'
    RETURNING p.id
)
INSERT INTO run_reports (prompt_id, published, run_id, reason)
SELECT id, true, set_config('glad.run_id', %(worker)s, true), NULL FROM done  -- for the history: no row names this run any more
ON CONFLICT (prompt_id, published) DO UPDATE SET run_id = excluded.run_id, reason = excluded.reason, since = excluded.since

-- name: settle_conflict
-- The post was edited meanwhile, or shows a person's picture: a person decides, and has decided when it is `generated` again.
UPDATE prompts SET status = 'awaiting_approval', needs_approval = true, last_error = %(reason)s,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
WHERE id = %(id)s AND status = 'generated'

-- name: release
-- The run ends: what it did not finish waits again, or fails when its attempts are spent.
UPDATE prompts SET status = CASE WHEN attempts >= %(max_attempts)s THEN 'failed' ELSE 'pending' END,
    last_error = CASE WHEN attempts >= %(max_attempts)s
        THEN format('run %%s was stopped while it drew this for the %%sth time', claimed_by, attempts)
             || coalesce(': ' || %(reason)s::text, '')
        ELSE coalesce(%(reason)s::text, last_error) END,
    claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL
WHERE claim_token = %(token)s AND status = 'claimed'

-- name: let_go
-- Pictures of this hold that are not due yet belong to nobody from now on; those that are due say why they wait.
UPDATE prompts SET claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL,
    last_error = CASE WHEN coalesce(publish_at, '-infinity'::timestamptz) <= now()
                 THEN coalesce(%(reason)s::text, last_error) ELSE last_error END
WHERE claim_token = %(token)s AND status = 'generated'

-- name: ready
-- One look for the sensor, the same price whatever the table's size: is there anything a run could do now? `waits`: also
-- what is paused. Each has an order, so that no other index is read for it.
WITH waits AS MATERIALIZED (
    SELECT CASE WHEN %(ahead)s
                THEN (SELECT id FROM prompts WHERE status = 'pending'
                      ORDER BY coalesce(publish_at, '-infinity'::timestamptz) LIMIT 1) IS NOT NULL
                ELSE (SELECT id FROM prompts WHERE status = 'pending' AND coalesce(publish_at, '-infinity'::timestamptz) <= now()
                      ORDER BY coalesce(publish_at, '-infinity'::timestamptz) LIMIT 1) IS NOT NULL END AS found
), paused AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM prompt_sources WHERE paused_since IS NOT NULL) AS found
)
SELECT CASE WHEN waits.found AND paused.found THEN EXISTS (SELECT FROM prompts_in_turn(1, NULL, %(ahead)s, '{}'))
            ELSE waits.found END AS pending,
       waits.found AS waits,
       EXISTS (SELECT FROM prompts WHERE status = 'generated'
               AND coalesce(publish_at, '-infinity'::timestamptz) <= now()
               AND (claim_token IS NULL OR lease_expires_at < now()
                    OR claim_token NOT IN (SELECT token FROM prompts_live_holds()))) AS due,
       EXISTS (SELECT FROM prompts WHERE status = 'claimed'
               AND (lease_expires_at < now() OR claim_token NOT IN (SELECT token FROM prompts_live_holds())))
       OR EXISTS (SELECT FROM run_reports WHERE published
                  AND run_id NOT IN (SELECT worker FROM prompts_live_holds())) AS abandoned
FROM waits, paused

-- name: live_workers
-- The runs whose hold is alive, whatever their prompts' state.
SELECT DISTINCT worker FROM prompts_live_holds()

-- name: overdue
-- For the check: rows still claimed although their lease is over.
SELECT id FROM prompts WHERE status = 'claimed' AND lease_expires_at < now() ORDER BY lease_expires_at LIMIT 20

-- name: newest_texts
-- For the check: what the newest prompts say, as far as one may be drawn. A picture's own recipe knows by which syntax it
-- was read; one that is to be drawn again says nothing of the text.
SELECT p.id, left(p.prompt, %(chars)s) AS prompt, left(p.negative_prompt, %(chars)s) AS negative_prompt,
       CASE WHEN i.id IS NULL THEN p.prompt_syntax ELSE coalesce(i.recipe ->> 'prompt_syntax', 'plain') END AS prompt_syntax,
       (SELECT least(coalesce(sum(count::numeric), 0), 1000000)::int
        FROM (VALUES (i.provenance -> 'prompt_tokens_dropped'), (i.provenance -> 'negative_prompt_tokens_dropped'))
            AS dropped (count)
        WHERE jsonb_typeof(count) = 'number') AS tokens_dropped
FROM prompts AS p
LEFT JOIN images AS i ON i.id = p.image_id AND p.status IN ('generated', 'awaiting_approval', 'published', 'ready')
ORDER BY p.id DESC LIMIT %(limit)s
