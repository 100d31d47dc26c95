-- Statements of `progress.py`.

-- name: progress
-- How far these prompts are, each with the last that happened to it, what pauses it, and its picture as far as it is public.
SELECT p.id, p.status, p.source, p.publish, p.title, left(p.prompt, 4000) AS prompt, p.alt_text, p.attempts, p.last_error,
       p.created_at, p.publish_at > now() AS is_later,
       coalesce(last.id, 0) AS event_id, last.event, last.detail,
       (SELECT to_char(s.paused_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') || coalesce(': ' || s.pause_reason, '')
        FROM prompt_sources AS s WHERE s.source IN (p.source, '*') AND s.paused_since IS NOT NULL
        ORDER BY s.source = '*' DESC LIMIT 1) AS paused,
       CASE WHEN i.removed_at IS NULL THEN i.url END AS image_url,
       CASE WHEN i.removed_at IS NULL THEN i.thumbnail_url END AS thumbnail_url,
       i.width, i.height, i.model, i.seconds, i.removed_reason
FROM prompts AS p
LEFT JOIN images AS i ON i.id = p.image_id AND p.status IN ('generated', 'awaiting_approval', 'published', 'ready')
LEFT JOIN LATERAL (
    SELECT id, event, detail FROM prompt_events WHERE prompt_id = p.id ORDER BY id DESC LIMIT 1) AS last ON true
WHERE p.id = ANY(%(ids)s::bigint[]);

-- name: post_paths
-- Where the posts are that these prompts have become.
SELECT p.id, '/posts/' || posts.slug AS post_path FROM prompts AS p JOIN {posts} AS posts ON posts.id = p.published_post_id
WHERE p.id = ANY(%(ids)s::bigint[]) AND p.status = 'published';

-- name: places
-- The places of the first `limit` prompts that runs take, as `prompts_in_turn` has them.
SELECT t.prompt_id, t.place FROM prompts_in_turn(%(limit)s, NULL, %(ahead)s,
    coalesce((SELECT s.turns FROM prompt_sources s WHERE s.source = '*'), '{}')) AS t;

-- name: pace
-- When the newest pictures were stored, the newest first: of the last day, among what has happened last. None while
-- nothing is drawn: how long it takes until a run has started and loaded its model is not known.
SELECT extract(epoch FROM e.at)::float8 AS at
FROM (SELECT event, at FROM prompt_events WHERE at > now() - interval '1 day' ORDER BY at DESC LIMIT 2000) AS e
WHERE e.event IN ('stored', 'ready') AND EXISTS (SELECT FROM prompts WHERE status = 'claimed')
ORDER BY e.at DESC LIMIT 64;

-- name: news
-- What has happened to each of these prompts since the event that is known of it, the oldest first, `most` of each.
SELECT w.nth - 1 AS nth, e.id, e.at, e.event, e.detail
FROM unnest(%(ids)s::bigint[], %(since)s::bigint[]) WITH ORDINALITY AS w (prompt_id, since, nth)
CROSS JOIN LATERAL (
    SELECT id, at, event, detail FROM prompt_events
    WHERE prompt_id = w.prompt_id AND id > w.since ORDER BY id LIMIT %(most)s) AS e
ORDER BY w.nth, e.id;

-- name: gone
-- Those of these that are no more.
SELECT w.prompt_id AS id FROM unnest(%(ids)s::bigint[]) AS w (prompt_id)
WHERE NOT EXISTS (SELECT FROM prompts WHERE id = w.prompt_id);

-- name: is_drawing
-- Whether anybody draws: how many runs are alive, whether all is paused, for how many seconds the next prompt has waited,
-- and how many seconds ago the newest picture was catalogued.
SELECT (SELECT count(DISTINCT worker) FROM prompts_live_holds()) AS runs,
       (SELECT to_char(s.paused_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') || coalesce(': ' || s.pause_reason, '')
        FROM prompt_sources AS s WHERE s.source = '*' AND s.paused_since IS NOT NULL) AS paused,
       (SELECT extract(epoch FROM now() - greatest(p.created_at, p.put_back_at, p.publish_at))::float
        FROM prompts AS p JOIN prompts_in_turn(1, NULL, %(ahead)s, '{}') AS t ON t.prompt_id = p.id) AS waits,
       (SELECT extract(epoch FROM now() - created_at)::float FROM images ORDER BY id DESC LIMIT 1) AS last_drawn;
