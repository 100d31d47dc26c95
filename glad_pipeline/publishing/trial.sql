-- Statements of `trial.py`, inside a savepoint that is rolled back.

-- name: not_long
-- Who holds a lock on the blog's posts is not waited for.
SET LOCAL lock_timeout = '1s'

-- name: seen
SELECT to_jsonb(posts) ->> 'status' AS status, featured_image_url FROM {posts} AS posts WHERE id = %(post)s FOR UPDATE

-- name: mark
-- Everything by which the server decides about a post of this user's, as one digest: relations (those behind a view
-- too), columns, constraints, triggers with their functions, rules, policies, sequences and rights.
WITH RECURSIVE used AS (
    SELECT c.oid FROM unnest(%(relations)s::text[]) AS w (name) JOIN pg_class AS c ON c.oid = to_regclass(w.name)
    UNION
    SELECT d.refobjid FROM used
    JOIN pg_rewrite AS r ON r.ev_class = used.oid
    JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
), parts (said) AS (
    SELECT concat_ws(' ', c.oid, c.relkind, c.relowner, c.relacl, c.relrowsecurity, c.relforcerowsecurity)
    FROM used JOIN pg_class AS c USING (oid)
    UNION ALL
    SELECT concat_ws(' ', a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated,
                     a.attidentity, a.attacl, pg_get_expr(f.adbin, f.adrelid), t.typnotnull, t.typdefault)
    FROM used JOIN pg_attribute AS a ON a.attrelid = used.oid AND a.attnum > 0
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_attrdef AS f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
    UNION ALL
    SELECT concat_ws(' ', k.conrelid, k.conname, k.convalidated, pg_get_constraintdef(k.oid))
    FROM used JOIN pg_constraint AS k ON k.conrelid = used.oid
    UNION ALL
    SELECT concat_ws(' ', k.contypid, k.conname, pg_get_constraintdef(k.oid))
    FROM used JOIN pg_attribute AS a ON a.attrelid = used.oid AND a.attnum > 0
    JOIN pg_constraint AS k ON k.contypid = a.atttypid AND k.contypid <> 0
    UNION ALL
    SELECT concat_ws(' ', i.indexrelid, pg_get_indexdef(i.indexrelid)) FROM used JOIN pg_index AS i ON i.indrelid = used.oid AND i.indisunique
    UNION ALL
    SELECT concat_ws(' ', t.tgrelid, t.tgenabled, pg_get_triggerdef(t.oid), p.proowner, p.prosecdef, p.proconfig, md5(p.prosrc))
    FROM used JOIN pg_trigger AS t ON t.tgrelid = used.oid JOIN pg_proc AS p ON p.oid = t.tgfoid
    UNION ALL
    SELECT concat_ws(' ', r.ev_class, r.ev_enabled, pg_get_ruledef(r.oid)) FROM used JOIN pg_rewrite AS r ON r.ev_class = used.oid
    UNION ALL
    SELECT concat_ws(' ', p.polrelid, p.polname, p.polcmd, p.polpermissive, p.polroles, pg_get_expr(p.polqual, p.polrelid),
                     pg_get_expr(p.polwithcheck, p.polrelid))
    FROM used JOIN pg_policy AS p ON p.polrelid = used.oid
    UNION ALL
    SELECT concat_ws(' ', s.oid, s.relowner, s.relacl)
    FROM used JOIN pg_attrdef AS f ON f.adrelid = used.oid
    JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class AS s ON s.oid = d.refobjid AND s.relkind = 'S'
    UNION ALL
    SELECT concat_ws(' ', m.roleid) FROM pg_auth_members AS m WHERE m.member = current_user::regrole
    UNION ALL
    SELECT concat_ws(' ', current_user, r.rolsuper, r.rolbypassrls, %(said)s::jsonb) FROM pg_roles AS r WHERE r.rolname = current_user
)
SELECT md5(string_agg(said, E'\n' ORDER BY said COLLATE "C")) FROM parts

-- name: judge
-- Constraints that the blog defers to the end of a transaction.
SET CONSTRAINTS ALL IMMEDIATE
