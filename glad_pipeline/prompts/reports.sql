-- Statements of `reports.py`.

-- name: left_behind
-- Other runs whose claims have no lock and which have left something to report.
SELECT DISTINCT run_id FROM run_reports
WHERE published = %(published)s AND run_id <> %(run_id)s AND run_id NOT IN (SELECT worker FROM prompts_live_holds())

-- name: forget
-- Of runs that Dagster has the report of.
DELETE FROM run_reports WHERE published = %(published)s AND run_id = ANY(%(told)s::text[])

-- name: take
-- What these runs have left is another's to report; what two runs want to take, one of them gets.
UPDATE run_reports SET run_id = %(run_id)s WHERE published = %(published)s AND run_id = ANY(%(gone)s::text[])

-- name: of_run
SELECT prompt_id, reason FROM run_reports WHERE published = %(published)s AND run_id = %(run_id)s ORDER BY prompt_id

-- name: remove
DELETE FROM run_reports WHERE published = %(published)s AND run_id = %(run_id)s AND prompt_id = ANY(%(ids)s::bigint[])
