-- Statements of `messages.py`: the rows that say who has to be notified of what.

-- name: tell_of_posts
-- Each of these posts has changed: its page, and all that lists posts, which is the tag `posts`: front page, archive,
-- feeds, sitemap, category, tag and author pages. `gone` says that nobody may be shown the page of before, not even while
-- it is made anew. A draft has no page, unless it had one.
INSERT INTO outbox (kind, subject, payload)
SELECT 'revalidate', 'post:' || p.id, jsonb_build_object(
    'paths', jsonb_build_array('/', '/posts/' || p.slug, '/sitemap.xml'),
    'tags', jsonb_build_array('post:' || p.slug, 'posts') || CASE WHEN %(hidden)s THEN '["gone"]' ELSE '[]' END::jsonb)
FROM {posts} AS p
WHERE p.id = ANY(%(ids)s) AND (%(hidden)s OR coalesce(to_jsonb(p) ->> 'status', 'published') = 'published')
ORDER BY p.id

-- name: ask_to_delete
-- The objects of a picture have to go from the bucket in which it lies, under the URLs that visitors know.
INSERT INTO outbox (kind, subject, payload)
SELECT 'delete', 'image:' || key, jsonb_build_object(
    'keys', array_remove(ARRAY[key, thumbnail_key], NULL) || renditions.keys,
    'urls', array_remove(ARRAY[url, thumbnail_url], NULL)
        || ARRAY(SELECT left(url, -length(key)) || each FROM unnest(renditions.keys) AS each),
    'deployment', deployment_id)
FROM images, LATERAL (SELECT ARRAY(SELECT r.key FROM renditions AS r WHERE r.image_id = images.id ORDER BY r.key)) AS renditions (keys)
WHERE id = %(image)s

-- name: ask_to_delete_again
-- What a run may have stored, in the bucket of now, after it had been deleted.
INSERT INTO outbox (kind, subject, payload)
VALUES ('delete', 'image:' || %(key)s::text, jsonb_build_object(
    'keys', %(keys)s::text[] || ARRAY(SELECT r.key FROM renditions AS r JOIN images AS i ON i.id = r.image_id
                                      WHERE i.key = %(key)s ORDER BY r.key),
    'deployment', (SELECT id FROM deployments WHERE current)))

-- name: name_also
UPDATE outbox SET payload = jsonb_set(payload, '{keys}', payload -> 'keys' || to_jsonb(%(keys)s::text[]))
WHERE id = %(id)s AND kind = 'delete' AND status = 'waiting'

-- name: take
-- The first message of each subject and kind that is due: in one deliverer's hands until `taken_until`, then anybody's
-- again. A deletion does not wait for a CDN.
WITH due AS MATERIALIZED (
    SELECT id FROM outbox AS o
    WHERE status = 'waiting' AND kind = %(kind)s AND next_attempt_at <= now()
      AND coalesce(taken_until, '-infinity') <= now()
      AND (%(subjects)s::text[] IS NULL OR subject = ANY(%(subjects)s))
      AND NOT EXISTS (SELECT FROM outbox AS earlier
                      WHERE earlier.subject = o.subject AND earlier.kind = o.kind AND earlier.status = 'waiting'
                        AND earlier.id < o.id)
    ORDER BY next_attempt_at, id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE outbox AS o SET attempts = attempts + 1, taken_until = now() + %(hold)s
FROM due WHERE o.id = due.id
RETURNING o.id, o.kind, o.subject, o.payload, o.attempts

-- name: settle
-- What became of messages that are still in our hands. Where objects are gone, the CDN has to forget them: not before,
-- since it would fetch them again.
WITH settled AS (
    UPDATE outbox AS o
    SET status = done.status, last_error = done.error, taken_until = NULL,
        next_attempt_at = CASE WHEN done.status = 'waiting' THEN now() + done.delay ELSE o.next_attempt_at END,
        ended_at = CASE WHEN done.status <> 'waiting' THEN now() END
    FROM unnest(%(ids)s::bigint[], %(attempts)s::integer[], %(statuses)s::text[], %(errors)s::text[],
                %(delays)s::interval[]) AS done (id, attempts, status, error, delay)
    WHERE o.id = done.id AND o.attempts = done.attempts AND o.status = 'waiting'
    RETURNING o.id, o.kind, o.subject, o.payload, o.status
)
INSERT INTO outbox (kind, subject, payload)
SELECT 'purge', subject, jsonb_build_object(
           'paths', (SELECT jsonb_agg('/' || key) FROM jsonb_array_elements_text(payload -> 'keys') AS key),
           'urls', payload -> 'urls')
FROM settled WHERE kind = 'delete' AND status = 'delivered' ORDER BY id

-- name: postpone
-- Who was to be notified is unreachable: the other due messages to them need not find that out one by one.
WITH due AS (
    SELECT id FROM outbox
    WHERE status = 'waiting' AND kind = %(kind)s AND next_attempt_at <= now() AND coalesce(taken_until, '-infinity') <= now()
    ORDER BY id FOR UPDATE SKIP LOCKED
)
UPDATE outbox SET next_attempt_at = now() + %(delay)s, last_error = %(error)s FROM due WHERE outbox.id = due.id

-- name: hurry
-- A person asks for it now: what waits for its next try, waits no longer.
UPDATE outbox SET next_attempt_at = now()
WHERE id IN (SELECT id FROM outbox WHERE status = 'waiting' AND next_attempt_at > now()
             AND (%(subjects)s::text[] IS NULL OR subject = ANY(%(subjects)s)) ORDER BY id FOR UPDATE SKIP LOCKED)

-- name: overdue
-- For the sensor: is there a message that no run has taken in the seconds since it was due, and that `take` would?
SELECT EXISTS (SELECT FROM outbox AS o WHERE status = 'waiting' AND next_attempt_at <= now() - %(grace)s
               AND coalesce(taken_until, '-infinity') <= now() - %(grace)s
               AND NOT EXISTS (SELECT FROM outbox AS earlier
                               WHERE earlier.subject = o.subject AND earlier.kind = o.kind
                                 AND earlier.status = 'waiting' AND earlier.id < o.id)) AS overdue

-- name: dead
-- For the check: the newest messages that were given up, and how many there are.
SELECT *, count(*) OVER () AS total FROM outbox WHERE status = 'dead' ORDER BY id DESC LIMIT 20

-- name: prune
-- Told long ago, or nobody was there to tell.
DELETE FROM outbox WHERE id IN (
    SELECT id FROM outbox WHERE status IN ('delivered', 'skipped') AND ended_at < now() - %(keep)s
    ORDER BY ended_at LIMIT 10000 FOR UPDATE SKIP LOCKED
)

-- name: list_messages
-- The newest messages first.
SELECT * FROM outbox
WHERE (%(status)s::text IS NULL OR status = %(status)s) AND (%(before)s::bigint IS NULL OR id < %(before)s)
  AND (%(since)s::bigint IS NULL OR id >= %(since)s) AND (%(subjects)s::text[] IS NULL OR subject = ANY(%(subjects)s))
ORDER BY id DESC LIMIT %(limit)s

-- name: counts
-- How many messages are in each state.
SELECT status, count(*) AS messages FROM outbox GROUP BY status

-- name: retry
-- Dead messages, all or these, are delivered again with all attempts before them.
UPDATE outbox SET status = 'waiting', attempts = 0, next_attempt_at = now(), taken_until = NULL, ended_at = NULL
WHERE id IN (SELECT id FROM outbox WHERE status = 'dead' AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
             ORDER BY id FOR UPDATE)
RETURNING id

-- name: states_of
-- Where these messages are now, to say why one did not move.
SELECT id, status FROM outbox WHERE id = ANY(%(ids)s)
