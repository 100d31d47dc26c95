-- Whoever waits for prompts need not ask again and again: LISTEN glad_prompt_events.

-- One empty notification for each transaction that moves a prompt, whatever it moves: what has happened is read from
-- `prompt_events`. An UPDATE that moves nothing, a lease that is renewed say, notifies nobody. Where nobody listens it is
-- dropped. Commits that notify are made one after the other by the server.
CREATE FUNCTION prompt_events_notify() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM noted) THEN
        PERFORM pg_notify('glad_prompt_events', '');
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER prompt_events_notify AFTER INSERT ON prompt_events
    REFERENCING NEW TABLE AS noted
    FOR EACH STATEMENT EXECUTE FUNCTION prompt_events_notify();
