-- Posts have ids of type {type} in this blog: the columns of ours that hold one get that type. PostgreSQL retypes no column
-- that a trigger names: those triggers are made anew, as they were.
DO $$
DECLARE
    named record;
    again text[] := '{}';
    statement text;
BEGIN
    FOR named IN
        SELECT DISTINCT t.oid, t.tgrelid::regclass AS relation, t.tgname, t.tgenabled, pg_get_triggerdef(t.oid) AS definition
        FROM pg_trigger AS t
        JOIN pg_depend AS d ON d.classid = 'pg_trigger'::regclass AND d.objid = t.oid AND d.refobjsubid > 0
        JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE t.tgrelid IN ('prompts'::regclass, 'post_writes'::regclass) AND NOT t.tgisinternal
          AND a.attname IN ('post_id', 'published_post_id')
        ORDER BY t.tgname
    LOOP
        again := again || named.definition || CASE named.tgenabled
            WHEN 'D' THEN ARRAY[format('ALTER TABLE %s DISABLE TRIGGER %I', named.relation, named.tgname)]
            WHEN 'R' THEN ARRAY[format('ALTER TABLE %s ENABLE REPLICA TRIGGER %I', named.relation, named.tgname)]
            WHEN 'A' THEN ARRAY[format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', named.relation, named.tgname)]
            ELSE ARRAY[]::text[] END;
        EXECUTE format('DROP TRIGGER %I ON %s', named.tgname, named.relation);
    END LOOP;
    ALTER TABLE prompts
        ALTER COLUMN post_id TYPE {type} USING post_id::text::{type},
        ALTER COLUMN published_post_id TYPE {type} USING published_post_id::text::{type};
    ALTER TABLE post_writes
        ALTER COLUMN post_id TYPE {type} USING post_id::text::{type};
    FOREACH statement IN ARRAY again LOOP
        EXECUTE statement;
    END LOOP;
END $$;
