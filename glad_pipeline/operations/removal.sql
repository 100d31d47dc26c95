-- Statements of `removal.py` on Dagster's own tables: contact sheets of earlier versions, inside of JSON.

-- name: blank_events
UPDATE event_logs SET event = regexp_replace(event, 'data:image/webp;base64,[A-Za-z0-9+/=]*', 'about:blank', 'g')
WHERE event LIKE '%data:image/webp;base64,%'

-- name: blank_assets
UPDATE asset_keys
SET last_materialization = regexp_replace(last_materialization, 'data:image/webp;base64,[A-Za-z0-9+/=]*', 'about:blank', 'g')
WHERE last_materialization LIKE '%data:image/webp;base64,%'
