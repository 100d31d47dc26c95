-- Statements of `shown.py`.

-- name: shown
-- What these posts show. A picture of ours is known by its key, and with it what its prompt had replaced by it; where that
-- one is being drawn again, or is gone, what the last prompt that has replaced anything on this post had.
SELECT p.id, p.url, p.alt_text, i.id IS NOT NULL AS is_ours, q.replaced_image_url, q.replaced_alt_text
FROM (SELECT posts.id, coalesce(to_jsonb(posts) ->> 'featured_image_url', '') AS url,
             to_jsonb(posts) #>> %(alt_text_at)s::text[] AS alt_text
      FROM {posts} AS posts WHERE posts.id = ANY(%(ids)s)) AS p
LEFT JOIN images AS i ON i.key = substring(p.url FROM %(stem)s) || '.png'
LEFT JOIN LATERAL (
    SELECT replaced_image_url, replaced_alt_text FROM prompts
    WHERE i.id IS NOT NULL AND published_post_id = p.id AND (image_id = i.id OR replaced_image_url IS NOT NULL)
    ORDER BY image_id IS NOT DISTINCT FROM i.id DESC, published_at DESC NULLS LAST LIMIT 1) AS q ON true
