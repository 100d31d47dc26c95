-- Statements of `post_ids.py`.

-- name: to_retype
-- The columns of ours that hold a post's id in another type than the blog's own ids ask for. One that is yet to be made
-- will be a uuid.
WITH blog AS (
    SELECT CASE WHEN base.name = 'uuid' THEN 'uuid' WHEN base.name IN ('smallint', 'integer', 'bigint') THEN 'bigint'
           ELSE 'text' END AS wanted
    FROM pg_attribute AS a
    JOIN pg_type AS t ON t.oid = a.atttypid,
    LATERAL (SELECT format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL) AS name) AS base
    WHERE a.attrelid = to_regclass(%(posts)s) AND a.attname = %(id)s AND NOT a.attisdropped
)
SELECT ours.table_name, ours.column_name, blog.wanted, a.attname IS NOT NULL AS present
FROM blog, (VALUES ('prompts', 'post_id'), ('prompts', 'published_post_id'), ('post_writes', 'post_id'))
    AS ours (table_name, column_name)
LEFT JOIN pg_attribute AS a ON a.attrelid = to_regclass(format('%%I.%%I', %(schema)s::text, ours.table_name))
    AND a.attname = ours.column_name AND NOT a.attisdropped
WHERE coalesce(format_type(a.atttypid, NULL), 'uuid') <> blog.wanted

-- name: dependents
-- What keeps PostgreSQL from giving a column of ours another type: views, policies, functions, publications that name it.
SELECT DISTINCT CASE WHEN r.ev_class <> d.refobjid THEN pg_describe_object('pg_class'::regclass, r.ev_class, 0)
                ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS name
FROM pg_depend AS d
JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(%(table_name)s) AND a.attname = %(column_name)s
  AND d.classid IN ('pg_rewrite'::regclass, 'pg_policy'::regclass, 'pg_proc'::regclass, 'pg_publication_rel'::regclass)
ORDER BY name
