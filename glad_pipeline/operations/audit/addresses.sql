-- Statements of `addresses.py`. A picture of ours on a post is known by its key, which its address ends with; `stem`: its
-- pattern.

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

-- name: data_bases
-- The same of the renditions that a page is told of.
SELECT found[1] AS base, count(*) AS found
FROM {posts} AS p, regexp_matches(p.featured_image_data::jsonb::text,
                                  '([^"[:space:],]*)/(' || %(stem)s || ')', 'g') AS found
JOIN images ON images.key = found[2] || '.png'
GROUP BY base ORDER BY count(*) DESC, base LIMIT %(limit)s

-- name: metadata_bases
-- The same in the metadata of a blog without a column for it.
SELECT found[1] AS base, count(*) AS found
FROM {posts} AS p, regexp_matches((p.metadata::jsonb -> 'featured_image_data')::text,
                                  '([^"[:space:],]*)/(' || %(stem)s || ')', 'g') AS found
JOIN images ON images.key = found[2] || '.png'
GROUP BY base ORDER BY count(*) DESC, base LIMIT %(limit)s

-- name: sample
-- What some published posts show, drawn by lot.
SELECT coalesce(to_jsonb(p) ->> 'slug', p.id::text) AS slug, p.featured_image_url AS featured,
       to_jsonb(p) ->> 'cover_image_url' AS cover,
       substring(coalesce(to_jsonb(p) #> ARRAY['featured_image_data', 'srcset'],
                          to_jsonb(p) #> ARRAY['metadata', 'featured_image_data', 'srcset'])::text
                 FROM '[^"[:space:],]+/generated/[^"[:space:],]+') AS rendition
FROM (SELECT id FROM {posts} AS s
      WHERE (strpos(s.featured_image_url, '/generated/') > 0 OR strpos(to_jsonb(s) ->> 'cover_image_url', '/generated/') > 0)
        AND coalesce(to_jsonb(s) ->> 'status', 'published') = 'published'
      ORDER BY random() LIMIT %(limit)s) AS picked
JOIN {posts} AS p ON p.id = picked.id

-- name: all
-- What all of them show.
SELECT coalesce(to_jsonb(p) ->> 'slug', p.id::text) AS slug, p.featured_image_url AS featured,
       to_jsonb(p) ->> 'cover_image_url' AS cover,
       substring(coalesce(to_jsonb(p) #> ARRAY['featured_image_data', 'srcset'],
                          to_jsonb(p) #> ARRAY['metadata', 'featured_image_data', 'srcset'])::text
                 FROM '[^"[:space:],]+/generated/[^"[:space:],]+') AS rendition
FROM {posts} AS p
WHERE (strpos(p.featured_image_url, '/generated/') > 0 OR strpos(to_jsonb(p) ->> 'cover_image_url', '/generated/') > 0)
  AND coalesce(to_jsonb(p) ->> 'status', 'published') = 'published'

-- name: no_idle_limit
-- The stream waits while addresses are visited.
SET LOCAL idle_in_transaction_session_timeout = 0
