-- name: prune
DELETE FROM api_sessions WHERE expires_at < now()

-- name: make_room
DELETE FROM api_sessions WHERE hash IN (
    SELECT hash FROM api_sessions WHERE key_id = %(key_id)s ORDER BY created_at DESC OFFSET %(most)s - 1)

-- name: open
-- Where the key gets another secret at this moment, it is judged by the row as it is then.
INSERT INTO api_sessions (hash, key_id, expires_at)
SELECT %(hash)s, id, least(now() + make_interval(hours => %(hours)s), expires_at,
                           CASE WHEN old_hash = %(shown)s::bytea THEN old_until END) FROM api_keys
WHERE id = %(key_id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
  AND (%(shown)s IS NULL OR hash = %(shown)s OR (old_hash = %(shown)s AND old_until > now()))
FOR KEY SHARE
RETURNING expires_at

-- name: close
DELETE FROM api_sessions WHERE hash = %(hash)s

-- name: caller
-- The key that this session was opened with, while both last; the use of a session is one of its key.
WITH found AS (
    SELECT k.id, k.name, k.scopes, k.last_used_at, s.expires_at FROM api_sessions s JOIN api_keys k ON k.id = s.key_id
    WHERE s.hash = %(hash)s AND s.expires_at > now() AND k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > now())
), used AS (
    UPDATE api_keys SET last_used_at = now()
    WHERE id = (SELECT id FROM found WHERE last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
)
SELECT id, name, scopes, expires_at FROM found
