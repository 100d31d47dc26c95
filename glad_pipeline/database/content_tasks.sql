-- Statements of `content_tasks.py`. The blog owns the table, and a newer one has a view of that name.

-- name: look
-- Its columns: which can be read, and which set. Those of a view as its trigger or its own definition allows.
SELECT c.relkind::text AS kind, a.attname AS name, coalesce(nullif(t.typbasetype, 0), t.oid)::regtype::text AS type,
       a.attgenerated = '' AND (
           c.relkind IN ('r', 'p')
           OR pg_column_is_updatable(c.oid, a.attnum, false)
           OR EXISTS (SELECT FROM pg_trigger AS g
                      WHERE g.tgrelid = c.oid AND g.tgenabled IN ('O', 'A') AND g.tgtype::int & 80 = 80)  -- INSTEAD OF UPDATE
       ) AS can_be_set,
       has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable,
       has_column_privilege(c.oid, a.attnum, 'UPDATE') AS writable
FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid JOIN pg_type AS t ON t.oid = a.atttypid
WHERE c.oid = to_regclass('content_tasks') AND a.attnum > 0 AND NOT a.attisdropped

-- name: known
-- Those of these ids that there are; the column is of a type that PostgreSQL writes as text.
SELECT DISTINCT task_id::text AS task_id FROM content_tasks WHERE task_id::text = ANY(%(ids)s::text[])

-- name: known_uuids
-- The same where the column is a uuid: by its index.
SELECT task_id::text AS task_id FROM content_tasks WHERE task_id = ANY(%(ids)s::uuid[])

-- name: known_numbers
-- The same where the column is a number: by its index.
SELECT task_id::text AS task_id FROM content_tasks WHERE task_id = ANY(%(ids)s::bigint[])
