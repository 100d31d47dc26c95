-- What the doctor asks of the database beside what a run asks.

-- name: server
-- The server and this database, in one look.
SELECT current_setting('server_version') AS version,
       current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           AS connections_allowed,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS role_limit,
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS database_limit,
       (SELECT to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') FROM pg_roles
        WHERE rolname = current_user AND isfinite(rolvaliduntil) AND rolvaliduntil < now() + interval '14 days')
           AS expires,
       current_user AS role

-- name: gone
-- Which of these relations of ours are not there.
SELECT name FROM unnest(%(names)s::text[]) AS needed (name) WHERE to_regclass(quote_ident(name)) IS NULL ORDER BY name

-- name: rights
-- Which rights a run needs and this role lacks, of the tables that are there. As database/roles.sql grants them.
SELECT needed.relation, needed.privilege
FROM (VALUES ('prompts', 'SELECT'), ('prompts', 'INSERT'), ('prompts', 'UPDATE'),
             ('images', 'SELECT'), ('images', 'INSERT'), ('images', 'UPDATE'), ('images', 'DELETE'),
             ('outbox', 'SELECT'), ('outbox', 'INSERT'), ('outbox', 'UPDATE'), ('outbox', 'DELETE'),
             ('barred_recipes', 'SELECT'), ('barred_recipes', 'INSERT'), ('barred_recipes', 'DELETE'),
             ('takedowns', 'SELECT'), ('takedowns', 'INSERT'),
             ('post_writes', 'SELECT'), ('post_writes', 'INSERT'), ('post_writes', 'UPDATE'),
             ('deployments', 'SELECT'), ('deployments', 'INSERT'), ('deployments', 'UPDATE'),
             ('run_claims', 'SELECT'), ('run_claims', 'INSERT'), ('run_claims', 'UPDATE'), ('run_claims', 'DELETE'),
             ('run_reports', 'SELECT'), ('run_reports', 'INSERT'), ('run_reports', 'UPDATE'),
             ('run_reports', 'DELETE'),
             ('prompt_aliases', 'SELECT'), ('prompt_aliases', 'INSERT'), ('prompt_aliases', 'UPDATE'),
             ('prompt_aliases', 'DELETE'),
             ('prompt_sources', 'SELECT'), ('prompt_sources', 'INSERT'), ('prompt_sources', 'UPDATE'),
             ('prompt_sources', 'DELETE'),
             ('renditions', 'SELECT'), ('renditions', 'INSERT'), ('renditions', 'UPDATE'), ('renditions', 'DELETE'),
             ('prompt_events', 'SELECT'), ('prompt_events', 'DELETE'),
             ('api_keys', 'SELECT'), ('api_keys', 'INSERT'), ('api_keys', 'UPDATE'),
             ('api_sessions', 'SELECT'), ('api_sessions', 'INSERT'), ('api_sessions', 'DELETE'),
             ('gateway_jobs', 'SELECT'), ('gateway_jobs', 'INSERT'), ('gateway_jobs', 'DELETE')) AS needed (relation, privilege)
WHERE to_regclass(needed.relation) IS NOT NULL
  AND NOT has_table_privilege(to_regclass(needed.relation), needed.privilege)

-- name: switched_off
-- Our triggers that are gone or switched off: without them rows of others break the rules of the queue.
SELECT needed.name
FROM unnest(ARRAY['prompts_keep_the_rules', 'prompts_refuse_the_unreadable', 'prompts_redraw_what_is_edited',
                  'prompts_note_what_happened', 'prompts_keep_limits', 'prompts_note_putting_back',
                  'prompts_refuse_put_back_at', 'prompts_keep_put_back_at'])
     AS needed (name)
WHERE NOT EXISTS (SELECT FROM pg_trigger
                  WHERE tgrelid = to_regclass('prompts') AND tgname = needed.name AND tgenabled <> 'D')

-- name: id_types
-- The types of the columns that hold a post's id, and of that id itself.
SELECT c.relname AS relation, a.attname AS name, format_type(a.atttypid, NULL) AS type
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE NOT a.attisdropped
  AND (c.oid, a.attname) IN ((to_regclass('prompts'), 'post_id'), (to_regclass('prompts'), 'published_post_id'),
                             (to_regclass('post_writes'), 'post_id'))

-- name: queue
-- How many prompts wait for what, and how many of them have failed.
SELECT count(*) FILTER (WHERE status = 'pending') AS pending,
       count(*) FILTER (WHERE status = 'failed') AS failed,
       count(*) FILTER (WHERE status = 'generated' AND coalesce(publish_at, '-infinity'::timestamptz) < now())
           AS due,
       count(*) FILTER (WHERE status = 'claimed' AND lease_expires_at < now()) AS expired,
       (SELECT last_error FROM prompts WHERE status = 'failed' ORDER BY id DESC LIMIT 1) AS why
FROM prompts WHERE status IN ('pending', 'failed', 'generated', 'claimed')
