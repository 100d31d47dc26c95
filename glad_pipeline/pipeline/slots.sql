-- Statements of `slots.py`.

-- name: stay
-- A slot's session says nothing while its run draws; a machine that has vanished is noticed within half a minute.
SELECT set_config(name, setting, false) FROM (VALUES ('idle_session_timeout', '0'), ('tcp_keepalives_idle', '10'),
    ('tcp_keepalives_interval', '5'), ('tcp_keepalives_count', '3')) AS ours (name, setting)

-- name: take_slot
-- The first free slot of these: tried one after the other, and none after the one that was had. Held until its session
-- lets go or ends.
SELECT place FROM generate_series(%(first)s::bigint, %(first)s::bigint + %(number)s::bigint - 1) AS place
WHERE pg_try_advisory_lock(%(family)s, place::integer) LIMIT 1
