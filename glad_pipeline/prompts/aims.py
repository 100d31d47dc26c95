"""Whether a prompt's post and task are on the blog: looked up before it is taken into the queue.

Knows the blog's `posts` and `content_tasks`, and reads them only. A row of plain SQL is judged when it is claimed.
"""

from __future__ import annotations

from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.database.blog import has_posts
from glad_pipeline.database.content_tasks import look_at_tasks, problem_of_task
from glad_pipeline.errors import UsageError
from glad_pipeline.records import NewPrompt

QUERIES = named_queries("glad_pipeline.prompts", "aims.sql")


def refuse_unknown_aims(connection: Connection, prompt: NewPrompt) -> None:
    """Raises `UsageError` where the blog has no post with this `post_id`, or no such task for a row without a title."""
    if prompt.post_id is not None:
        if has_posts(connection) and value(connection, QUERIES["post"], {"post_id": prompt.post_id}) is None:
            raise UsageError(f"post_id {str(prompt.post_id)!r}: no post has this id")
    elif prompt.task_id is not None and prompt.title is None:
        tasks = look_at_tasks(connection)
        if problem := problem_of_task(prompt.task_id, tasks, tasks.known(connection, [prompt.task_id])):
            raise UsageError(problem)
