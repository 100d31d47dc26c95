-- Indexes on the blog's posts. CREATE INDEX CONCURRENTLY cannot stand in a transaction, hence not in a DO block either:
-- this query decides, and the migration runs what it answers.

-- name: plan
-- For each index we want and do not have: the statements that build it, or a note why it is left out.
WITH wanted (name, columns, definition) AS (
    VALUES
        ('idx_posts_status_created', ARRAY['status', 'created_at'], '(status, created_at DESC)'),
        ('idx_posts_category', ARRAY['category_id'], '(category_id)'),
        ('idx_posts_author', ARRAY['author_id'], '(author_id)')
),
posts AS (
    SELECT c.oid, c.relkind, n.nspname, pg_has_role(c.relowner, 'USAGE') AS is_ours, pg_get_userbyid(c.relowner) AS owner
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass('posts')
),
present AS (
    SELECT c.relname AS name, i.indisvalid AS is_valid, i.indisunique AS is_unique,
           substring(pg_get_indexdef(i.indexrelid) FROM ' USING (.*)$') AS definition
    FROM posts
    JOIN pg_index i ON i.indrelid = posts.oid
    JOIN pg_class c ON c.oid = i.indexrelid
),
judged AS (
    SELECT
        wanted.*, posts.*,
        format('%I.%I', posts.nspname, wanted.name) AS index_name,
        -- what a build of ours that was cut short leaves behind
        EXISTS (SELECT FROM present p
                WHERE p.name = wanted.name AND NOT p.is_valid AND NOT p.is_unique
                  AND p.definition = 'btree ' || wanted.definition) AS is_half_built
    FROM wanted, posts
    WHERE NOT EXISTS (SELECT FROM present p
                      WHERE p.is_valid AND NOT p.is_unique AND p.definition = 'btree ' || wanted.definition)
      AND NOT EXISTS (SELECT FROM unnest(wanted.columns) AS needed
                      WHERE needed NOT IN (SELECT attname FROM pg_attribute
                                           WHERE attrelid = posts.oid AND attnum > 0 AND NOT attisdropped))
),
noted AS (
    SELECT *, CASE
        WHEN relkind = 'p' THEN format('%s was not built: posts is partitioned; build it on each partition', name)
        WHEN relkind <> 'r' THEN format('%s was not built: posts is not a table', name)
        WHEN NOT is_ours THEN format('%s was not built: posts belongs to %s', name, owner)
        WHEN NOT is_half_built AND to_regclass(index_name) IS NOT NULL
            THEN format('%s was not built: the name is taken by something else', name)
        END AS note
    FROM judged
)
SELECT name, note, CASE WHEN note IS NULL THEN
    CASE WHEN is_half_built THEN ARRAY[format('DROP INDEX CONCURRENTLY IF EXISTS %s', index_name)] ELSE '{}' END
    || format('CREATE INDEX CONCURRENTLY %I ON %s %s', name, oid::regclass, definition)
    END AS statements
FROM noted
ORDER BY name;
