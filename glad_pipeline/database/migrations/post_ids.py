"""The columns of ours that hold a post's id have the type of the blog's ids: uuid, bigint or text.

Looked at by each `migrate`, since the blog may have been given another kind of ids, or the settings another table. Rows
keep their ids; where one is none of the new type, nothing is changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import Connection, DatabaseError, named_queries
from glad_pipeline.database.blog import regclass
from glad_pipeline.records import records_of

SQL = named_queries(__package__, "post_ids.sql")
# Which texts are no id of each type, in SQL; any text is a text
_UNFIT = {
    "uuid": r"{id}::text !~ '^\{{?([0-9a-fA-F]{{4}}-?){{8}}\}}?$'",
    "bigint": (
        "CASE WHEN {id}::text ~ '^-?[0-9]{{1,19}}$'"
        " THEN {id}::text::numeric NOT BETWEEN -9223372036854775808 AND 9223372036854775807 ELSE {id} IS NOT NULL END"
    ),
}


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
    """Raise `DatabaseError` where ids of old rows are none of the new type, or a view stands in the way of another."""
    present = [column for column in columns if column.present]
    for column in present:
        if column.wanted not in _UNFIT:
            continue
        row = connection.execute(
            f"SELECT count(*) AS count, min({column.column_name}::text) AS first"  # noqa: S608  names of ours
            f" FROM {column.table_name} WHERE {_unfit(column)}".encode()
        ).fetchone()
        if row and row["count"]:
            name = f"{column.table_name}.{column.column_name}"
            raise DatabaseError(
                f"the blog's posts have ids of type {column.wanted}, and {row['count']} rows have in {name} what is "
                f"none (the first: {row['first']}): they are of another blog. Nothing was changed. Keep a copy of them "
                f"(`glad prompts export FILE`), empty them with {_emptying(column)}, and run this again"
            )

    for column in present:
        given = {"table_name": column.table_name, "column_name": column.column_name}
        if names := [row["name"] for row in connection.execute(SQL["dependents"], given)]:
            raise DatabaseError(
                f"{column.table_name}.{column.column_name} has to become {column.wanted}, as the ids of the blog's "
                f"posts are, and PostgreSQL retypes no column that others name: {', '.join(names)}. Nothing was "
                "changed. Note how they are made (pg_get_viewdef), drop them, run this again, and make them anew"
            )


def _unfit(column: Retyped) -> str:
    return _UNFIT[column.wanted].format(id=column.column_name)


def _emptying(column: Retyped) -> str:
    which = f"WHERE {_unfit(column)}"
    if column.table_name == "post_writes":
        return f"DELETE FROM post_writes {which}"  # noqa: S608  said, not run
    return f"UPDATE {column.table_name} SET {column.column_name} = NULL {which}"  # noqa: S608
