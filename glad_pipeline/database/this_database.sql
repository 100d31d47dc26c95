-- Statements of `this_database.py`: which database this is.

-- name: this_database
-- The server's and the database's own numbers: a dump that is restored, or a database copied, has others.
SELECT (SELECT system_identifier FROM pg_control_system()) || '/' || oid AS mark
FROM pg_database WHERE datname = current_database()

-- name: this_database_without_its_server
-- Where the server's number may not be read.
SELECT '?/' || oid || '/' || datname AS mark FROM pg_database WHERE datname = current_database()
