-- What waits for a person, in the order in which it is shown; made while others read and write. One that was left half
-- made is made anew.
DROP INDEX CONCURRENTLY IF EXISTS prompts_awaiting;
CREATE INDEX CONCURRENTLY prompts_awaiting ON prompts (status, id) WHERE status IN ('awaiting_approval', 'ready');
