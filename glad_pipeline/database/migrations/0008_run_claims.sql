-- Which Dagster runs have opened a claim on the queue. A run ends its row itself; a row without a living lock is that of
-- a run whose process is gone. Only such runs are ever marked as failed, so that nobody else's is.
CREATE TABLE run_claims (
    token    integer PRIMARY KEY,               -- the claim's, whose advisory lock lives as long as the process
    run_id   text NOT NULL,                     -- the Dagster run
    database text NOT NULL,                     -- which database this is: in a copy of it these runs are another's
    since    timestamptz NOT NULL DEFAULT now()
);
