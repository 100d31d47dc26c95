-- Statements of `post_chunks.py`. The posts are `p`, under the blog's own names.

-- name: days
SELECT d.day::text AS day, count(*) AS posts FROM (SELECT {day} AS day FROM {table} AS p{where}) AS d GROUP BY d.day

-- name: chunk
-- In one text, so that 20,000 posts cost no 20,000 rows; the inner rows are sorted by an index where there is one, and
-- what is skipped is not made JSON of.
SELECT '[' || coalesce(string_agg(row_to_json(c)::text, ','), '') || ']' AS posts
FROM (SELECT {slug} AS slug, {updated_at} AS updated_at, {picture} AS picture
      FROM {table} AS p{where} ORDER BY {order} LIMIT {most} OFFSET %(skip)s) AS c
