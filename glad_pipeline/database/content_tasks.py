"""What the blog's `content_tasks` is like: a table, a view or absent, which tasks it has, and what may be set.

For those who take a row that asks for a task's picture as well as for those who write it. Knows no prompt and no post.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from glad_pipeline.database import Connection, DatabaseError, named_queries
from glad_pipeline.display import quoted

SQL = named_queries(__package__, "content_tasks.sql")
PICTURE = ("s3_image_url", "featured_image_url")  # where a task keeps its picture: one of them at least
TOLD = (*PICTURE, "featured_image_prompt", "updated_at")  # all that is written of a task

NO_SUCH_TASK = "the blog's content_tasks has no such task"
OTHERWISE = "With a title the row becomes a post; a key of your own goes into idempotency_key"


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentTasks:
    """The table or view as it is in this database."""

    columns: frozenset[str]  # of TOLD, those that can be set
    readable: bool  # it is there, and its task ids can be read
    problem: str | None  # why no task of it can get a picture, and what to do; None: it can

    def known(self, connection: Connection, ids: Collection[str]) -> set[str]:
        """Those of these task ids that the blog has."""
        if not ids or not self.readable:
            return set()
        return {row["task_id"] for row in connection.execute(SQL["known"], {"ids": sorted(ids)})}


def look_at_tasks(connection: Connection) -> ContentTasks:
    """Raises `DatabaseError`, with the GRANT, where we may not read it or not write into it."""
    rows = {row["name"]: row for row in connection.execute(SQL["look"])}
    settable = frozenset(name for name in TOLD if name in rows and rows[name]["can_be_set"])
    problem = _problem_of_tasks({name: row["kind"] for name, row in rows.items()}, settable)
    columns = [name for name in ("task_id", *TOLD) if name in rows]
    denied = [name for name in columns if not rows[name]["readable"]]
    denied += [name for name in sorted(settable) if not rows[name]["writable"]]
    if denied:
        user = connection.info.user
        raise DatabaseError(
            f"user {user!r} may not read or write {', '.join(dict.fromkeys(denied))} of the blog's content_tasks. "
            f'As its owner run: GRANT SELECT, UPDATE ON content_tasks TO "{user}"'
        )
    return ContentTasks(columns=settable, readable="task_id" in rows, problem=problem)


def _problem_of_tasks(kinds: dict[str, str], settable: frozenset[str]) -> str | None:
    if not kinds:
        return "the blog has no content_tasks"
    if "task_id" not in kinds:
        return "the blog's content_tasks has no column task_id"
    if settable.intersection(PICTURE):
        return None
    names = " and ".join(name for name in PICTURE if name in kinds)
    if not names:
        return f"the blog's content_tasks has neither {' nor '.join(PICTURE)}: a picture has no place in it"
    if kinds["task_id"] in ("r", "p"):
        return f"the blog's content_tasks fills {names} itself: a picture cannot be written into it"
    return (
        f"the blog's content_tasks is no table, and {names} of it cannot be set: give it an INSTEAD OF UPDATE trigger "
        "that puts the picture where it belongs"
    )


def problem_of_task(task_id: str, tasks: ContentTasks, known: Collection[str]) -> str | None:
    """Why a row with this task id, without a title and without a post_id, cannot get a task its picture; or None."""
    if tasks.problem is None and task_id in known:
        return None
    return f"task_id {quoted(task_id)}: {tasks.problem or NO_SUCH_TASK}. {OTHERWISE}"
