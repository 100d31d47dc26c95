-- What happened to each prompt and when, and prompts that ask for a picture now and decide about a post later.

-- 'post': its picture becomes a post. 'picture': it is catalogued and public, and no post is made until somebody asks for it.
ALTER TABLE prompts
    ADD COLUMN publish text NOT NULL DEFAULT 'post' CONSTRAINT prompts_publish_is_known CHECK (publish IN ('post', 'picture')),
    DROP CONSTRAINT prompts_status_check,
    ADD CONSTRAINT prompts_status_check CHECK (status IN (
        'pending', 'claimed', 'generated', 'published', 'awaiting_approval',
        'ready',                                       -- its picture is public, and no post is asked for
        'rejected', 'failed', 'cancelled')),
    DROP CONSTRAINT drawn_rows_have_an_image,
    ADD CONSTRAINT drawn_rows_have_an_image
        CHECK (status NOT IN ('generated', 'awaiting_approval', 'published', 'ready') OR image_id IS NOT NULL),
    ADD CONSTRAINT pictures_are_ready_and_posts_are_published CHECK (CASE publish
        WHEN 'picture' THEN status NOT IN ('generated', 'awaiting_approval', 'published') ELSE status <> 'ready' END);

-- As before, with the ways to and from `ready`.
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
        ('claimed', 'ready'), ('generated', 'ready'), ('awaiting_approval', 'ready'),
        ('ready', 'generated'), ('ready', 'pending'), ('ready', 'rejected'), ('ready', 'cancelled'),
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

-- As before: a prompt that is `ready` is drawn again when its text changes, and becomes a post when one is asked for.
CREATE OR REPLACE FUNCTION prompts_redraw_what_is_edited() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    -- whatever its state: who has it drawn again has it drawn for that post, which gets the picture and nothing else
    has_a_post CONSTANT boolean := OLD.published_post_id IS NOT NULL AND OLD.taken_down_at IS NULL;
    another_picture CONSTANT boolean :=
        (NEW.prompt, NEW.negative_prompt, NEW.seed, NEW.width, NEW.height, NEW.num_inference_steps, NEW.guidance_scale,
         NEW.scheduler, NEW.preset, NEW.model, NEW.model_revision, NEW.lora, NEW.prompt_syntax)
        IS DISTINCT FROM
        (OLD.prompt, OLD.negative_prompt, OLD.seed, OLD.width, OLD.height, OLD.num_inference_steps, OLD.guidance_scale,
         OLD.scheduler, OLD.preset, OLD.model, OLD.model_revision, OLD.lora, OLD.prompt_syntax);
    another_post CONSTANT boolean :=
        (NEW.title, NEW.slug, NEW.excerpt, NEW.content, NEW.category, NEW.author, NEW.alt_text, NEW.task_id, NEW.post_id,
         NEW.publish)
        IS DISTINCT FROM
        (OLD.title, OLD.slug, OLD.excerpt, OLD.content, OLD.category, OLD.author, OLD.alt_text, OLD.task_id, OLD.post_id,
         OLD.publish);
BEGIN
    IF (another_picture AND (NEW.status = 'published' OR has_a_post)) OR (another_post AND has_a_post)
        OR (NEW.status = 'published' AND NEW.publish <> OLD.publish) THEN
        RAISE EXCEPTION 'prompt % is published and stays as it is: edit the post itself, on the blog', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'published_prompts_stay_as_they_are',
                  HINT = 'For another picture on it: `glad prompts add TEXT --post SLUG`.';
    END IF;
    IF NEW.post_id IS DISTINCT FROM OLD.post_id THEN
        NEW.post_version := NULL;                      -- that of another post
    END IF;
    IF another_picture THEN
        IF NEW.status IN ('claimed', 'generated', 'awaiting_approval', 'ready') THEN
            NEW.status := 'pending';                   -- a run that holds it loses it
            NEW.last_error := 'its text or recipe was edited: its picture is drawn again';
            NEW.put_back_at := now();                  -- no trigger on `status` sees what is set here
            NEW.claim_token := NULL;
            NEW.claimed_by := NULL;
            NEW.lease_expires_at := NULL;
        END IF;
        IF NEW.status = 'pending' THEN
            NEW.attempts := 0;                         -- those were of another picture
        END IF;
    ELSIF NEW.publish = 'picture' AND OLD.status = NEW.status AND NEW.status IN ('generated', 'awaiting_approval') THEN
        NEW.status := 'ready';                         -- its post waited for its time or a person, and is not wanted now
        NEW.last_error := NULL;
        NEW.claim_token := NULL;
        NEW.claimed_by := NULL;
        NEW.lease_expires_at := NULL;
    ELSIF NEW.publish = 'post' AND (OLD.status, NEW.status) = ('ready', 'ready') THEN
        NEW.status := 'generated';                     -- whoever asks for its post has seen its picture
    ELSIF NEW.needs_approval AND NOT OLD.needs_approval AND (OLD.status, NEW.status) = ('generated', 'generated') THEN
        NEW.status := 'awaiting_approval';             -- one that is generated and needs approval has it already
        NEW.claim_token := NULL;
        NEW.claimed_by := NULL;
        NEW.lease_expires_at := NULL;
    END IF;
    RETURN NEW;
END $$;

-- Not on the columns that a run moves: looking at a text costs reading it.
CREATE OR REPLACE TRIGGER prompts_redraw_what_is_edited
    BEFORE UPDATE OF prompt, negative_prompt, seed, width, height, num_inference_steps, guidance_scale, scheduler, preset, model,
        model_revision, lora, prompt_syntax, title, slug, excerpt, content, category, author, alt_text, task_id, post_id,
        needs_approval, publish ON prompts
    FOR EACH ROW EXECUTE FUNCTION prompts_redraw_what_is_edited();

-- The history of each prompt, written by the trigger below in the transaction that moves it. That it was queued is its
-- `created_at`. Pruned by age where a claim ends.
CREATE TABLE prompt_events (
    prompt_id bigint NOT NULL REFERENCES prompts (id) ON DELETE CASCADE,
    id        bigint GENERATED ALWAYS AS IDENTITY,     -- the order within a prompt
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    event     text NOT NULL CHECK (event IN (
                  'claimed', 'drawing', 'stored', 'awaiting_approval', 'approved', 'published', 'ready', 'asked_to_publish',
                  'failed', 'rejected', 'retried', 'returned', 'paused', 'edited', 'cancelled', 'discarded', 'taken_down')),
    run_id    text,                                    -- the Dagster run; NULL: a person's doing, or not known
    detail    text,                                    -- the reason, or the place in the batch: 3 of 8
    PRIMARY KEY (prompt_id, id)
);
CREATE INDEX prompt_events_at ON prompt_events (at);

-- Once for each UPDATE, whoever makes it: what has not moved, a lease that is renewed say, writes nothing. As the owner,
-- since who moves a prompt needs no right on its history. `glad.event` and `glad.run_id` are told by statements of ours for
-- their transaction, where the row does not say why it moves or which run moves it. Nested loops are off: the plan is made
-- for the first UPDATE of a session, of one row say, and serves one of a million.
CREATE FUNCTION prompts_note_what_happened() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET enable_nestloop = off AS $$
BEGIN
    IF TG_RELID <> 'prompts'::regclass THEN
        RAISE EXCEPTION 'prompts_note_what_happened is the trigger of prompts alone' USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO prompt_events (prompt_id, event, run_id, detail)
    SELECT id, event, coalesce(run_id, nullif(current_setting('glad.run_id', true), '')),
           CASE WHEN event = 'drawing' THEN row_number() OVER batch || ' of ' || count(*) OVER whole ELSE reason END
    FROM (
        SELECT n.id, n.priority, coalesce(n.claimed_by, o.claimed_by) AS run_id,
               CASE WHEN n.status IN ('failed', 'rejected', 'awaiting_approval')
                         OR (n.status IN ('pending', 'cancelled') AND n.last_error IS DISTINCT FROM o.last_error)  -- not that of before
                    THEN nullif(n.last_error, '') END AS reason,
               CASE
                   WHEN n.status = o.status THEN
                       CASE WHEN n.status = 'claimed' AND n.attempts > o.attempts THEN 'drawing' END
                   WHEN n.status = 'claimed' THEN 'claimed'
                   WHEN n.status = 'generated' THEN
                       CASE o.status WHEN 'claimed' THEN 'stored' WHEN 'ready' THEN 'asked_to_publish' ELSE 'approved' END
                   WHEN n.status = 'pending' THEN
                       CASE WHEN o.status IN ('rejected', 'failed', 'cancelled', 'published') THEN 'retried'
                            WHEN (n.prompt, n.negative_prompt, n.seed, n.width, n.height, n.num_inference_steps,
                                  n.guidance_scale, n.scheduler, n.preset, n.model, n.model_revision, n.lora, n.prompt_syntax)
                                 IS DISTINCT FROM
                                 (o.prompt, o.negative_prompt, o.seed, o.width, o.height, o.num_inference_steps,
                                  o.guidance_scale, o.scheduler, o.preset, o.model, o.model_revision, o.lora, o.prompt_syntax)
                                THEN 'edited'
                            WHEN o.status = 'ready' THEN 'retried'
                            WHEN current_setting('glad.event', true) = 'paused' THEN 'paused'
                            ELSE 'returned' END
                   WHEN n.status = 'cancelled' THEN
                       CASE WHEN n.last_error LIKE 'taken down: %' AND n.last_error IS DISTINCT FROM o.last_error THEN 'taken_down'
                            WHEN o.status = 'ready' THEN 'discarded' ELSE 'cancelled' END
                   ELSE n.status                       -- awaiting_approval, published, ready, rejected, failed
               END AS event
        FROM after_update AS n JOIN before_update AS o ON o.id = n.id
    ) AS moved
    WHERE event IS NOT NULL
    WINDOW batch AS (PARTITION BY event, run_id ORDER BY priority DESC, id), whole AS (PARTITION BY event, run_id)
    ORDER BY id;
    RETURN NULL;
END $$;

DO $$
DECLARE
    other record;
BEGIN
    EXECUTE format('ALTER FUNCTION prompts_note_what_happened() SET search_path = pg_catalog, %I, pg_temp',
        (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'prompts'::regclass));
    FOR other IN  -- what is executed as the owner is for the trigger below alone: nobody may make one of their own with it
        SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS name
        FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.oid = 'prompts_note_what_happened()'::regprocedure AND a.grantee <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION prompts_note_what_happened() FROM %s', other.name);
    END LOOP;
END $$;

CREATE TRIGGER prompts_note_what_happened AFTER UPDATE ON prompts
    REFERENCING OLD TABLE AS before_update NEW TABLE AS after_update
    FOR EACH STATEMENT EXECUTE FUNCTION prompts_note_what_happened();
