-- Statements of `identity.py`: which bucket belongs to this database.

-- name: current
SELECT id, bucket, place, database, database_name, marked, since, probe FROM deployments WHERE current

-- name: known_as
-- A bucket that is, or was, this database's.
SELECT id, bucket, place, database, database_name, marked, since, probe FROM deployments WHERE id = %(id)s

-- name: all
SELECT bucket, place FROM deployments ORDER BY current DESC, since DESC

-- name: begin
-- The first run's; two at once end with the same one. What was begun and came to nothing is begun anew.
INSERT INTO deployments (id, bucket, place, database, database_name, current)
VALUES (%(id)s, %(bucket)s, %(place)s, %(database)s, %(database_name)s, true)
ON CONFLICT (current) WHERE current DO UPDATE SET bucket = excluded.bucket, place = excluded.place,
    database = excluded.database, database_name = excluded.database_name
WHERE NOT deployments.marked

-- name: retire
UPDATE deployments SET current = false WHERE current AND id <> %(id)s

-- name: settle
INSERT INTO deployments (id, bucket, place, database, database_name, current, marked)
VALUES (%(id)s, %(bucket)s, %(place)s, %(database)s, %(database_name)s, true, %(marked)s)
ON CONFLICT (id) DO UPDATE SET bucket = excluded.bucket, place = excluded.place, database = excluded.database,
    database_name = excluded.database_name, current = true, marked = excluded.marked

-- name: remember
UPDATE deployments SET probe = %(probe)s WHERE current

-- name: blog_mark
SELECT blog_mark FROM deployments WHERE current

-- name: remember_blog
UPDATE deployments SET blog_mark = %(mark)s WHERE current
