"""Parts of statements that are composed: what has to hold, the first of several places, JSON of an object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql


def json_of(parts: Mapping[str, sql.Composable]) -> sql.Composed:
    """These as a JSON object, as a text."""
    named = (sql.SQL("{} AS {}").format(part, sql.Identifier(name)) for name, part in parts.items())
    return sql.SQL("row_to_json((SELECT r FROM (SELECT {}) AS r))::text").format(sql.SQL(", ").join(named))


def first_of(places: Sequence[sql.Composable]) -> sql.Composable:
    """The first that is something."""
    return sql.SQL("coalesce({}, NULL)").format(sql.SQL(", ").join(places)) if places else sql.SQL("NULL::text")


def any_of(ways: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL("({})").format(sql.SQL(" OR ").join(ways)) if ways else sql.SQL("false")


def known(ids: sql.Composable | None, condition: sql.Composable) -> sql.Composable:
    """Of a category or tag that there is: PostgreSQL looks for it first, and reads no post where there is none."""
    return condition if ids is None else sql.SQL("({} IS NOT NULL AND {})").format(ids, condition)


def all_of(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL("coalesce({}, false)").format(sql.SQL(" AND ").join(conditions or [sql.SQL("true")]))


def where(conditions: Sequence[sql.Composable]) -> sql.Composable:
    return sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL("")


def as_bytes(statement: sql.Composable) -> bytes:
    return statement.as_bytes(None)
