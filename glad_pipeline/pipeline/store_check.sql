-- Statements of `store_check.py`.

-- name: stay
-- An upload may take minutes, in which its session says nothing; a machine that has vanished is noticed within half a minute.
SELECT set_config(name, setting, false) FROM (VALUES ('idle_session_timeout', '0'), ('lock_timeout', '600000'),
    ('tcp_keepalives_idle', '10'), ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')) AS ours (name, setting)

-- name: lock
-- Who writes this key into a store that would overwrite it.
SELECT pg_advisory_lock(hashtextextended('glad put ' || %(key)s, 0))

-- name: unlock
SELECT pg_advisory_unlock(hashtextextended('glad put ' || %(key)s, 0)) AS held
