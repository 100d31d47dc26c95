-- What was found of the store, once for each set of options: what it does, and what is to be known of it.
ALTER TABLE deployments ADD COLUMN probe jsonb;
