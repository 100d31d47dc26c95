-- Statements of `slots.py`.

-- name: take_slot
-- The first free slot of these: tried one after the other, and none after the one that was had. Held until its session
-- lets go or ends.
SELECT place FROM generate_series(%(first)s::bigint, %(first)s::bigint + %(number)s::bigint - 1) AS place
WHERE pg_try_advisory_lock(%(family)s, place::integer) LIMIT 1
