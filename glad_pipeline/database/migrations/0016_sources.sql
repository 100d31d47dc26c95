-- From where a prompt comes: sources share the queue fairly, may be paused, and may have limits.

ALTER TABLE prompts
    ADD COLUMN source text COLLATE "C" NOT NULL DEFAULT ''  -- who asks: a team, an import, an API key; '': nobody in particular
        CONSTRAINT prompts_source_is_a_name CHECK (length(source) <= 64 AND source <> '*' AND source !~ '[[:cntrl:]]'),
    ADD COLUMN put_back_at timestamptz;                     -- when a person last had it worked again

-- What is said of sources. A source needs no row here; the row '*' stands for all of them.
CREATE TABLE prompt_sources (
    source       text COLLATE "C" PRIMARY KEY
                 CONSTRAINT prompt_sources_source_is_a_name CHECK (length(source) <= 64 AND source !~ '[[:cntrl:]]'),
    queued_limit integer CHECK (queued_limit >= 0),    -- rows that may wait at once; NULL: as '*' says, else any number
    daily_limit  integer CHECK (daily_limit >= 0),     -- rows that may be inserted in 24 hours
    paused_since timestamptz,                          -- its rows are not claimed; NULL: they are
    pause_reason text CHECK (length(pause_reason) <= 500),
    turns        jsonb NOT NULL DEFAULT '{}'           -- of '*' only: by priority, the source that was served last
);
CREATE INDEX prompt_sources_paused ON prompt_sources (source) WHERE paused_since IS NOT NULL;
CREATE INDEX prompt_sources_limited ON prompt_sources (source) WHERE queued_limit IS NOT NULL OR daily_limit IS NOT NULL;
INSERT INTO prompt_sources (source) VALUES ('*');

-- The claim hops from source to source, however many rows each of them has.
DROP INDEX prompts_pending;
CREATE INDEX prompts_pending ON prompts (priority DESC, source, id, coalesce(publish_at, '-infinity'::timestamptz))
    WHERE status = 'pending';                          -- the last, so that those whose time has not come are passed in the index
-- By source: how many wait, and since when. Who asks for a time waits from then on.
CREATE INDEX prompts_waiting ON prompts (source, greatest(created_at, put_back_at, publish_at)) WHERE status = 'pending';
-- The oldest of all.
CREATE INDEX prompts_oldest ON prompts (greatest(created_at, put_back_at, publish_at)) WHERE status = 'pending';
CREATE INDEX prompts_of_source ON prompts (source, created_at) WHERE source <> '';

-- Nobody writes `put_back_at`, whoever has a prompt worked again.
CREATE FUNCTION prompts_note_putting_back() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_ARGV[0] = 'refuse' THEN
        RAISE EXCEPTION 'progress of a prompt is kept by the pipeline, it cannot be inserted or changed: put_back_at'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'progress_is_kept_by_the_pipeline',
                  HINT = 'Leave the column out.';
    END IF;
    NEW.put_back_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER prompts_note_putting_back BEFORE UPDATE OF status ON prompts FOR EACH ROW
    WHEN (NEW.status = 'pending' AND OLD.status NOT IN ('pending', 'claimed'))
    EXECUTE FUNCTION prompts_note_putting_back('note');
CREATE TRIGGER prompts_refuse_put_back_at BEFORE INSERT ON prompts FOR EACH ROW
    WHEN (NEW.put_back_at IS NOT NULL) EXECUTE FUNCTION prompts_note_putting_back('refuse');
CREATE TRIGGER prompts_keep_put_back_at BEFORE UPDATE OF put_back_at ON prompts FOR EACH ROW
    WHEN (NEW.put_back_at IS DISTINCT FROM OLD.put_back_at) EXECUTE FUNCTION prompts_note_putting_back('refuse');

-- The next `wanted` waiting prompts of sources that are not paused, in the order in which they are to be drawn: by priority,
-- those of one priority by turns of their sources, and those of one source by id. `turns`: by priority, the source
-- after which they begin.
-- `above`: only those of a higher priority. `ahead`: also those whose time has not come.
-- What it reads does not grow with what waits: a probe of the index for each priority and source, and the rows it answers.
-- Each is written so that no other index has its order: the planner may know nothing yet of rows that have just come.
CREATE FUNCTION prompts_in_turn(wanted integer, above integer, ahead boolean, turns jsonb)
    RETURNS TABLE (prompt_id bigint, place integer) LANGUAGE plpgsql STABLE ROWS 100
    SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_incremental_sort = off AS $$
DECLARE
    due     CONSTANT timestamptz := CASE WHEN ahead THEN 'infinity' ELSE now() END;
    level   integer;
    barren  integer := 0;                              -- priorities passed of which all is paused
    since   text;
    name    text;
    probe   text;
    wrapped boolean;
    share   integer;
    names   text[];
    lasts   bigint[];
    ids     bigint[];
    places  bigint[];
BEGIN
    place := 0;
    IF EXISTS (SELECT FROM prompt_sources s WHERE s.source = '*' AND s.paused_since IS NOT NULL) THEN
        RETURN;
    END IF;
    IF NOT ahead THEN                                  -- few are due, and many may not be: they are not even passed in the index
        SELECT array_agg(d.id) INTO ids FROM (
            SELECT p.id FROM prompts p WHERE p.status = 'pending' AND coalesce(p.publish_at, '-infinity') <= due
            ORDER BY coalesce(p.publish_at, '-infinity') LIMIT 500) AS d;
        IF coalesce(cardinality(ids), 0) < 500 THEN
            RETURN QUERY
            SELECT n.id, row_number() OVER (ORDER BY n.priority DESC, n.nth, n.was_served, n.source)::integer FROM (
                SELECT p.id, p.priority, p.source, row_number() OVER (PARTITION BY p.priority, p.source ORDER BY p.id) AS nth,
                       p.source <= coalesce(turns ->> p.priority::text, '') COLLATE "C" AS was_served
                FROM prompts p WHERE p.id = ANY(ids) AND p.status = 'pending' AND (above IS NULL OR p.priority > above)
                  AND NOT EXISTS (SELECT FROM prompt_sources s WHERE s.source = p.source AND s.paused_since IS NOT NULL)) AS n
            ORDER BY 2 LIMIT wanted;
            RETURN;
        END IF;
    END IF;
    SELECT p.priority INTO level FROM prompts p
    WHERE p.status = 'pending' AND coalesce(p.publish_at, '-infinity') <= due ORDER BY p.priority DESC LIMIT 1;
    WHILE level IS NOT NULL AND wanted > 0 AND (above IS NULL OR level > above) LOOP
        names := '{}';
        wrapped := false;
        since := coalesce(turns ->> level::text, '');
        probe := since || E'\x01';                     -- before whatever comes after it: no name has such a character
        WHILE cardinality(names) < wanted LOOP
            SELECT p.source INTO name FROM prompts p
            WHERE p.status = 'pending' AND p.priority = level AND p.source >= probe
              AND coalesce(p.publish_at, '-infinity') <= due ORDER BY p.source, p.id LIMIT 1;
            IF name IS NULL OR (wrapped AND name COLLATE "C" > since COLLATE "C") THEN
                EXIT WHEN wrapped;
                wrapped := true;
                probe := '';
                CONTINUE;
            END IF;
            IF NOT EXISTS (SELECT FROM prompt_sources s WHERE s.source = name AND s.paused_since IS NOT NULL) THEN
                names := names || name;
            END IF;
            probe := name || E'\x01';
        END LOOP;
        barren := CASE WHEN cardinality(names) = 0 THEN barren + 1 ELSE 0 END;
        lasts := array_fill((-9223372036854775808)::bigint, ARRAY[cardinality(names)]);
        WHILE wanted > 0 AND cardinality(names) > 0 LOOP
            share := (wanted + cardinality(names) - 1) / cardinality(names);
            SELECT array_agg(h.id ORDER BY h.nth, s.nth), array_agg(s.nth ORDER BY h.nth, s.nth) INTO ids, places
            FROM unnest(names, lasts) WITH ORDINALITY AS s (name, last, nth) CROSS JOIN LATERAL (
                SELECT p.id, row_number() OVER (ORDER BY p.source, p.id) AS nth FROM prompts p
                WHERE p.status = 'pending' AND p.priority = level AND (p.source, p.id) > (s.name, s.last) AND p.source <= s.name
                  AND coalesce(p.publish_at, '-infinity') <= due ORDER BY p.source, p.id LIMIT share) AS h;
            EXIT WHEN ids IS NULL;
            RETURN QUERY SELECT i.id, place + i.nth::integer FROM unnest(ids) WITH ORDINALITY AS i (id, nth);
            place := place + cardinality(ids);
            wanted := wanted - cardinality(ids);
            SELECT coalesce(array_agg(names[g.nth] ORDER BY g.nth), '{}'), array_agg(g.last ORDER BY g.nth) INTO names, lasts
            FROM (SELECT i.nth, max(i.id) AS last FROM unnest(ids, places) AS i (id, nth)
                  GROUP BY i.nth HAVING count(*) = share) AS g;  -- the others have no more
        END LOOP;
        IF barren < 50 THEN
            SELECT p.priority INTO level FROM prompts p
            WHERE p.status = 'pending' AND p.priority < level AND coalesce(p.publish_at, '-infinity') <= due
            ORDER BY p.priority DESC LIMIT 1;
        ELSE                                           -- a paused source with a priority for each row: row by row is cheaper
            SELECT p.priority INTO level FROM prompts p
            WHERE p.status = 'pending' AND p.priority < level AND coalesce(p.publish_at, '-infinity') <= due
              AND p.source NOT IN (SELECT s.source FROM prompt_sources s WHERE s.paused_since IS NOT NULL)
            ORDER BY p.priority DESC LIMIT 1;
        END IF;
    END LOOP;
END $$;

-- A source with limits is refused what goes beyond them, whoever writes it: hence the rights of the tables' owner. Two who
-- insert for one source do so one after the other, or each would count without the other's rows.
CREATE FUNCTION prompts_keep_limits() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    each  record;
    found bigint;
BEGIN
    IF TG_RELID <> 'prompts'::regclass THEN
        RAISE EXCEPTION 'prompts_keep_limits is the trigger of prompts alone' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT EXISTS (SELECT FROM prompt_sources s WHERE s.queued_limit IS NOT NULL OR s.daily_limit IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    FOR each IN
        SELECT a.source, coalesce(own.queued_limit, every.queued_limit) AS queued, coalesce(own.daily_limit, every.daily_limit) AS daily
        FROM (SELECT DISTINCT source FROM added WHERE source <> '') AS a
        LEFT JOIN prompt_sources AS own ON own.source = a.source
        LEFT JOIN prompt_sources AS every ON every.source = '*'
        WHERE coalesce(own.queued_limit, every.queued_limit, own.daily_limit, every.daily_limit) IS NOT NULL
        ORDER BY a.source
    LOOP
        PERFORM pg_advisory_xact_lock(1735156071, hashtext(each.source));
        IF each.queued IS NOT NULL THEN
            SELECT count(*) INTO found FROM (SELECT FROM prompts p WHERE p.status = 'pending' AND p.source = each.source
                                             LIMIT each.queued::bigint + 1) AS waiting;
            IF found > each.queued THEN
                RAISE EXCEPTION 'the source "%" may have % prompts waiting at once, and would have more', each.source, each.queued
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'sources_keep_their_limits',
                          HINT = format('Wait until some are drawn, or allow more: glad prompts limit %s --queued N',
                                        quote_literal(each.source));
            END IF;
        END IF;
        IF each.daily IS NOT NULL THEN
            SELECT count(*) INTO found FROM (SELECT FROM prompts p WHERE p.source = each.source AND p.source <> ''
                                               AND p.created_at > now() - interval '24 hours'
                                             LIMIT each.daily::bigint + 1) AS lately;
            IF found > each.daily THEN
                RAISE EXCEPTION 'the source "%" may add % prompts in 24 hours, and would have added more', each.source, each.daily
                    USING ERRCODE = 'check_violation', CONSTRAINT = 'sources_keep_their_limits',
                          HINT = format('Add them later, or allow more: glad prompts limit %s --daily N',
                                        quote_literal(each.source));
            END IF;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

DO $$
DECLARE
    other record;
BEGIN
    EXECUTE format('ALTER FUNCTION prompts_keep_limits() SET search_path = pg_catalog, %I, pg_temp',
        (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = 'prompts'::regclass));
    FOR other IN  -- what is executed as the owner is for the trigger below alone: nobody may make one of their own with it
        SELECT CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS name
        FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        WHERE p.oid = 'prompts_keep_limits()'::regprocedure AND a.grantee <> p.proowner
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION prompts_keep_limits() FROM %s', other.name);
    END LOOP;
END $$;

CREATE TRIGGER prompts_keep_limits AFTER INSERT ON prompts
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION prompts_keep_limits();
