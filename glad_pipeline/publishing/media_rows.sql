-- Statements of `media_rows.py`. A picture of ours is known by its key, which its address ends with; `stem`: its pattern.

-- name: change
-- The post showed another picture of ours before.
UPDATE media SET url = %(url)s, alt_text = %(alt_text)s
WHERE post_id = %(post)s AND EXISTS (
    SELECT FROM images WHERE key = substring(media.url FROM %(stem)s) || '.png')

-- name: add
INSERT INTO media (post_id, url, alt_text) VALUES (%(post)s, %(url)s, %(alt_text)s)

-- name: forget
DELETE FROM media
WHERE post_id = %(post)s AND EXISTS (
    SELECT FROM images WHERE key = substring(media.url FROM %(stem)s) || '.png')
