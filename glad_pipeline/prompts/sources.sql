-- Statements of `pauses.py` and `sources.py`.

-- name: pauses
-- What is paused, since when and why. '*' stands for all.
SELECT source, to_char(paused_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') || coalesce(': ' || pause_reason, '') AS words
FROM prompt_sources WHERE paused_since IS NOT NULL ORDER BY source;

-- name: list_sources
-- What each source has in the queue and has done in 24 hours, and its limits and pause; those of '*' first.
WITH waiting AS (
    SELECT source, count(*) AS n FROM prompts WHERE status = 'pending' GROUP BY source
), in_work AS (
    SELECT source, count(*) AS n FROM prompts WHERE status IN ('claimed', 'generated') GROUP BY source
), added AS (
    SELECT source, count(*) AS n FROM prompts WHERE source <> '' AND created_at > now() - interval '24 hours' GROUP BY source
), published AS (
    SELECT source, count(*) AS n FROM prompts WHERE status = 'published' AND published_at > now() - interval '24 hours' GROUP BY source
), named AS (
    SELECT source FROM waiting UNION SELECT source FROM in_work UNION SELECT source FROM added UNION SELECT source FROM published
    UNION SELECT source FROM prompt_sources WHERE coalesce(queued_limit, daily_limit) IS NOT NULL OR paused_since IS NOT NULL
)
SELECT named.source, coalesce(waiting.n, 0) AS waiting, coalesce(in_work.n, 0) AS in_work,
       CASE WHEN named.source <> '' THEN coalesce(added.n, 0) END AS added, coalesce(published.n, 0) AS published,
       s.queued_limit, s.daily_limit, s.paused_since, s.pause_reason
FROM named LEFT JOIN waiting USING (source) LEFT JOIN in_work USING (source) LEFT JOIN added USING (source)
     LEFT JOIN published USING (source) LEFT JOIN prompt_sources AS s USING (source)
ORDER BY named.source <> '*', named.source;

-- name: at_limit
-- The limits of a source that one more prompt would pass.
SELECT CASE WHEN l.queued <= w.waiting THEN l.queued END AS queued, CASE WHEN l.daily <= w.lately THEN l.daily END AS daily
FROM (SELECT coalesce(own.queued_limit, every.queued_limit) AS queued, coalesce(own.daily_limit, every.daily_limit) AS daily
      FROM (SELECT) AS one LEFT JOIN prompt_sources AS own ON own.source = %(source)s
           LEFT JOIN prompt_sources AS every ON every.source = '*') AS l
CROSS JOIN LATERAL (
    SELECT CASE WHEN l.queued IS NOT NULL THEN (SELECT count(*) FROM prompts p WHERE p.status = 'pending' AND p.source = %(source)s)
           END AS waiting,
           CASE WHEN l.daily IS NOT NULL THEN (SELECT count(*) FROM prompts p WHERE p.source = %(source)s AND p.source <> ''
                                                 AND p.created_at > now() - interval '24 hours') END AS lately) AS w
WHERE %(source)s <> '' AND (l.queued <= w.waiting OR l.daily <= w.lately);

-- name: pause
-- Twice is once. `before`: since when it was paused already, as it was when this statement began.
INSERT INTO prompt_sources AS s (source, paused_since, pause_reason) VALUES (%(source)s, now(), %(reason)s)
ON CONFLICT (source) DO UPDATE SET paused_since = coalesce(s.paused_since, excluded.paused_since),
    pause_reason = coalesce(excluded.pause_reason, s.pause_reason)
RETURNING (SELECT o.paused_since FROM prompt_sources AS o WHERE o.source = %(source)s) AS before;

-- name: resume
UPDATE prompt_sources AS s SET paused_since = NULL, pause_reason = NULL
WHERE source = %(source)s AND paused_since IS NOT NULL
RETURNING (SELECT o.paused_since FROM prompt_sources AS o WHERE o.source = %(source)s) AS before;

-- name: limit
INSERT INTO prompt_sources AS s (source, queued_limit, daily_limit) VALUES (%(source)s, %(queued_limit)s, %(daily_limit)s)
ON CONFLICT (source) DO UPDATE SET
    queued_limit = CASE WHEN %(sets_queued_limit)s THEN excluded.queued_limit ELSE s.queued_limit END,
    daily_limit = CASE WHEN %(sets_daily_limit)s THEN excluded.daily_limit ELSE s.daily_limit END;

-- name: forget_plain
-- A source of which nothing is said needs no row.
DELETE FROM prompt_sources
WHERE source <> '*' AND queued_limit IS NULL AND daily_limit IS NULL AND paused_since IS NULL;
