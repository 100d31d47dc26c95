-- Whoever waits for prompts need not ask again and again: LISTEN glad_prompt_events.

-- One empty notification for each transaction that moves a prompt, whatever it moves: what has happened is read from
-- `prompt_events`. An UPDATE that moves nothing, a lease that is renewed say, notifies nobody. Commits that notify are made
-- one after the other by the server, so only one transaction at a time does: sixteen at once had a fifth of their commits
-- a second otherwise. What the others have moved is seen at the next look, by their listeners' own clock.
CREATE FUNCTION prompt_events_notify() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM noted) AND pg_try_advisory_xact_lock(1735156073) THEN
        PERFORM pg_notify('glad_prompt_events', '');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER prompt_events_notify AFTER INSERT ON prompt_events
    REFERENCING NEW TABLE AS noted
    FOR EACH STATEMENT EXECUTE FUNCTION prompt_events_notify();
