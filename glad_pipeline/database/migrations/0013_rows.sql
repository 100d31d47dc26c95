-- What a row means: a client's own key beside the task's, and whether a person's picture on a post may be replaced.

ALTER TABLE prompts
    ADD COLUMN idempotency_key text UNIQUE,            -- the client's own: who asks again with it gets this very prompt
    ADD COLUMN "replace" boolean NOT NULL DEFAULT false, -- its picture may take the place of one that is not ours
    -- what the post showed that was not ours, before this prompt's picture took its place, and the alt text that was with
    -- it: a takedown puts them back
    ADD COLUMN replaced_image_url text,
    ADD COLUMN replaced_alt_text text;

-- As before, with the picture that was replaced among what the pipeline keeps.
CREATE OR REPLACE FUNCTION prompts_keep_the_rules() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ours text;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' THEN
            RAISE EXCEPTION 'a prompt starts as pending, not as %', NEW.status
                USING ERRCODE = 'check_violation', CONSTRAINT = 'prompts_start_as_pending',
                      HINT = 'Leave status out of the INSERT.';
        END IF;
        ours := concat_ws(', ',
            CASE WHEN NEW.attempts <> 0 THEN 'attempts' END,
            CASE WHEN NEW.claim_token IS NOT NULL THEN 'claim_token' END,
            CASE WHEN NEW.claimed_by IS NOT NULL THEN 'claimed_by' END,
            CASE WHEN NEW.lease_expires_at IS NOT NULL THEN 'lease_expires_at' END,
            CASE WHEN NEW.last_error IS NOT NULL THEN 'last_error' END,
            CASE WHEN NEW.image_id IS NOT NULL THEN 'image_id' END,
            CASE WHEN NEW.published_post_id IS NOT NULL THEN 'published_post_id' END,
            CASE WHEN NEW.claimed_at IS NOT NULL THEN 'claimed_at' END,
            CASE WHEN NEW.generated_at IS NOT NULL THEN 'generated_at' END,
            CASE WHEN NEW.published_at IS NOT NULL THEN 'published_at' END,
            CASE WHEN NEW.post_version IS NOT NULL THEN 'post_version' END,
            CASE WHEN NEW.taken_down_at IS NOT NULL THEN 'taken_down_at' END,
            CASE WHEN NEW.replaced_image_url IS NOT NULL THEN 'replaced_image_url' END,
            CASE WHEN NEW.replaced_alt_text IS NOT NULL THEN 'replaced_alt_text' END);
        IF ours <> '' THEN
            RAISE EXCEPTION 'progress of a prompt is kept by the pipeline, it cannot be inserted: %', ours
                USING ERRCODE = 'check_violation', CONSTRAINT = 'progress_is_kept_by_the_pipeline',
                      HINT = 'Leave these columns out of the INSERT.';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.status <> OLD.status AND (OLD.status, NEW.status) NOT IN (
        ('pending', 'claimed'), ('pending', 'rejected'), ('pending', 'cancelled'),
        ('claimed', 'pending'), ('claimed', 'generated'), ('claimed', 'rejected'), ('claimed', 'failed'), ('claimed', 'cancelled'),
        ('generated', 'published'), ('generated', 'awaiting_approval'), ('generated', 'pending'), ('generated', 'rejected'),
        ('generated', 'failed'), ('generated', 'cancelled'),
        ('awaiting_approval', 'generated'), ('awaiting_approval', 'pending'), ('awaiting_approval', 'rejected'),
        ('awaiting_approval', 'cancelled'),
        ('rejected', 'pending'), ('failed', 'pending'), ('cancelled', 'pending'), ('published', 'pending'),
        ('published', 'cancelled')                     -- taken down
    ) THEN
        RAISE EXCEPTION 'prompt % cannot go from % to %', OLD.id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'prompts_move_by_the_rules';
    END IF;
    IF (NEW.id, NEW.status, NEW.attempts, NEW.claim_token, NEW.claimed_by, NEW.lease_expires_at, NEW.last_error, NEW.image_id,
        NEW.published_post_id, NEW.claimed_at, NEW.generated_at, NEW.published_at, NEW.post_version, NEW.taken_down_at,
        NEW.replaced_image_url, NEW.replaced_alt_text)
       IS DISTINCT FROM
       (OLD.id, OLD.status, OLD.attempts, OLD.claim_token, OLD.claimed_by, OLD.lease_expires_at, OLD.last_error, OLD.image_id,
        OLD.published_post_id, OLD.claimed_at, OLD.generated_at, OLD.published_at, OLD.post_version, OLD.taken_down_at,
        OLD.replaced_image_url, OLD.replaced_alt_text)
       AND NOT has_function_privilege(format('%I.prompts_are_moved_by_us()', TG_TABLE_SCHEMA), 'EXECUTE')
       AND NOT pg_has_role((SELECT relowner FROM pg_class WHERE oid = TG_RELID), 'USAGE')
    THEN
        RAISE EXCEPTION 'progress of prompt % is kept by the pipeline, % may not change it', OLD.id, current_user
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Cancel or retry a prompt with `glad prompts`. What else runs the pipeline needs the role of `glad sql roles`.';
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

-- As before, with the key among the texts.
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
    IF greatest(octet_length(NEW.slug), octet_length(NEW.task_id), octet_length(NEW.idempotency_key),
                octet_length(NEW.content_hash)) > 2000 THEN
        RAISE EXCEPTION 'slug, task_id, idempotency_key or content_hash is too long: at most 2,000 bytes'
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
        + coalesce(octet_length(NEW.prompt_syntax), 0) + coalesce(octet_length(NEW.idempotency_key), 0)
        + coalesce(octet_length(NEW.content_hash), 0);
    IF bytes > 5000000 THEN
        RAISE EXCEPTION 'the texts of this prompt have % bytes: at most 5,000,000 together', bytes
            USING ERRCODE = 'check_violation', CONSTRAINT = 'texts_have_5_mb_at_most';
    END IF;
    RETURN NEW;
END $$;

-- Not on the columns that a run moves: looking at a text costs reading it.
CREATE OR REPLACE TRIGGER prompts_refuse_the_unreadable
    BEFORE INSERT OR UPDATE OF id, prompt, negative_prompt, title, slug, excerpt, content, category, author, alt_text, task_id,
        idempotency_key, scheduler, preset, model, model_revision, lora, prompt_syntax, content_hash, created_at, updated_at ON prompts
    FOR EACH ROW EXECUTE FUNCTION prompts_refuse_the_unreadable();
