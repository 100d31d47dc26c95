-- Statements of `store_check.py`.

-- name: lock
-- Who writes this key into a store that would overwrite it; freed at the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('glad put ' || %(key)s, 0))
