-- Parts of statements of `post_labels.py`. The posts are `p`, a category, tag or author is `l`.

-- name: has_linked_tag
EXISTS (SELECT FROM post_tags AS t WHERE t.post_id = {id} AND t.tag_id = {tag})

-- name: name_alone
CASE WHEN {name} <> '' THEN json_build_object('id', NULL, 'name', {name}, 'slug', NULL) END

-- name: tags
(SELECT coalesce(json_agg({tag} ORDER BY l.name), '[]') FROM tags AS l WHERE l.id IN ({ids}))

-- name: named
SELECT {id}::text AS id, CASE WHEN {id} IS NULL THEN {name} END AS name FROM {table} AS p{where}

-- name: counts
SELECT n.id, n.name, count(*) AS posts FROM ({named}) AS n WHERE n.id IS NOT NULL OR n.name IS NOT NULL
GROUP BY n.id, n.name ORDER BY count(*) DESC LIMIT {most}
