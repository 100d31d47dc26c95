-- Statements of `content_tasks.py`. The blog owns the table, and a newer one has a view of that name.

-- name: look
-- Its columns: which can be read, and which set. Those of a view as its trigger or its own definition allows.
SELECT c.relkind::text AS kind, a.attname AS name, a.attgenerated = '' AND (
           c.relkind IN ('r', 'p')
           OR pg_column_is_updatable(c.oid, a.attnum, false)
           OR EXISTS (SELECT FROM pg_trigger AS t
                      WHERE t.tgrelid = c.oid AND t.tgenabled IN ('O', 'A') AND t.tgtype::int & 80 = 80)  -- INSTEAD OF UPDATE
       ) AS can_be_set,
       has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable,
       has_column_privilege(c.oid, a.attnum, 'UPDATE') AS writable
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
WHERE c.oid = to_regclass('content_tasks') AND a.attnum > 0 AND NOT a.attisdropped

-- name: known
-- Those of these ids that there are. Its column may be of any type that PostgreSQL writes as text.
SELECT DISTINCT task_id::text AS task_id FROM content_tasks WHERE task_id::text = ANY(%(ids)s::text[])
