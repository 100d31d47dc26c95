-- What people change of a prompt after they have asked for it. A picture is never published under a text or a recipe that
-- it was not drawn from: a prompt whose picture is being drawn, or waits to be published, waits to be drawn again.

-- As which other lines (`content_hash`) an edited prompt is known: as it was, and as it is without the seed that it has kept.
-- A file with such a line adds nothing.
CREATE TABLE prompt_aliases (
    content_hash text PRIMARY KEY,
    prompt_id    bigint NOT NULL REFERENCES prompts (id) ON DELETE CASCADE
);

-- Runs after `prompts_keep_the_rules`, by its name: who may edit a prompt and not move it has it moved by this.
CREATE FUNCTION prompts_redraw_what_is_edited() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.post_id IS DISTINCT FROM OLD.post_id THEN
        NEW.post_version := NULL;                      -- that of another post
    END IF;
    IF (NEW.prompt, NEW.negative_prompt, NEW.seed, NEW.width, NEW.height, NEW.num_inference_steps, NEW.guidance_scale,
        NEW.scheduler, NEW.preset, NEW.model, NEW.model_revision, NEW.lora, NEW.prompt_syntax)
       IS DISTINCT FROM
       (OLD.prompt, OLD.negative_prompt, OLD.seed, OLD.width, OLD.height, OLD.num_inference_steps, OLD.guidance_scale,
        OLD.scheduler, OLD.preset, OLD.model, OLD.model_revision, OLD.lora, OLD.prompt_syntax)
    THEN
        IF NEW.status = 'published' THEN
            RAISE EXCEPTION 'prompt % is published: what its picture was drawn from stays as it is', OLD.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'published_prompts_keep_their_recipe',
                      HINT = 'For another picture on its post: `glad prompts add TEXT --post SLUG`.';
        ELSIF NEW.status IN ('claimed', 'generated', 'awaiting_approval') THEN
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
        model_revision, lora, prompt_syntax, post_id, needs_approval ON prompts
    FOR EACH ROW EXECUTE FUNCTION prompts_redraw_what_is_edited();

-- Where pictures are drawn when their time has come: one look for the sensor, whatever else waits.
CREATE INDEX prompts_pending_due ON prompts (coalesce(publish_at, '-infinity'::timestamptz)) WHERE status = 'pending';
