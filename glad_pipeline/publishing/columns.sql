-- What the tables of the blog are like.

-- name: columns_of
-- The columns of a table as they are, in this schema: name, type, width of a varchar, and whether a value is owed.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type,
       CASE WHEN a.atttypid IN ('varchar'::regtype, 'bpchar'::regtype) AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS width,
       a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS owed
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
WHERE c.oid = to_regclass(%(table)s) AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
