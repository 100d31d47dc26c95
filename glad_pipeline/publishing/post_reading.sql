-- Parts of statements of `post_reading.py`. The posts are `p`, under the blog's own names; `d.shown` is the
-- address of the picture that a post shows, `d.alt` what is to be seen on it, `d.data` what is noted of it, and `d.metadata`
-- the post's own.

-- name: was_taken_down
CASE WHEN {public} THEN false
     ELSE EXISTS (SELECT FROM takedowns WHERE subject = 'post:' || {id}::text) END AS was_taken_down

-- name: one
SELECT {post} AS post, {at}::text AS at, {id}::text AS id, {public} AS is_public, {token}::text AS preview_token, {taken}
FROM {table} AS p {beside} WHERE {slug} = %(slug)s ORDER BY {public} DESC LIMIT 1

-- name: cover
-- As `json_build_object` three times over would make it, in half the time.
('{{"data" : {{"attributes" : {{"url" : ' || coalesce(to_json(d.shown)::text, 'null')
    || ', "alternativeText" : ' || coalesce(to_json(d.alt)::text, 'null') || '}}}}}}')::json

-- name: picture
-- jsonb keeps `avif` before `webp`: the order in which a browser is to be offered them.
CASE WHEN d.shown IS NOT NULL THEN json_build_object(
    'url', d.shown,
    'width', CASE jsonb_typeof(d.data -> 'width') WHEN 'number' THEN d.data -> 'width' END,
    'height', CASE jsonb_typeof(d.data -> 'height') WHEN 'number' THEN d.data -> 'height' END,
    'alt', d.alt,
    'placeholder', CASE WHEN starts_with(d.data ->> 'placeholder', 'data:image/') THEN d.data -> 'placeholder' END,
    'sizes', {sizes}::text,
    'srcset', CASE jsonb_typeof(d.data -> 'srcset') WHEN 'object' THEN d.data -> 'srcset' ELSE '{{}}' END)
END

-- name: data_of_the_post
-- Of this picture, and not of one that the post showed before. OFFSET: so that it is read once, and not for each part.
-- `d.metadata`, with `#>` a copy, is so unpacked once.
LEFT JOIN LATERAL (
    SELECT n.metadata, n.shown, {alt} AS alt, CASE WHEN n.data ->> 'url' = n.shown THEN n.data END AS data
    FROM (SELECT m.metadata, {shown} AS shown, ({data})::jsonb AS data
          FROM (SELECT {metadata} AS metadata OFFSET 0) AS m OFFSET 0) AS n
    OFFSET 0) AS d ON true

-- name: data_of_the_catalogue
-- The same of a picture of ours, at whatever address.
LEFT JOIN LATERAL (
    SELECT {shown} AS shown, {alt} AS alt, (
        SELECT jsonb_build_object('width', i.width, 'height', i.height, 'placeholder', i.placeholder, 'srcset',
            (SELECT jsonb_object_agg(s.kind, s.srcset)
             FROM (SELECT r.kind, string_agg(left({url}, strpos({url}, left(i.key, -4)) - 1) || r.key || ' ' || r.width || 'w',
                                             ', ' ORDER BY r.width) AS srcset
                   FROM renditions AS r WHERE r.image_id = i.id AND r.kind <> 'social' GROUP BY r.kind) AS s))
        FROM images AS i
        WHERE i.key = substring({url} FROM {stem}) || '.png' AND i.removed_at IS NULL) AS data
    OFFSET 0) AS d ON true

-- name: alt_of_media
(SELECT m.alt_text FROM media AS m WHERE m.post_id = {id} AND m.url = {url} LIMIT 1)

-- name: about
-- A picture of ours is known by the key in its address, whatever stands before that.
SELECT {public} AS is_public, {taken}, i.id IS NOT NULL AS is_ours, i.removed_at IS NOT NULL AS was_removed,
       d.shown AS url, d.alt, i.width, i.height, i.created_at AS drawn_at, i.model, i.recipe ->> 'prompt' AS prompt
FROM {table} AS p {beside}
LEFT JOIN images AS i ON i.key = substring(d.shown FROM {stem}) || '.png'
WHERE {slug} = %(slug)s ORDER BY {public} DESC LIMIT 1
