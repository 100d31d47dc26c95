-- Two roles for glad_pipeline: who writes rows, and who works them off. Printed by `glad sql roles`; run it after
-- `glad migrate`, again after each migration, as the owner of the tables with CREATEROLE, or as a superuser, with the
-- search path of DATABASE_URL. Nothing is revoked. Neither role can log in: make users of your own and grant it to them,
--
--   CREATE ROLE newsroom LOGIN PASSWORD '…' IN ROLE {writer_name};
--   CREATE ROLE studio LOGIN PASSWORD '…' IN ROLE {pipeline_name};
--
-- and give no other right on `prompts` to who only writes rows. Migrations need the owner of the tables.

DO $roles$
DECLARE
    writer CONSTANT text := {writer};
    pipeline CONSTANT text := {pipeline};
    wanted record;
BEGIN
    FOR wanted IN SELECT name FROM unnest(ARRAY[writer, pipeline]) AS name
                  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
    LOOP
        EXECUTE format('CREATE ROLE %I NOLOGIN', wanted.name);
    END LOOP;
    FOR wanted IN
        SELECT v.role, v.rights, c.oid::regclass AS name
        FROM (VALUES
            -- asks for pictures, and sees what became of each; every other column is the pipeline's
            (writer, 'prompts', 'INSERT (prompt, negative_prompt, prompt_syntax, title, slug, excerpt, content, category, author, alt_text, '
                'task_id, idempotency_key, post_id, seed, width, height, num_inference_steps, guidance_scale, scheduler, preset, model, '
                'model_revision, lora, priority, publish_at, needs_approval, publish, focus, source, "replace", content_hash)'),
            (writer, 'prompts', 'SELECT (id, task_id, idempotency_key, status, attempts, last_error, created_at, publish_at, published_at, '
                'published_post_id)'),
            (writer, 'prompt_events', 'SELECT (prompt_id, id, at, event, detail)'),
            (pipeline, 'prompts', 'SELECT, INSERT, UPDATE'),
            (pipeline, 'prompt_sources', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'prompt_events', 'SELECT, DELETE'),  -- the trigger that writes them is the owner's
            (pipeline, 'images', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'renditions', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'outbox', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'barred_recipes', 'SELECT, INSERT, DELETE'),
            (pipeline, 'takedowns', 'SELECT, INSERT'),
            (pipeline, 'post_writes', 'SELECT, INSERT, UPDATE'),
            (pipeline, 'deployments', 'SELECT, INSERT, UPDATE'),
            (pipeline, 'run_claims', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'prompt_aliases', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'run_reports', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'api_keys', 'SELECT, INSERT, UPDATE'),
            (pipeline, 'api_sessions', 'SELECT, INSERT, DELETE'),
            (pipeline, 'gateway_jobs', 'SELECT, INSERT, DELETE'),
            (pipeline, 'glad_alembic_version', 'SELECT'),
            -- the blog's
            (pipeline, {posts}, 'SELECT, INSERT, UPDATE'),
            (pipeline, 'categories', 'SELECT, INSERT'),
            (pipeline, 'authors', 'SELECT, INSERT'),
            (pipeline, 'media', 'SELECT, INSERT, UPDATE, DELETE'),
            (pipeline, 'content_tasks', 'SELECT, UPDATE'),
            (pipeline, 'tags', 'SELECT'),
            (pipeline, 'post_tags', 'SELECT')
        ) AS v (role, relation, rights)
        JOIN pg_class c ON c.oid = to_regclass(v.relation)
    LOOP
        EXECUTE format('GRANT %s ON %s TO %I', wanted.rights, wanted.name, wanted.role);
    END LOOP;
    FOR wanted IN  -- where the blog's ids come from a sequence
        SELECT d.objid::regclass AS name
        FROM pg_depend d
        JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'a'
          AND d.refobjid IN (to_regclass('categories'), to_regclass('authors'), to_regclass('media'), to_regclass({posts}))
    LOOP
        EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', wanted.name, pipeline);
    END LOOP;
    FOR wanted IN
        SELECT DISTINCT n.nspname AS name
        FROM unnest(ARRAY['prompts', {posts}, 'content_tasks']) AS relation
        JOIN pg_class c ON c.oid = to_regclass(relation)
        JOIN pg_namespace n ON n.oid = c.relnamespace
    LOOP
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', wanted.name, pipeline);
    END LOOP;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I',
        (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'prompts'::regclass), writer);
    EXECUTE format('GRANT USAGE ON SEQUENCE prompt_claim_tokens TO %I', pipeline);
    EXECUTE format('GRANT EXECUTE ON FUNCTION prompts_are_moved_by_us() TO %I', pipeline);  -- else it may move no prompt
    FOR wanted IN  -- what everybody has, unless it was taken away; imports are staged in a temporary table
        SELECT * FROM (VALUES (writer, 'CONNECT'), (pipeline, 'CONNECT'), (pipeline, 'TEMPORARY')) AS v (role, rights)
        WHERE NOT has_database_privilege(role, current_database(), rights)
    LOOP
        EXECUTE format('GRANT %s ON DATABASE %I TO %I', wanted.rights, current_database(), wanted.role);
    END LOOP;
END $roles$;
