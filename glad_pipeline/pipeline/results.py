"""Reads what is in the tables, for every door: images and posts of named prompts, and how the table `prompts` stands.

A list of posts, or any other read that two doors need, belongs here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glad_pipeline.database import Connection, named_queries

SQL = named_queries(__package__, "results.sql")


def rows_of(connection: Connection, table: str, prompt_ids: Sequence[int]) -> tuple[list[str], list[dict[str, Any]]]:
    """Columns and rows of `prompts`, `images` or `posts` that belong to these prompts, in the order of their ids."""
    found = connection.execute(SQL[table], {"ids": list(prompt_ids)})
    return [column.name for column in found.description or ()], found.fetchall()


def newest_prompt(connection: Connection) -> int:
    """The greatest id in `prompts`; 0 where there is none."""
    row = connection.execute(SQL["newest_prompt"]).fetchone()
    return int(row["id"]) if row else 0


def prompts_now(connection: Connection) -> dict[str, int]:
    """How many `rows` there are, by estimate, and how many are `pending` and `in_work`: 1,000 stands for more."""
    return dict(connection.execute(SQL["prompts_now"]).fetchone() or {})


def newest_takedown(connection: Connection) -> int:
    """The number of the last takedown; 0 where there was none."""
    row = connection.execute(SQL["newest_takedown"]).fetchone()
    return int(row["id"]) if row else 0


def takedowns_since(connection: Connection, last: int) -> dict[int, str]:
    """Up to 100 takedowns after that one: number to what went, `post:<id>` or `image:<key>`."""
    return {row["id"]: row["subject"] for row in connection.execute(SQL["takedowns_since"], {"last": last})}


def columns_of(connection: Connection, table: str) -> list[tuple[str, str]]:
    """Name and type of each column of a table on the search path, in order."""
    return [(row["name"], row["type"]) for row in connection.execute(SQL["columns_of"], {"table": table})]
