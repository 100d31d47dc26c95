-- Statements of `addresses.py`. A picture of ours on a post is known by its key, which its address ends with.

-- name: featured_bases
-- What precedes the keys of our pictures on posts, and how often.
SELECT base, count(*) AS found
FROM (SELECT left(featured_image_url, strpos(featured_image_url, '/generated/') - 1) AS base,
             substr(featured_image_url, strpos(featured_image_url, '/generated/') + 1, 45) || '.png' AS key
      FROM {posts} AS p WHERE strpos(featured_image_url, '/generated/') > 0) AS shown
JOIN images USING (key)
GROUP BY base ORDER BY found DESC, base LIMIT %(limit)s

-- name: cover_bases
-- The same of covers that are other pictures than the one in the post; asked where posts have such a column.
SELECT base, count(*) AS found
FROM (SELECT left(cover_image_url, strpos(cover_image_url, '/generated/') - 1) AS base,
             substr(cover_image_url, strpos(cover_image_url, '/generated/') + 1, 45) || '.png' AS key
      FROM {posts} AS p
      WHERE strpos(cover_image_url, '/generated/') > 0 AND cover_image_url IS DISTINCT FROM featured_image_url) AS shown
JOIN images USING (key)
GROUP BY base ORDER BY found DESC, base LIMIT %(limit)s

-- name: sample
-- What some published posts show, drawn by lot.
SELECT coalesce(to_jsonb(p) ->> 'slug', p.id::text) AS slug, p.featured_image_url AS featured,
       to_jsonb(p) ->> 'cover_image_url' AS cover
FROM (SELECT id FROM {posts} AS s
      WHERE strpos(featured_image_url, '/generated/') > 0 ORDER BY random() LIMIT %(limit)s) AS picked
JOIN {posts} AS p ON p.id = picked.id
WHERE coalesce(to_jsonb(p) ->> 'status', 'published') = 'published'

-- name: all
-- What all of them show.
SELECT coalesce(to_jsonb(p) ->> 'slug', p.id::text) AS slug, p.featured_image_url AS featured,
       to_jsonb(p) ->> 'cover_image_url' AS cover
FROM {posts} AS p
WHERE strpos(p.featured_image_url, '/generated/') > 0
  AND coalesce(to_jsonb(p) ->> 'status', 'published') = 'published'

-- name: no_idle_limit
-- The stream waits while addresses are visited.
SET LOCAL idle_in_transaction_session_timeout = 0
