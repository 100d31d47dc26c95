-- Statements of `blog_schema.py`: the blog's tables as they are, by PostgreSQL's own catalogues.

-- name: relations
-- Each of these relations that there is, with everything that decides whether and how we may write it, in one answer.
SELECT w.name, n.nspname AS schema, c.relname AS relation, c.relkind::text AS kind, current_user::text AS "user",
       EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A')
               AND t.tgtype & 7 = 7) AS fills_rows,  -- for each row, before, INSERT
       pg_relation_is_updatable(c.oid, true) & 8 <> 0 AS takes_inserts,
       pg_relation_is_updatable(c.oid, true) & 4 <> 0 AS takes_updates,
       pg_relation_is_updatable(c.oid, true) & 16 <> 0 AND has_table_privilege(c.oid, 'DELETE') AS takes_deletes,
       (SELECT coalesce(array_agg(m.nspname::text ORDER BY array_position(current_schemas(false), m.nspname)), '{}')
        FROM pg_class AS d JOIN pg_namespace AS m ON m.oid = d.relnamespace
        WHERE d.relname = c.relname AND d.oid <> c.oid AND d.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND m.nspname = ANY(current_schemas(false))) AS also_in,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'name', a.attname,
                   'type', format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE t.oid END, NULL),
                   'declared', format_type(a.atttypid, a.atttypmod),
                   'width', CASE WHEN coalesce(nullif(t.typbasetype, 0), t.oid) IN ('varchar'::regtype, 'bpchar'::regtype)
                                 AND greatest(a.atttypmod, t.typtypmod) > 4
                                 THEN greatest(a.atttypmod, t.typtypmod) - 4 END,
                   'not_null', a.attnotnull OR t.typnotnull,
                   'has_default', a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL,
                   'computed', a.attgenerated <> '' OR a.attidentity = 'a',
                   'identity', a.attidentity <> '',
                   'labels', (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e
                              WHERE e.enumtypid = coalesce(nullif(t.typbasetype, 0), t.oid)),
                   'may_insert', has_column_privilege(c.oid, a.attnum, 'INSERT'),
                   'may_update', has_column_privilege(c.oid, a.attnum, 'UPDATE'),
                   'may_select', has_column_privilege(c.oid, a.attnum, 'SELECT')) ORDER BY a.attnum), '[]')
        FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
       (SELECT coalesce(jsonb_agg(jsonb_build_object(
                   'name', k.conname, 'definition', pg_get_constraintdef(k.oid),
                   'expression', pg_get_expr(k.conbin, k.conrelid),
                   'columns', (SELECT jsonb_agg(a.attname) FROM pg_attribute AS a
                               WHERE a.attrelid = c.oid AND a.attnum = ANY(k.conkey))) ORDER BY k.conname), '[]')
        FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype = 'c') AS checks
FROM jsonb_to_recordset(%(wanted)s) AS w (name text, relation text)
JOIN pg_class AS c ON c.oid = to_regclass(w.relation)
JOIN pg_namespace AS n ON n.oid = c.relnamespace

-- name: kept_ids
-- The type in which our table keeps ids of posts; none before the first migration.
SELECT format_type(atttypid, NULL) AS type FROM pg_attribute
WHERE attrelid = to_regclass('prompts') AND attname = 'post_id' AND NOT attisdropped

-- name: elsewhere
-- Schemas that have a relation of this name although no statement of ours finds it, and whether we may look into each.
SELECT n.nspname AS schema, has_schema_privilege(n.oid, 'USAGE') AS may_use, current_user::text AS "user"
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = %(relation)s AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_temp%%'
ORDER BY n.nspname

-- name: sequence
-- The sequence that numbers a column, whether we may use it, and what it gives next.
SELECT format('%%I.%%I', n.nspname, c.relname) AS name, has_sequence_privilege(c.oid, 'USAGE') AS may_use,
       CASE WHEN has_sequence_privilege(c.oid, 'SELECT, USAGE')
            THEN coalesce(pg_sequence_last_value(c.oid::regclass) + s.seqincrement, s.seqstart) END AS next
FROM pg_attribute AS a,
LATERAL (SELECT d.refobjid AS oid
         FROM pg_attrdef AS f JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
         WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum AND d.refclassid = 'pg_class'::regclass
         UNION
         SELECT d.objid FROM pg_depend AS d
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
           AND d.classid = 'pg_class'::regclass AND d.deptype = 'i') AS of
JOIN pg_class AS c ON c.oid = of.oid AND c.relkind = 'S'
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_sequence AS s ON s.seqrelid = c.oid
WHERE a.attrelid = to_regclass(%(relation)s) AND a.attname = %(column)s
