-- What people change of a prompt after they have asked for it. A picture is never published under a text or a recipe that
-- it was not drawn from: a prompt whose picture is being drawn, or waits to be published, waits to be drawn again.

-- As which other lines (`content_hash`) an edited prompt is known: as it was, and as it is without the seed that it has kept.
-- A file with such a line adds nothing.
CREATE TABLE prompt_aliases (
    content_hash text PRIMARY KEY,
    prompt_id    bigint NOT NULL REFERENCES prompts (id) ON DELETE CASCADE
);
CREATE INDEX prompt_aliases_prompt ON prompt_aliases (prompt_id);

-- Runs after `prompts_keep_the_rules`, by its name: who may edit a prompt and not move it has it moved by this.
CREATE FUNCTION prompts_redraw_what_is_edited() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
        (NEW.title, NEW.slug, NEW.excerpt, NEW.content, NEW.category, NEW.author, NEW.alt_text, NEW.task_id, NEW.post_id)
        IS DISTINCT FROM
        (OLD.title, OLD.slug, OLD.excerpt, OLD.content, OLD.category, OLD.author, OLD.alt_text, OLD.task_id, OLD.post_id);
BEGIN
    IF (another_picture AND (NEW.status = 'published' OR has_a_post)) OR (another_post AND has_a_post) THEN
        RAISE EXCEPTION 'prompt % is published and stays as it is: edit the post itself, on the blog', OLD.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'published_prompts_stay_as_they_are',
                  HINT = 'For another picture on it: `glad prompts add TEXT --post SLUG`.';
    END IF;
    IF NEW.post_id IS DISTINCT FROM OLD.post_id THEN
        NEW.post_version := NULL;                      -- that of another post
    END IF;
    IF another_picture THEN
        IF NEW.status IN ('claimed', 'generated', 'awaiting_approval') THEN
            NEW.status := 'pending';                   -- a run that holds it loses it
            NEW.last_error := 'its text or recipe was edited: its picture is drawn again';
            NEW.claim_token := NULL;
            NEW.claimed_by := NULL;
            NEW.lease_expires_at := NULL;
        END IF;
        IF NEW.status = 'pending' THEN
            NEW.attempts := 0;                         -- those were of another picture
        END IF;
    ELSIF NEW.needs_approval AND NOT OLD.needs_approval AND (OLD.status, NEW.status) = ('generated', 'generated') THEN
        NEW.status := 'awaiting_approval';             -- one that is generated and needs approval has it already
        NEW.claim_token := NULL;
        NEW.claimed_by := NULL;
        NEW.lease_expires_at := NULL;
    END IF;
    RETURN NEW;
END $$;

-- Not on the columns that a run moves: looking at a text costs reading it.
CREATE TRIGGER prompts_redraw_what_is_edited
    BEFORE UPDATE OF prompt, negative_prompt, seed, width, height, num_inference_steps, guidance_scale, scheduler, preset, model,
        model_revision, lora, prompt_syntax, title, slug, excerpt, content, category, author, alt_text, task_id, post_id,
        needs_approval ON prompts
    FOR EACH ROW EXECUTE FUNCTION prompts_redraw_what_is_edited();

-- Where pictures are drawn when their time has come: one look for the sensor, whatever else waits.
CREATE INDEX prompts_pending_due ON prompts (coalesce(publish_at, '-infinity'::timestamptz)) WHERE status = 'pending';
