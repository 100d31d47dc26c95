-- Statements of `tasks.py`. Its UPDATEs are composed there from the columns that the blog at hand has.

-- name: existing_tasks
SELECT task_id FROM content_tasks WHERE task_id = ANY(%(ids)s)
