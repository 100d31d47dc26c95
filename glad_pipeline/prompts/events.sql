-- Statements of `events.py`.

-- name: history
-- What happened to a prompt, the oldest first. That it was queued is its own `created_at`.
SELECT at, event, run_id, detail FROM prompt_events WHERE prompt_id = %(id)s ORDER BY id DESC LIMIT %(limit)s;

-- name: stands
-- Where a prompt is, and the last that happened to it.
SELECT p.status, p.source, p.publish_at > now() AS is_later, last.event, last.detail
FROM prompts AS p
LEFT JOIN LATERAL (SELECT event, detail FROM prompt_events WHERE prompt_id = p.id ORDER BY id DESC LIMIT 1) AS last ON true
WHERE p.id = %(id)s;

-- name: place
-- Its place among the next `limit` prompts that runs take, as `prompts_in_turn` has them; none: it is not among them.
SELECT t.place FROM prompts_in_turn(%(limit)s, NULL, %(ahead)s,
    coalesce((SELECT s.turns FROM prompt_sources s WHERE s.source = '*'), '{}')) AS t
WHERE t.prompt_id = %(id)s;

-- name: queued
SELECT created_at AS at, 'queued' AS event FROM prompts WHERE id = %(id)s;
