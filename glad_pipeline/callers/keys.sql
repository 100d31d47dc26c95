-- name: one_at_a_time
-- Keys are made one after the other with those that are revoked: none comes of a key that is.
SELECT pg_advisory_xact_lock(1735156085)

-- name: make
-- Of a key that is over none is made.
INSERT INTO api_keys (name, scopes, hash, made_by, expires_at)
SELECT %(name)s, %(scopes)s, %(hash)s, maker.id, least(%(expires_at)s::timestamptz, maker.expires_at)  -- NULL: never
FROM (SELECT) AS one LEFT JOIN api_keys AS maker ON maker.id = %(made_by)s
WHERE %(made_by)s::bigint IS NULL OR maker.revoked_at IS NULL
ON CONFLICT (name) DO NOTHING
RETURNING {columns}

-- name: named
SELECT FROM api_keys WHERE name = %(name)s

-- name: revoke
-- With those that it has made, and so on.
WITH RECURSIVE ended AS (
    SELECT id FROM api_keys WHERE name = %(name)s
    UNION SELECT made.id FROM api_keys AS made JOIN ended ON made.made_by = ended.id
)
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id IN (SELECT id FROM ended)
RETURNING {columns}

-- name: log_out
-- The sessions that were opened with these keys.
DELETE FROM api_sessions WHERE key_id = ANY(%(ids)s)

-- name: rotate
UPDATE api_keys SET hash = %(hash)s, old_hash = CASE WHEN %(grace)s > interval '0' THEN hash END,
    old_until = CASE WHEN %(grace)s > interval '0' THEN now() + %(grace)s END
WHERE name = %(name)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
  AND (%(by)s::bigint IS NULL OR %(by)s IN (id, made_by))
RETURNING {columns}

-- name: list
SELECT {columns} FROM api_keys ORDER BY id

-- name: caller
-- The key that this hash is of, where it opens something; its last use is noted to within a minute.
WITH found AS (
    SELECT id, name, scopes, last_used_at FROM api_keys
    WHERE (hash = %(hash)s OR (old_hash = %(hash)s AND old_until > now()))
      AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
), used AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT id FROM found WHERE last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT id, name, scopes FROM found
