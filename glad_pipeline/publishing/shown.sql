-- Statements of `shown.py`.

-- name: shown
-- What these posts show. A picture of ours is known by its key, and with it what the last prompt had replaced by it.
SELECT p.id, p.url, i.id IS NOT NULL AS is_ours,
       (SELECT q.replaced_image_url FROM prompts AS q WHERE q.published_post_id = p.id AND q.image_id = i.id
        ORDER BY q.published_at DESC NULLS LAST LIMIT 1) AS replaced
FROM (SELECT posts.id, coalesce(to_jsonb(posts) ->> 'featured_image_url', '') AS url FROM {posts} AS posts
      WHERE posts.id = ANY(%(ids)s)) AS p
LEFT JOIN images AS i ON i.key = substring(p.url FROM 'generated/[0-9a-f]{2}/[0-9a-f]{32}') || '.png'
