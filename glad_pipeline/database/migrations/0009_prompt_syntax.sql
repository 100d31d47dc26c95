-- How brackets in a prompt are read: as text (`plain`), or as weights as AUTOMATIC1111's web UI has them (`a1111`). Null: as
-- the settings of the run say.
ALTER TABLE prompts ADD COLUMN prompt_syntax text;

-- As before, with this column among the texts.
CREATE OR REPLACE FUNCTION prompts_refuse_the_unreadable() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    bytes bigint;
BEGIN
    IF NEW.id < 1 THEN
        RAISE EXCEPTION 'id is %: it has to be 1 or more', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'id_is_positive', HINT = 'Leave id out of the INSERT.';
    END IF;
    IF NOT (NEW.created_at >= '1900-01-01' AND NEW.created_at < '9999-01-01') THEN
        RAISE EXCEPTION 'created_at is %: it has to be from 1900 to 9998', NEW.created_at
            USING ERRCODE = 'check_violation', CONSTRAINT = 'created_at_is_a_date_of_our_calendar';
    END IF;
    IF NOT (NEW.updated_at >= '1900-01-01' AND NEW.updated_at < '9999-01-01') THEN
        RAISE EXCEPTION 'updated_at is %: it has to be from 1900 to 9998', NEW.updated_at
            USING ERRCODE = 'check_violation', CONSTRAINT = 'updated_at_is_a_date_of_our_calendar';
    END IF;
    -- an index takes no longer ones, and says so without a name
    IF greatest(octet_length(NEW.slug), octet_length(NEW.task_id), octet_length(NEW.content_hash)) > 2000 THEN
        RAISE EXCEPTION 'slug, task_id or content_hash is too long: at most 2,000 bytes'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'keys_have_2000_bytes_at_most';
    END IF;
    -- a run reads a whole batch of rows into its memory
    bytes := octet_length(NEW.prompt)::bigint + octet_length(NEW.negative_prompt)
        + coalesce(octet_length(NEW.title), 0) + coalesce(octet_length(NEW.slug), 0) + coalesce(octet_length(NEW.excerpt), 0)
        + coalesce(octet_length(NEW.content), 0) + coalesce(octet_length(NEW.category), 0)
        + coalesce(octet_length(NEW.author), 0) + coalesce(octet_length(NEW.alt_text), 0)
        + coalesce(octet_length(NEW.task_id), 0) + coalesce(octet_length(NEW.scheduler), 0)
        + coalesce(octet_length(NEW.preset), 0) + coalesce(octet_length(NEW.model), 0)
        + coalesce(octet_length(NEW.model_revision), 0) + coalesce(octet_length(NEW.lora), 0)
        + coalesce(octet_length(NEW.prompt_syntax), 0) + coalesce(octet_length(NEW.content_hash), 0);
    IF bytes > 5000000 THEN
        RAISE EXCEPTION 'the texts of this prompt have % bytes: at most 5,000,000 together', bytes
            USING ERRCODE = 'check_violation', CONSTRAINT = 'texts_have_5_mb_at_most';
    END IF;
    RETURN NEW;
END $$;

-- Not on the columns that a run moves: looking at a text costs reading it.
CREATE OR REPLACE TRIGGER prompts_refuse_the_unreadable
    BEFORE INSERT OR UPDATE OF id, prompt, negative_prompt, title, slug, excerpt, content, category, author, alt_text, task_id,
        scheduler, preset, model, model_revision, lora, prompt_syntax, content_hash, created_at, updated_at ON prompts
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_the_unreadable();
