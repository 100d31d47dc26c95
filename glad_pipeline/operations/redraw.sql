-- Statements of `redraw.py`.

-- name: published
-- A page of published prompts, each with what is recorded of its picture.
SELECT p.*, i.recipe_hash, i.seconds, i.bytes FROM prompts p JOIN images i ON i.id = p.image_id
WHERE p.status = 'published' AND i.removed_at IS NULL AND p.id > %(after)s ORDER BY p.id LIMIT %(limit)s

-- name: requeue
-- As prompts named on purpose: with all attempts before them, behind what is more urgent.
UPDATE prompts SET status = 'pending', attempts = 0, last_error = NULL, claim_token = NULL, claimed_by = NULL,
    lease_expires_at = NULL, post_version = NULL
WHERE id = ANY(%(ids)s) AND status = 'published'
