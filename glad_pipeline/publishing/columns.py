"""The columns of the blog's tables as they are in this database: the blog owns them, and they differ.

Here: looking them up, and composing the part of an UPDATE that sets them. Which values go where is for the modules that
write.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg import sql

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.records import records_of

SQL = named_queries(__package__, "columns.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column of a table of the blog's."""

    name: str
    type: str  # as PostgreSQL writes it, without its width
    width: int | None  # characters of a varchar
    owed: bool  # NOT NULL without a default


def columns_of(connection: Connection, table: str) -> dict[str, Column]:
    """The columns of the table of this name on the search path; none if there is no such table."""
    rows = connection.execute(SQL["columns_of"], {"table": table})
    return {column.name: column for column in records_of(Column, rows)}


def assignments(columns: Iterable[str]) -> list[sql.Composed]:
    """`column = %(column)s` for each of these."""
    return [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns]
