-- Statements of `publish.py`.

-- name: drawn
-- The prompts that are to become posts with these pictures, locked.
SELECT p.id, i.key FROM prompts p JOIN images i ON i.id = p.image_id
WHERE i.key = ANY(%(keys)s) AND p.status = 'generated' ORDER BY p.id FOR UPDATE OF p
