"""What the blog's `content_tasks` is like: a table, a view or absent, which tasks it has, and what may be set.

For those who take a row that asks for a task's picture as well as for those who write it. Knows no prompt and no post.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from glad_pipeline.database import Connection, DatabaseError, named_queries
from glad_pipeline.display import quoted

SQL = named_queries(__package__, "content_tasks.sql")
PICTURE = ("s3_image_url", "featured_image_url")  # where a task keeps its picture: one of them at least
TOLD = (*PICTURE, "featured_image_prompt", "updated_at")  # all that is written of a task

NUMBERS = frozenset({"smallint", "integer", "bigint"})  # types of whole numbers

NO_SUCH_TASK = "the blog's content_tasks has no such task"
OTHERWISE = "With a title the row becomes a post; a key of your own goes into idempotency_key"


@dataclass(frozen=True, kw_only=True, slots=True)
class ContentTasks:
    """The table or view as it is in this database."""

    columns: frozenset[str]  # of TOLD, those that can be set
    readable: bool  # it is there, and we may read its task ids
    type: str  # of its task ids; of a domain its base
    problem: str | None  # why no task of it can get a picture, and what to do; None: it can
    denied: str | None  # else: which right we lack for that, with the GRANT; None: none

    def known(self, connection: Connection, ids: Collection[str]) -> dict[str, str]:
        """Those of these task ids that the blog has, each with how the blog writes it."""
        theirs = {each: _as_blog(each, self.type) for each in ids} if self.readable else {}
        wanted = sorted({each for each in theirs.values() if each is not None})
        if not wanted:
            return {}
        query = "known_uuids" if self.type == "uuid" else "known_numbers" if self.type in NUMBERS else "known"
        there = {row["task_id"] for row in connection.execute(SQL[query], {"ids": wanted})}
        return {ours: found for ours, found in theirs.items() if found is not None and found in there}

    def require_rights(self) -> None:
        """Raises `DatabaseError`, with the GRANT, where we may not write what a task is told, or not read it."""
        if self.denied is not None:
            raise DatabaseError(self.denied)


def _as_blog(task_id: str, kind: str) -> str | None:
    """A task id as PostgreSQL writes it in a column of this type; None: it cannot be in one."""
    if kind == "uuid":
        try:
            return str(UUID(task_id))
        except ValueError:
            return None
    if kind in NUMBERS:
        is_number = re.fullmatch(r"-?[1-9][0-9]{0,17}|0", task_id)
        return task_id if is_number else None
    return task_id


def look_at_tasks(connection: Connection) -> ContentTasks:
    """What there is of it, and what of it is ours to read and write."""
    rows = {row["name"]: row for row in connection.execute(SQL["look"])}
    settable = frozenset(name for name in TOLD if name in rows and rows[name]["can_be_set"])
    problem = _problem_of_tasks({name: row["kind"] for name, row in rows.items()}, settable)
    columns = [name for name in ("task_id", *TOLD) if name in rows]
    lacking = [name for name in columns if not rows[name]["readable"]]
    lacking += [name for name in sorted(settable) if not rows[name]["writable"]]
    denied = None
    if lacking and problem is None:
        user = connection.info.user
        denied = (
            f"user {user!r} may not read or write {', '.join(dict.fromkeys(lacking))} of the blog's content_tasks. "
            f'As its owner run: GRANT SELECT, UPDATE ON content_tasks TO "{user}"'
        )
    own = rows.get("task_id")
    return ContentTasks(
        columns=settable,
        readable=own is not None and own["readable"],
        type=own["type"] if own is not None else "",
        problem=problem,
        denied=denied,
    )


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
    """Why a row with this task id, without a title and without a post_id, cannot get a task its picture; or None.

    Raises `DatabaseError`, with the GRANT, where nothing but a right of ours is missing.
    """
    if tasks.problem is None and (task_id in known or not tasks.readable):
        tasks.require_rights()
        return None
    return f"task_id {quoted(task_id)}: {tasks.problem or NO_SUCH_TASK}. {OTHERWISE}"
