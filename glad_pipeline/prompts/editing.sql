-- Statements of `editing.py`. What becomes of an edited prompt is decided by the trigger `prompts_redraw_what_is_edited`.
-- {columns}: the fields of `NewPrompt` (records.py) and content_hash; {values}: their parameters.

-- name: locked
-- The prompt, which nobody claims, settles or publishes until this transaction is over.
SELECT * FROM prompts WHERE id = %(id)s FOR UPDATE;

-- name: owner_of
-- Another prompt that has this task_id or idempotency_key, or these very fields.
SELECT id, coalesce(task_id = %(task_id)s, false) AS has_task_id,
       coalesce(idempotency_key = %(idempotency_key)s, false) AS has_key
FROM prompts
WHERE (task_id = %(task_id)s OR idempotency_key = %(idempotency_key)s OR content_hash = %(content_hash)s) AND id <> %(id)s ORDER BY id LIMIT 1;

-- name: write
UPDATE prompts SET ({columns}) = ROW ({values}) WHERE id = %(id)s RETURNING status;

-- name: note_post_version
-- A person asks for its post now: the post that it illustrates is as they know it.
UPDATE prompts AS p SET post_version = (SELECT coalesce(to_jsonb(posts) ->> 'updated_at', '') FROM {posts} AS posts
                                        WHERE posts.id = coalesce(p.post_id, p.published_post_id))
WHERE id = %(id)s;

-- name: aliases
-- As which other lines it is known.
SELECT content_hash FROM prompt_aliases WHERE prompt_id = %(id)s;

-- name: add_alias
-- A line that two prompts were once is known all the same.
INSERT INTO prompt_aliases (content_hash, prompt_id) VALUES (%(content_hash)s, %(id)s) ON CONFLICT DO NOTHING;

-- name: find_post
-- A post by its slug or its id.
SELECT id::text AS id FROM {posts} AS posts
WHERE slug = %(post)s OR id::text IN (%(post)s, lower(%(post)s))
ORDER BY slug = %(post)s DESC, id::text = %(post)s DESC LIMIT 1;
