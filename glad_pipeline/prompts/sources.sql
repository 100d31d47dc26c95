-- Statements of `pauses.py` and `sources.py`.

-- name: pauses
-- What is paused, since when and why. '*' stands for all.
SELECT source, to_char(paused_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"') || coalesce(': ' || pause_reason, '') AS words
FROM prompt_sources WHERE paused_since IS NOT NULL ORDER BY source;
