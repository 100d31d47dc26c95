-- Statements of `job_results.py`.

-- name: keep
INSERT INTO gateway_jobs (id, kind, actor, state, started_at, ended_at, progress, result, problem, status)
VALUES (%(id)s, %(kind)s, %(by)s, %(state)s, %(started_at)s, %(ended_at)s, %(progress)s, %(result)s::text::json, %(problem)s,
        %(status)s)
ON CONFLICT (id) DO NOTHING

-- name: prune
DELETE FROM gateway_jobs WHERE id IN (SELECT id FROM gateway_jobs ORDER BY ended_at DESC, id OFFSET %(most)s)

-- name: kept
-- All, the newest first; or the one of this id.
SELECT id, kind, actor AS by, state, started_at, ended_at, progress, result, problem, status FROM gateway_jobs
WHERE %(id)s::text IS NULL OR id = %(id)s ORDER BY started_at DESC
