-- name: version
-- The last migration that was applied.
SELECT version_num AS version FROM glad_alembic_version
