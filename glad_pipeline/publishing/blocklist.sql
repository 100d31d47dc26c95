-- Statements of `blocklist.py`: recipes whose picture was taken down.

-- name: hold_off
-- Shared by all who catalogue and publish; a takedown has it alone.
SELECT pg_advisory_xact_lock_shared(%(lock)s)

-- name: alone
SELECT pg_advisory_xact_lock(%(lock)s)

-- name: blocked
SELECT recipe_hash, reason FROM barred_recipes WHERE recipe_hash = ANY(%(hashes)s)

-- name: blocked_beginnings
SELECT left(recipe_hash, 32) AS name FROM barred_recipes WHERE left(recipe_hash, 32) = ANY(%(names)s)

-- name: block
-- The first reason stays.
INSERT INTO barred_recipes (recipe_hash, reason) VALUES (%(recipe_hash)s, %(reason)s) ON CONFLICT DO NOTHING

-- name: unblock
DELETE FROM barred_recipes WHERE recipe_hash = %(recipe_hash)s
