"""The blog's content tasks: which there are, and what they are told of their picture, in the caller's transaction.

Their state belongs to the blog and is not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from psycopg import sql

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.publishing.columns import assignments, columns_of
from glad_pipeline.records import DuePrompt

SQL = named_queries(__package__, "tasks.sql")


class Tasks:
    """The table `content_tasks` as it is in this database."""

    def __init__(self, connection: Connection) -> None:
        self.columns = columns_of(connection, "content_tasks")

    def existing(self, connection: Connection, ids: Sequence[str]) -> set[str]:
        """Those of these task ids that the blog has."""
        if not ids or "task_id" not in self.columns:
            return set()
        return {row["task_id"] for row in connection.execute(SQL["existing_tasks"], {"ids": list(ids)})}

    def illustrate(self, connection: Connection, prompts: Sequence[DuePrompt]) -> None:
        """Tell the tasks of these prompts where their picture is."""
        for each in prompts:
            given = {
                "s3_image_url": each.image_url,
                "featured_image_url": each.image_url,
                "featured_image_prompt": each.prompt,
                "updated_at": datetime.now(UTC),
            }
            values = {name: value for name, value in given.items() if name in self.columns}
            statement = sql.SQL("UPDATE content_tasks SET {} WHERE task_id = {}").format(
                sql.SQL(", ").join(assignments(values)), sql.Placeholder("task")
            )
            connection.execute(statement, {**values, "task": each.task_id})

    def clear(self, connection: Connection, tasks: Sequence[str], url: str) -> None:
        """These tasks show the picture with this URL no more, nor say how it was made."""
        shown = [name for name in ("s3_image_url", "featured_image_url") if name in self.columns]
        if not tasks or not shown:
            return
        pairs = [sql.SQL("{0} = nullif({0}, %(url)s)").format(sql.Identifier(name)) for name in shown]
        if "featured_image_prompt" in self.columns:
            pairs.append(sql.SQL("featured_image_prompt = NULL").format())
        which = sql.SQL(" OR ").join(sql.SQL("{} = %(url)s").format(sql.Identifier(name)) for name in shown)
        statement = sql.SQL("UPDATE content_tasks SET {} WHERE task_id = ANY(%(tasks)s) AND ({})")
        connection.execute(statement.format(sql.SQL(", ").join(pairs), which), {"url": url, "tasks": list(tasks)})
