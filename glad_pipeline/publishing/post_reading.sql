-- Parts of statements of `post_reading.py`. The posts are `p`, under the blog's own names.

-- name: was_taken_down
CASE WHEN {public} THEN false
     ELSE EXISTS (SELECT FROM takedowns WHERE subject = 'post:' || {id}::text) END AS was_taken_down

-- name: of_media
(SELECT m.alt_text FROM media AS m WHERE m.post_id = {id} AND m.url = {url} LIMIT 1)

-- name: of_the_catalogue
-- What other blogs have in their posts (`PublicPicture.data`), of a picture of ours at whatever address.
LEFT JOIN LATERAL (
    SELECT jsonb_build_object('url', {url}, 'width', i.width, 'height', i.height, 'placeholder', i.placeholder, 'srcset',
        (SELECT jsonb_object_agg(s.kind, s.srcset)
         FROM (SELECT r.kind, string_agg(left({url}, strpos({url}, left(i.key, -4)) - 1) || r.key || ' ' || r.width || 'w',
                                         ', ' ORDER BY r.width) AS srcset
               FROM renditions AS r WHERE r.image_id = i.id AND r.kind <> 'social' GROUP BY r.kind) AS s)) AS data
    FROM images AS i
    WHERE i.key = substring({url} FROM {stem}) || '.png' AND i.removed_at IS NULL) AS c ON true
