-- name: make
INSERT INTO api_keys (name, scopes, hash, expires_at)
VALUES (%(name)s, %(scopes)s, %(hash)s,
        least(%(expires_at)s::timestamptz, (SELECT expires_at FROM api_keys WHERE id = %(made_by)s)))  -- NULL: never
ON CONFLICT (name) DO NOTHING
RETURNING {columns}

-- name: revoke
-- With the sessions that were opened with it.
WITH ended AS (
    DELETE FROM api_sessions WHERE key_id = (SELECT id FROM api_keys WHERE name = %(name)s)
)
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE name = %(name)s
RETURNING {columns}

-- name: list
SELECT {columns} FROM api_keys ORDER BY id

-- name: caller
-- The key that this hash is of, where it opens something; its last use is noted to within a minute.
WITH found AS (
    SELECT id, name, scopes, last_used_at FROM api_keys
    WHERE hash = %(hash)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
), used AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT id FROM found WHERE last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT id, name, scopes FROM found
