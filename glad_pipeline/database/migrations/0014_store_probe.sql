-- What was found of the store, once for each set of options: what it does, and what is to be known of it; and what the
-- blog's schema was like when a post on trial last went through.
ALTER TABLE deployments ADD COLUMN probe jsonb, ADD COLUMN blog_mark text;
