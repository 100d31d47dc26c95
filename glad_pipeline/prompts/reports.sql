-- Statements of `reports.py`.

-- name: left_behind
-- Other runs whose claims have no lock and which have left something to report; `long_ago`: nothing of it today.
SELECT run_id, max(since) < now() - interval '1 day' AS long_ago FROM run_reports
WHERE published = %(published)s AND run_id <> %(run_id)s AND run_id NOT IN (SELECT worker FROM prompts_live_holds())
GROUP BY run_id

-- name: forget
-- Of runs that Dagster has the report of; and of prompts that are put aside no longer.
DELETE FROM run_reports r WHERE published = %(published)s AND (run_id = ANY(%(told)s::text[]) OR (
    NOT published AND run_id = ANY(%(gone)s::text[])
    AND NOT EXISTS (SELECT FROM prompts p WHERE p.id = r.prompt_id AND p.status IN ('rejected', 'failed'))))

-- name: take
-- What these runs have left is another's to report; what two runs want to take, one of them gets.
UPDATE run_reports SET run_id = %(run_id)s WHERE published = %(published)s AND run_id = ANY(%(gone)s::text[])

-- name: of_run
-- Not what was put aside and is so no longer: it waits to be drawn again, say.
SELECT prompt_id, reason FROM run_reports r
WHERE published = %(published)s AND run_id = %(run_id)s AND (
    published OR EXISTS (SELECT FROM prompts p WHERE p.id = r.prompt_id AND p.status IN ('rejected', 'failed')))
ORDER BY prompt_id

-- name: remove
DELETE FROM run_reports WHERE published = %(published)s AND run_id = %(run_id)s AND prompt_id = ANY(%(ids)s::bigint[])
