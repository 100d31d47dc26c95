-- Statements of `runs.py`.

-- name: runs
-- What runs have done by the newest `events` events of the last week, and those that are alive, the latest first.
WITH lately AS (
    SELECT prompt_id, run_id, event, at FROM prompt_events
    WHERE run_id IS NOT NULL AND at > now() - interval '7 days' ORDER BY at DESC LIMIT %(events)s
), alive AS (
    SELECT h.worker AS run_id, min(c.since) AS since FROM prompts_live_holds() AS h
    LEFT JOIN run_claims AS c ON c.token = h.token AND c.run_id = h.worker GROUP BY h.worker
)
SELECT coalesce(a.run_id, r.run_id) AS run_id, least(a.since, r.since) AS since, r.last_at, a.run_id IS NOT NULL AS is_alive,
       (SELECT count(*) FROM prompts AS p WHERE p.status = 'claimed' AND p.claimed_by = coalesce(a.run_id, r.run_id)) AS in_hand,
       coalesce(r.claimed, 0) AS claimed, coalesce(r.stored, 0) AS stored, coalesce(r.published, 0) AS published,
       coalesce(r.rejected, 0) AS rejected, coalesce(r.failed, 0) AS failed
FROM alive AS a FULL JOIN (
    SELECT run_id, min(at) AS since, max(at) AS last_at,
           count(DISTINCT prompt_id) FILTER (WHERE event = 'claimed') AS claimed,
           count(DISTINCT prompt_id) FILTER (WHERE event IN ('stored', 'ready')) AS stored,
           count(DISTINCT prompt_id) FILTER (WHERE event = 'published') AS published,
           count(DISTINCT prompt_id) FILTER (WHERE event = 'rejected') AS rejected,
           count(DISTINCT prompt_id) FILTER (WHERE event = 'failed') AS failed
    FROM lately GROUP BY run_id
) AS r ON r.run_id = a.run_id
ORDER BY is_alive DESC, coalesce(r.last_at, a.since) DESC NULLS LAST LIMIT %(limit)s
