-- name: states
-- How many prompts are in each state; reads the whole table.
SELECT status, count(*) AS prompts FROM prompts GROUP BY status

-- name: oldest
-- For how many seconds the oldest pending prompt has waited; one whose time has not come does not wait.
SELECT coalesce(greatest(extract(epoch FROM now() - min(greatest(created_at, put_back_at, publish_at))), 0), 0)::float8
    AS seconds
FROM prompts WHERE status = 'pending'

-- name: events_since
-- What has happened since the moment that the answer before has said, how often, and the seconds from the event before
-- to it. Up to ten seconds ago: by then whoever wrote an event has committed. At first only the moment.
WITH span AS MATERIALIZED (
    SELECT coalesce(%(since)s::timestamptz, now() - interval '10 seconds') AS since, now() - interval '10 seconds' AS until
)
SELECT s.until::text AS until, e.event, count(e.event) AS number,
       coalesce(sum(extract(epoch FROM e.at - coalesce(b.at, p.created_at))), 0)::float8 AS seconds
FROM span s
LEFT JOIN (prompt_events e JOIN prompts p ON p.id = e.prompt_id) ON e.at >= s.since AND e.at < s.until
LEFT JOIN LATERAL (
    SELECT at FROM prompt_events o WHERE o.prompt_id = e.prompt_id AND o.id < e.id ORDER BY o.id DESC LIMIT 1
) b ON true
GROUP BY s.until, e.event
