"""The blog's content tasks: what they are told of their picture, in the caller's transaction.

Their state belongs to the blog and is not touched. Which there are is for `database.content_tasks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg import sql

from glad_pipeline.database import Connection
from glad_pipeline.database.content_tasks import PICTURE, look_at_tasks, problem_of_task
from glad_pipeline.errors import GladError
from glad_pipeline.publishing.columns import assignments
from glad_pipeline.records import DuePrompt


class Tasks:
    """The tasks of these prompts, and what `content_tasks` takes; nothing is looked up for prompts without a task.

    A task id that no task has is a client's own key: it asks for no right on `content_tasks`. Raises `DatabaseError`,
    with the GRANT, where a task that there is cannot be told for want of one.
    """

    def __init__(self, connection: Connection, prompts: Sequence[DuePrompt]) -> None:
        ids = {each.task_id for each in prompts if each.task_id}
        self._found = look_at_tasks(connection) if ids else None
        self._known = self._found.known(connection, ids) if self._found else {}
        if self._found and self._known:
            self._found.require_rights()

    def problem_of(self, prompt: DuePrompt) -> str | None:
        """Why the task that this prompt asks for, and nothing else, cannot get its picture; or None."""
        if self._found is None or prompt.task_id is None:
            return None
        return problem_of_task(prompt.task_id, self._found, self._known)

    def tell(self, connection: Connection, prompts: Sequence[DuePrompt]) -> None:
        """Tell the tasks of these prompts, where there are any that can be told, where their picture is."""
        if self._found is None or self._found.problem is not None:
            return
        for each in prompts:
            if each.task_id is None or each.task_id not in self._known:
                continue
            given = {
                "s3_image_url": each.image_url,
                "featured_image_url": each.image_url,
                "featured_image_prompt": each.prompt,
                "updated_at": datetime.now(UTC),
            }
            values = {name: value for name, value in given.items() if name in self._found.columns}
            statement = sql.SQL("UPDATE content_tasks SET {} WHERE task_id = {}").format(
                sql.SQL(", ").join(assignments(values)), sql.Placeholder("task")
            )
            told = connection.execute(statement, {**values, "task": self._known[each.task_id]}).rowcount
            if not told and is_for_a_task(each):
                raise GladError(f"the blog's content_tasks took no picture for the task {each.task_id!r}")


def is_for_a_task(prompt: DuePrompt) -> bool:
    """Whether a prompt that has no post yet asks for the picture of a task and for nothing else."""
    return bool(prompt.task_id) and not prompt.title and prompt.post_id is None


def clear_tasks(connection: Connection, tasks: Sequence[str], url: str) -> None:
    """In the caller's transaction: these tasks show the picture with this URL no more, nor say how it was made.

    Most task ids may be no task's; where the blog's tasks are not ours to read, none of them was told of the picture.
    Raises `DatabaseError`, with the GRANT, where one of them cannot be cleared for want of a right.
    """
    found = look_at_tasks(connection) if tasks else None
    shown = [name for name in PICTURE if name in found.columns] if found else []
    known = found.known(connection, tasks) if found and shown else {}
    if found is None or not known:
        return
    found.require_rights()
    pairs = [sql.SQL("{0} = nullif({0}, %(url)s)").format(sql.Identifier(name)) for name in shown]
    if "featured_image_prompt" in found.columns:
        pairs.append(sql.SQL("featured_image_prompt = NULL").format())
    which = sql.SQL(" OR ").join(sql.SQL("{} = %(url)s").format(sql.Identifier(name)) for name in shown)
    statement = sql.SQL("UPDATE content_tasks SET {} WHERE task_id::text = ANY(%(tasks)s::text[]) AND ({})")
    bound = {"url": url, "tasks": sorted(set(known.values()))}
    connection.execute(statement.format(sql.SQL(", ").join(pairs), which), bound)
