-- Statements of `gallery.py`: pictures of the catalogue, each with its newest prompt.

-- name: gallery
-- A page, the newest picture first. A picture is `published` where a prompt that has it is; `unused`: no prompt has it.
SELECT i.id, i.key, i.url, i.thumbnail_url, i.width, i.height, i.bytes, i.placeholder, i.model, i.recipe ->> 'preset' AS preset,
       (i.recipe ->> 'seed')::bigint AS seed, i.recipe ->> 'prompt' AS drawn_prompt, i.created_at AS drawn_at, i.seconds,
       i.removed_at, i.removed_reason, p.id AS prompt_id, p.prompt, p.status AS prompt_status, p.title, p.category,
       p.published_post_id::text AS post_id,
       CASE WHEN i.removed_at IS NOT NULL THEN 'removed' WHEN p.status = 'published' THEN 'published'
            WHEN p.status = 'ready' THEN 'ready' WHEN p.status IN ('generated', 'awaiting_approval') THEN 'waiting'
            ELSE 'unused' END AS state,
       coalesce((SELECT jsonb_agg(jsonb_build_object('key', r.key, 'kind', r.kind, 'width', r.width))
                 FROM renditions AS r WHERE r.image_id = i.id), '[]'::jsonb) AS renditions
FROM images AS i
LEFT JOIN LATERAL (SELECT o.* FROM prompts AS o WHERE o.image_id = i.id
                   ORDER BY o.status = 'published' DESC, o.id DESC LIMIT 1) AS p ON true
WHERE (%(before)s::bigint IS NULL OR i.id < %(before)s)
  AND (%(state)s::text IS NULL OR %(state)s = CASE
       WHEN i.removed_at IS NOT NULL THEN 'removed' WHEN p.status = 'published' THEN 'published'
       WHEN p.status = 'ready' THEN 'ready' WHEN p.status IN ('generated', 'awaiting_approval') THEN 'waiting'
       ELSE 'unused' END)
  AND (%(model)s::text IS NULL OR i.model = %(model)s)
  AND (%(other_model)s::text IS NULL OR (i.model, i.model_revision) <> (%(other_model)s, %(other_revision)s::text))
  AND (%(this_model)s::text IS NULL OR (i.model, i.model_revision) = (%(this_model)s, %(this_revision)s::text))
  AND (%(category)s::text IS NULL OR p.category = %(category)s)
  AND (%(since)s::timestamptz IS NULL OR i.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR i.created_at < %(until)s)
  AND (%(text)s::text IS NULL
       OR strpos(lower(concat_ws(E'\n', p.title, p.prompt, i.recipe ->> 'prompt')), lower(%(text)s)) > 0)
ORDER BY i.id DESC LIMIT %(limit)s

-- name: prompts_of
-- The prompts that have a picture, the newest first.
SELECT p.id, p.status, p.source, p.title, p.prompt, p.created_at, p.published_at, p.published_post_id::text AS post_id
FROM prompts AS p WHERE p.image_id = %(id)s ORDER BY p.id DESC LIMIT %(limit)s

-- name: posts
-- These posts, as the blog has them now.
SELECT posts.id::text AS post_id, posts.slug, '/posts/' || posts.slug AS path, posts.title,
       coalesce(to_jsonb(posts) ->> 'status', 'published') AS status, to_jsonb(posts) ->> 'featured_image_url' AS shows
FROM {posts} AS posts WHERE posts.id::text = ANY(%(ids)s)
