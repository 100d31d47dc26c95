-- Statements of `job_results.py`.

-- name: keep
INSERT INTO gateway_jobs (id, kind, actor, state, started_at, ended_at, progress, result, problem, status)
VALUES (%(id)s, %(kind)s, %(by)s, %(state)s, %(started_at)s, %(ended_at)s, %(progress)s, %(result)s::text::json, %(problem)s,
        %(status)s)

-- name: prune
DELETE FROM gateway_jobs WHERE id IN (SELECT id FROM gateway_jobs ORDER BY ended_at DESC, id OFFSET %(most)s)

-- name: kept
-- The newest first, without their results, which may be long. `kind`, `by`: NULL for any.
SELECT id, kind, actor AS by, state, started_at, ended_at, progress, problem, status FROM gateway_jobs
WHERE (%(kind)s::text IS NULL OR kind = %(kind)s) AND (%(by)s::text IS NULL OR actor = %(by)s)
ORDER BY started_at DESC

-- name: one
SELECT id, kind, actor AS by, state, started_at, ended_at, progress, result, problem, status FROM gateway_jobs
WHERE id = %(id)s
