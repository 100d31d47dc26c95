-- What `migrate` asks before it changes anything.

-- name: search_path
SELECT current_setting('search_path') AS search_path, current_schema() AS current_schema, current_user AS current_user;

-- name: schema_exists
SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = %(name)s);

-- name: missing_schema_rights
-- The rights we lack to make tables in a schema, as GRANT spells them; NULL if none.
SELECT string_agg(wanted, ', ')
FROM unnest(ARRAY['USAGE', 'CREATE']) AS wanted
WHERE NOT has_schema_privilege(%(name)s, wanted);

-- name: relation
-- The oid of a relation by its quoted name, or NULL.
SELECT to_regclass(%(name)s)::oid;

-- name: names_taken
-- Relations of the schema that carry the names ours will have, as a phrase; NULL if none.
SELECT string_agg(format('%%s %%s', CASE c.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a view' WHEN 'S' THEN 'a sequence'
                                      WHEN 'i' THEN 'an index' WHEN 'c' THEN 'a type' ELSE 'a table' END,
                         quote_ident(c.relname)), ' and ' ORDER BY c.relname)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = ANY(%(names)s);

-- name: try_lock
SELECT pg_try_advisory_lock(%(key)s::bigint);

-- name: lock_holder
-- The server process that holds the migration lock.
SELECT pid
FROM pg_locks
WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = 0 AND objid = %(key)s::bigint::oid
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: our_posts
-- The posts of this schema, where they are those that 0002 has made: no blog that was met has these columns so.
SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = %(schema)s AND c.relname = 'posts' AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
  AND 6 = (SELECT count(*) FROM pg_attribute AS a
           JOIN (VALUES ('tag_ids', 'uuid[]', true), ('view_count', 'integer', true), ('metadata', 'jsonb', true),
                        ('created_at', 'timestamp with time zone', true),
                        ('published_at', 'timestamp with time zone', false),
                        ('image_s3_key', 'character varying(500)', false)) AS w (name, type, not_null)
               ON w.name = a.attname AND w.type = format_type(a.atttypid, a.atttypmod) AND w.not_null = a.attnotnull
           WHERE a.attrelid = c.oid AND NOT a.attisdropped)
