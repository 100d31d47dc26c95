-- Statements of `events.py`.

-- name: history
-- What happened to a prompt, the oldest first. That it was queued is its own `created_at`.
SELECT at, event, run_id, detail FROM prompt_events WHERE prompt_id = %(id)s ORDER BY id DESC LIMIT %(limit)s;

-- name: stands
-- Where a prompt is, and the last that happened to it.
SELECT p.status, p.priority, p.publish_at, p.publish_at > now() AS is_later, last.event, last.detail
FROM prompts AS p
LEFT JOIN LATERAL (SELECT event, detail FROM prompt_events WHERE prompt_id = p.id ORDER BY id DESC LIMIT 1) AS last ON true
WHERE p.id = %(id)s;

-- name: ahead
-- How many prompts wait that are more urgent, or as urgent and older; at most `limit`, so that a long queue costs no more.
SELECT count(*) AS ahead FROM (
    (SELECT FROM prompts WHERE status = 'pending' AND priority > %(priority)s LIMIT %(limit)s)
    UNION ALL
    (SELECT FROM prompts WHERE status = 'pending' AND priority = %(priority)s AND id < %(id)s LIMIT %(limit)s)
    LIMIT %(limit)s
) AS few;

-- name: queued
SELECT created_at AS at FROM prompts WHERE id = %(id)s;
