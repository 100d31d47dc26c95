-- What runs have done with prompts and Dagster does not tell yet. A run notes it in the transaction that does it, and
-- removes it when Dagster has it; of a run that died between the two, the next one reports it.
CREATE TABLE run_reports (
    prompt_id bigint NOT NULL,
    published boolean NOT NULL,                  -- false: it was rejected, or drawing it failed
    run_id    text NOT NULL,                     -- the Dagster run whose report this belongs into
    reason    text,                              -- why it was put aside
    since     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (prompt_id, published)
);

-- For the sensor's look: however many were put aside by jobs without a check.
CREATE INDEX run_reports_published ON run_reports (run_id) WHERE published;
