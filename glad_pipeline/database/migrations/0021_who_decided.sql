-- Who has decided about a prompt, who has made a key, keys with another secret, and what long works have come to.

-- The API key that had it done, by the name that `glad.actor` has for the transaction; NULL: a run's, the terminal's or
-- another client's doing, or not known. Two statements: what happened before has nobody's name.
ALTER TABLE prompt_events ADD COLUMN actor text;
ALTER TABLE prompt_events ALTER COLUMN actor SET DEFAULT nullif(current_setting('glad.actor', true), '');

ALTER TABLE api_keys
    ADD COLUMN made_by bigint REFERENCES api_keys,    -- it is revoked with that key; NULL: made at a terminal
    ADD COLUMN old_hash bytea UNIQUE CHECK (octet_length(old_hash) = 32),  -- of the secret before the last rotation,
    ADD COLUMN old_until timestamptz,                 -- which opens the same until then
    ADD CONSTRAINT old_secrets_end CHECK ((old_hash IS NULL) = (old_until IS NULL));
CREATE INDEX api_keys_made_by ON api_keys (made_by) WHERE made_by IS NOT NULL;

-- Long works of all gateways that have ended, the newest fifty.
CREATE TABLE gateway_jobs (
    id         text PRIMARY KEY,
    kind       text NOT NULL,
    actor      text NOT NULL,                         -- the name of the key
    state      text NOT NULL CHECK (state IN ('done', 'failed')),
    started_at timestamptz NOT NULL,
    ended_at   timestamptz NOT NULL,
    progress   text,
    result     json,                                  -- not jsonb: that takes no \u0000
    problem    text,                                  -- why it failed
    status     int                                    -- of a request that fails so
);
