-- Statements of `intake.py` and `importing.py`. A file is first copied to `incoming`, a table only this transaction sees;
-- every check between its rows, and against what is there already, is made here rather than in Python's memory.
-- {columns}: the fields of `NewPrompt` (records.py) and content_hash; {values}: their parameters.

-- name: begin_staging
-- An import may take as long as it needs, whatever the server's default is.
SET LOCAL statement_timeout = 0;

-- name: create_staging
-- Holds the file's rows until all of them have been checked.
CREATE TEMPORARY TABLE incoming ON COMMIT DROP AS
SELECT 0::bigint AS line, {columns} FROM prompts WITH NO DATA;

-- name: create_fresh
-- Its lines that are not there already, by idempotency_key, task_id or content, now or before an edit. Goes with the table.
CREATE TEMPORARY VIEW fresh AS
SELECT i.* FROM incoming AS i
WHERE NOT EXISTS (SELECT FROM prompts AS same WHERE same.content_hash = i.content_hash)
  AND NOT EXISTS (SELECT FROM prompt_aliases AS other WHERE other.content_hash = i.content_hash)
  AND NOT EXISTS (SELECT FROM prompts AS same WHERE same.task_id = i.task_id)
  AND NOT EXISTS (SELECT FROM prompts AS same WHERE same.idempotency_key = i.idempotency_key);

-- name: copy_staging
-- Streams the file's good rows in.
COPY incoming ({columns}, line) FROM STDIN;

-- name: analyze_staging
-- Tells the planner how much there is: autovacuum never sees a temporary table.
ANALYZE incoming;

-- name: one_at_a_time
-- Two imports decide one after the other what is new, so that the second sees the first one's rows. Runs are not held up.
SELECT pg_advisory_xact_lock(7020191120016);

-- name: take_out_known
-- Takes out what is there already by plain SQL, which gives a row no hash and changes none: an export of it may come back.
DELETE FROM incoming USING prompts
WHERE prompts.prompt = incoming.prompt AND prompts.seed = incoming.seed
  AND prompts.content_hash IS DISTINCT FROM incoming.content_hash
  AND to_jsonb(prompts) @> (to_jsonb(incoming) - 'line' - 'content_hash');

-- name: take_out
-- Takes these lines out.
DELETE FROM incoming WHERE line = ANY(%(lines)s) RETURNING line, {columns};

-- name: task_ids_twice
-- Lines that repeat an earlier line's task_id with other fields.
SELECT line, task_id AS value, first_line, count(*) OVER () AS faults
FROM (SELECT line, task_id, content_hash,
             first_value(line) OVER earliest AS first_line, first_value(content_hash) OVER earliest AS first_hash
      FROM incoming WHERE task_id IS NOT NULL
      WINDOW earliest AS (PARTITION BY task_id ORDER BY line)) AS grouped
WHERE content_hash <> first_hash
ORDER BY line LIMIT %(limit)s;

-- name: keys_twice
-- Lines that repeat an earlier line's idempotency_key with other fields.
SELECT line, idempotency_key AS value, first_line, count(*) OVER () AS faults
FROM (SELECT line, idempotency_key, content_hash,
             first_value(line) OVER earliest AS first_line, first_value(content_hash) OVER earliest AS first_hash
      FROM incoming WHERE idempotency_key IS NOT NULL
      WINDOW earliest AS (PARTITION BY idempotency_key ORDER BY line)) AS grouped
WHERE content_hash <> first_hash
ORDER BY line LIMIT %(limit)s;

-- name: keys_of_prompts
-- Lines whose idempotency_key is that of a prompt which asks for something else. One of plain SQL has no hash, and a seed
-- that nobody asked for.
SELECT i.line, i.idempotency_key AS value, p.id AS prompt_id, count(*) OVER () AS faults
FROM incoming AS i JOIN prompts AS p ON p.idempotency_key = i.idempotency_key
WHERE p.content_hash IS DISTINCT FROM i.content_hash
  AND NOT EXISTS (SELECT FROM prompt_aliases AS other WHERE other.content_hash = i.content_hash AND other.prompt_id = p.id)
  AND NOT (to_jsonb(p) @> (to_jsonb(i) - 'line' - 'content_hash' - 'seed')
           AND i.seed IN (p.seed, ('x' || left(i.content_hash, 8))::bit(32)::bigint))
ORDER BY i.line LIMIT %(limit)s;

-- name: slugs_twice
-- Lines that repeat an earlier line's slug and are another prompt.
SELECT line, slug AS value, first_line, count(*) OVER () AS faults
FROM (SELECT line, slug, coalesce(task_id, content_hash) AS identity,
             first_value(line) OVER earliest AS first_line,
             first_value(coalesce(task_id, content_hash)) OVER earliest AS first_identity
      FROM incoming WHERE slug IS NOT NULL
      WINDOW earliest AS (PARTITION BY slug ORDER BY line)) AS grouped
WHERE identity <> first_identity
ORDER BY line LIMIT %(limit)s;

-- name: slugs_of_prompts
-- New lines whose slug another prompt has. A cancelled prompt holds no slug.
SELECT i.line, i.slug AS value, min(p.id) AS prompt_id, count(*) OVER () AS faults
FROM fresh AS i
JOIN prompts AS p ON p.slug = i.slug AND p.status <> 'cancelled'
GROUP BY i.line, i.slug
ORDER BY i.line LIMIT %(limit)s;

-- name: slugs_of_posts
-- New lines whose slug a post of the blog has, unless that is the very post to illustrate.
SELECT i.line, i.slug AS value, posts.id::text AS post_id, count(*) OVER () AS faults
FROM fresh AS i
JOIN {posts} AS posts ON posts.slug = i.slug AND i.post_id::text IS DISTINCT FROM posts.id::text
ORDER BY i.line LIMIT %(limit)s;

-- name: unknown_posts
-- New lines for a post that the blog does not have.
SELECT i.line, i.post_id::text AS value, count(*) OVER () AS faults
FROM fresh AS i WHERE i.post_id IS NOT NULL AND NOT EXISTS (SELECT FROM {posts} AS posts WHERE posts.id = i.post_id)
ORDER BY i.line LIMIT %(limit)s;

-- name: asks_for_tasks
-- Whether any new line is for a task and nothing else.
SELECT EXISTS (SELECT FROM fresh AS i WHERE i.task_id IS NOT NULL AND i.title IS NULL AND i.post_id IS NULL) AS found;

-- name: for_tasks
-- New lines for a task and nothing else.
SELECT i.line, i.task_id AS value, count(*) OVER () AS faults
FROM fresh AS i WHERE i.task_id IS NOT NULL AND i.title IS NULL AND i.post_id IS NULL
ORDER BY i.line LIMIT %(limit)s;

-- name: unknown_tasks
-- New lines for a task that the blog does not have, and nothing else.
SELECT i.line, i.task_id AS value, count(*) OVER () AS faults
FROM fresh AS i WHERE i.task_id IS NOT NULL AND i.title IS NULL AND i.post_id IS NULL
  AND NOT EXISTS (SELECT FROM content_tasks AS task WHERE task.task_id::text = i.task_id)
ORDER BY i.line LIMIT %(limit)s;

-- name: unknown_uuid_tasks
-- The same where the blog's task ids are uuids, which are written in either case.
SELECT i.line, i.task_id AS value, count(*) OVER () AS faults
FROM fresh AS i WHERE i.task_id IS NOT NULL AND i.title IS NULL AND i.post_id IS NULL
  AND NOT EXISTS (SELECT FROM content_tasks AS task WHERE task.task_id::text = lower(i.task_id))
ORDER BY i.line LIMIT %(limit)s;

-- name: count_differing
-- Lines whose task_id is in the queue already with other fields: they are left as they are there.
SELECT count(*) AS differing FROM incoming AS i
JOIN prompts AS p ON p.task_id = i.task_id AND p.content_hash <> i.content_hash;

-- name: times
-- From when to when its lines are to be published: a person sees in which zone their times were read.
SELECT min(publish_at) AS first_time, max(publish_at) AS last_time FROM incoming;

-- name: insert_staged
-- Adds what is new, once.
INSERT INTO prompts ({columns}) SELECT {columns} FROM fresh
ORDER BY line
ON CONFLICT DO NOTHING;

-- name: same_prompt
-- The prompt that is there already, by task_id or content, as it is now: who asks for what one was before an edit gets it.
SELECT id, {columns} FROM prompts WHERE task_id = %(task_id)s OR content_hash = %(content_hash)s ORDER BY id LIMIT 1;

-- name: ids_of_posts
-- The type of `prompts.post_id`, which follows that of the blog's `posts.id`.
SELECT CASE format_type(atttypid, NULL) WHEN 'uuid' THEN 'uuid' WHEN 'bigint' THEN 'bigint' ELSE 'text' END AS ids
FROM pg_attribute WHERE attrelid = 'prompts'::regclass AND attname = 'post_id';

-- name: owner_of_key
-- The prompt that has this idempotency_key, and whether it is known by that very content, now or before an edit.
SELECT id, coalesce(content_hash = %(content_hash)s, false) OR EXISTS (
           SELECT FROM prompt_aliases AS other WHERE other.content_hash = %(content_hash)s AND other.prompt_id = prompts.id
       ) AS is_known, {columns}
FROM prompts WHERE idempotency_key = %(idempotency_key)s;

-- name: slug_of_prompt
-- The prompt that has this slug already.
SELECT id FROM prompts WHERE slug = %(slug)s AND status <> 'cancelled' ORDER BY id LIMIT 1;

-- name: slug_of_post
-- The post that has this slug already, unless it is the one to illustrate.
SELECT id::text AS id FROM {posts} AS posts WHERE slug = %(slug)s AND id::text IS DISTINCT FROM %(post_id)s::text LIMIT 1;

-- name: insert_one
-- Adds one prompt; none if it is there already.
INSERT INTO prompts ({columns}) VALUES ({values})
ON CONFLICT DO NOTHING RETURNING id;
