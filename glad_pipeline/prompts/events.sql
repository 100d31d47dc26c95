-- Statements of `events.py`.

-- name: history
-- What happened to a prompt, the oldest first. That it was queued is its own `created_at`.
SELECT at, event, run_id, detail, actor FROM prompt_events WHERE prompt_id = %(id)s ORDER BY id DESC LIMIT %(limit)s;

-- name: place
-- Its place among the next `limit` prompts that runs take, as `prompts_in_turn` has them; none: it is not among them.
SELECT t.place FROM prompts_in_turn(%(limit)s, NULL, %(ahead)s,
    coalesce((SELECT s.turns FROM prompt_sources s WHERE s.source = '*'), '{}')) AS t
WHERE t.prompt_id = %(id)s;

-- name: queued
SELECT created_at AS at, 'queued' AS event FROM prompts WHERE id = %(id)s;
