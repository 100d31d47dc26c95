"""The columns of ours that hold a post's id have the type of the blog's ids: uuid, bigint or text.

Looked at by each `migrate`, since the blog may have been given another kind of ids, or the settings another table. Rows
keep their ids; where one is none of the new type, nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from psycopg import sql

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import Connection, DatabaseError, named_queries
from glad_pipeline.database.blog import regclass
from glad_pipeline.records import records_of

SQL = named_queries(__package__, "post_ids.sql")
# What an id of each type looks like, as a regular expression of PostgreSQL's; any text is a text
_SHAPES = {"uuid": r"^\{?([0-9a-fA-F]{4}-?){8}\}?$", "bigint": r"^-?[0-9]{1,18}$"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Retyped:
    """A column of ours, and the type that it has to get."""

    table_name: str
    column_name: str
    wanted: str  # uuid, bigint or text
    present: bool  # false: a pending step is yet to make it


def to_retype(connection: Connection, schema: str, names: BlogNames) -> list[Retyped]:
    """The columns whose type is not the blog's; none where the blog is yet to be made. One query."""
    given = {"posts": regclass(names), "id": names.theirs("id"), "schema": schema}
    return records_of(Retyped, connection.execute(SQL["to_retype"], given))


def retype_sql(wanted: str) -> str:
    """What gives them that type, in one transaction."""
    text = files(__package__).joinpath("retype.sql").read_text(encoding="utf-8")
    return text.replace("{type}", wanted)


def require_convertible(connection: Connection, columns: list[Retyped]) -> None:
    """Raise `DatabaseError`, with how many and the first, where ids of old rows are none of the new type."""
    for column in columns:
        if not column.present or column.wanted not in _SHAPES:
            continue
        row = connection.execute(
            sql.SQL("SELECT count(*) AS count, min({0}::text) AS first FROM {1} WHERE {0}::text !~ {2}").format(
                sql.Identifier(column.column_name), sql.Identifier(column.table_name), _SHAPES[column.wanted]
            )
        ).fetchone()
        if row and row["count"]:
            name = f"{column.table_name}.{column.column_name}"
            raise DatabaseError(
                f"the blog's posts have ids of type {column.wanted}, and {row['count']} rows have in {name} what is "
                f"none (the first: {row['first']}): they are of another blog. Nothing was changed. Keep a copy of them "
                f"(`glad prompts export FILE`), empty them with {_emptying(column)}, and run this again"
            )


def _emptying(column: Retyped) -> str:
    which = f"WHERE {column.column_name}::text !~ '{_SHAPES[column.wanted]}'"
    if column.table_name == "post_writes":
        return f"DELETE FROM post_writes {which}"  # noqa: S608  said, not run
    return f"UPDATE {column.table_name} SET {column.column_name} = NULL {which}"  # noqa: S608
