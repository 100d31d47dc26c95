-- Statements of `redraw.py`. Only where the post still has the picture: a post that a person has deleted, or given another
-- picture, is left alone.

-- name: published
-- A page of prompts that are published, or ready without a post, each with what is recorded of its picture.
SELECT p.*, i.recipe_hash, i.seconds, i.bytes FROM prompts p JOIN images i ON i.id = p.image_id
WHERE p.status IN ('published', 'ready') AND i.removed_at IS NULL AND p.id > %(after)s
  AND (p.published_post_id IS NULL OR EXISTS (
      SELECT FROM {posts} AS o WHERE o.id = p.published_post_id AND o.featured_image_url = i.url))
ORDER BY p.id LIMIT %(limit)s

-- name: requeue
-- As prompts named on purpose: with all attempts before them, behind what is more urgent.
UPDATE prompts p SET status = 'pending', attempts = 0, last_error = NULL, claim_token = NULL, claimed_by = NULL,
    lease_expires_at = NULL, post_version = NULL
FROM images i
WHERE p.id = ANY(%(ids)s) AND p.status IN ('published', 'ready') AND i.id = p.image_id
  AND (p.published_post_id IS NULL OR EXISTS (
      SELECT FROM {posts} AS o WHERE o.id = p.published_post_id AND o.featured_image_url = i.url))
RETURNING p.id
