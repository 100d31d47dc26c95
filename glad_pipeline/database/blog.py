"""The blog's posts under their own names: what a connection makes of `{posts}` and `{posts_name}` in our SQL.

`{posts} AS alias` is where posts are read: their table, or, where columns or states have other names, a subquery that
gives them ours. PostgreSQL takes such a subquery apart, so that indexes and `FOR UPDATE` work as on the table.
`{posts_name}` is the table's name as a text, for `to_regclass`. Writes are composed in `publishing/`, by `names_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, ClassVar

import psycopg
from psycopg import errors, sql
from psycopg.rows import DictRow, tuple_row

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.errors import UnavailableError

_COLUMNS = """
    SELECT attname FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
      AND has_column_privilege(attrelid, attnum, 'SELECT') ORDER BY attnum
"""


class _Renders:
    """What our cursors have in common."""

    blog: ClassVar[BlogNames]
    placeholders: ClassVar[dict[str, str]]  # what stands in our SQL, to what it is in this database

    def rendered(self, query: Any, *, bound: bool) -> Any:
        """The statement with the blog's own names; one that was composed has them already.

        `bound`: values are bound to it: then psycopg reads each % as the beginning of one, but for %%.
        """
        if isinstance(query, str) and "{posts" in query:
            for placeholder, name in self.placeholders.items():
                # our own text and quoted names
                query = query.replace(placeholder, name.replace("%", "%%") if bound else name)
        return query


class _Cursor(_Renders, psycopg.Cursor[Any]):
    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(self.rendered(query, bound=params is not None), params, **options)

    def executemany(self, query: Any, *params: Any, **options: Any) -> None:
        super().executemany(self.rendered(query, bound=True), *params, **options)


class _AsyncCursor(_Renders, psycopg.AsyncCursor[Any]):
    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return await super().execute(self.rendered(query, bound=params is not None), params, **options)


class _ServerCursor(_Renders, psycopg.ServerCursor[Any]):
    def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        return super().execute(self.rendered(query, bound=params is not None), params, **options)


def know_blog(connection: psycopg.Connection[DictRow], names: BlogNames) -> None:
    """Have a new connection render the blog's names. Asks the database only where columns or states are renamed."""
    relation = read_as(names, _columns(connection, names) if names.columns or names.statuses else ())
    connection.cursor_factory, connection.server_cursor_factory = _cursors(names, relation)


async def know_blog_async(connection: psycopg.AsyncConnection[DictRow], names: BlogNames) -> None:
    """The same for a connection of an event loop."""
    columns: tuple[str, ...] = ()
    if names.columns or names.statuses:
        async with connection.cursor(row_factory=tuple_row) as cursor:
            found = await cursor.execute(_COLUMNS, [regclass(names)])
            columns = tuple(name for (name,) in await found.fetchall())
    connection.cursor_factory = _async_cursor(names, read_as(names, columns))


def names_of(connection: psycopg.Connection[Any]) -> BlogNames:
    """What the blog's posts are called on this connection."""
    return getattr(connection.cursor_factory, "blog", BlogNames())


def has_posts(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is a table of posts to look at.

    Raises `UnavailableError`, with the GRANT, where its schema is closed to us.
    """
    names = names_of(connection)
    with _seen(connection, names), connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [regclass(names)]).fetchone()
    return bool(found and found[0])


def regclass(names: BlogNames) -> str:
    """The table's name as `to_regclass` takes it."""
    return sql.Identifier(*names.table).as_string(None)


def read_as(names: BlogNames, columns: Iterable[str]) -> str:
    """What stands for the posts in a FROM, before its alias: the table, or a subquery over the columns it has."""
    table = sql.Identifier(*names.table)
    told = [(name, ours) for name in columns if (ours := names.ours(name))]
    if not told:
        return table.as_string(None)
    parts = [_column(names, name, ours) for name, ours in told]
    return sql.SQL("(SELECT {} FROM {} AS theirs)").format(sql.SQL(", ").join(parts), table).as_string(None)


def _column(names: BlogNames, name: str, ours: str) -> sql.Composed:
    own = sql.SQL("theirs.{}").format(sql.Identifier(name))
    if ours != "status" or not names.statuses:
        return sql.SQL("{} AS {}").format(own, sql.Identifier(ours))
    cases = [
        sql.SQL("WHEN {} THEN {}").format(sql.Literal(theirs), sql.Literal(state)) for state, theirs in names.statuses
    ]
    text = sql.SQL("{}::text").format(own)
    return sql.SQL("CASE {0} {1} ELSE {0} END AS status").format(text, sql.SQL(" ").join(cases))


def _columns(connection: psycopg.Connection[DictRow], names: BlogNames) -> tuple[str, ...]:
    with _left_as_it_was(connection), _seen(connection, names), connection.cursor(row_factory=tuple_row) as cursor:
        return tuple(name for (name,) in cursor.execute(_COLUMNS, [regclass(names)]))


@contextmanager
def _seen(connection: psycopg.Connection[Any], names: BlogNames) -> Iterator[None]:
    """`to_regclass` answers nothing for a table that is not there, and raises for a schema that is closed to us."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise UnavailableError(
            f"the table `{names}` cannot be seen: {error.diag.message_primary}: "
            f'GRANT USAGE ON SCHEMA "{names.table[0]}" TO "{connection.info.user}"'
        ) from error


@contextmanager
def _left_as_it_was(connection: psycopg.Connection[DictRow]) -> Iterator[None]:
    """No transaction is begun by a look."""
    yield
    if not connection.autocommit:
        connection.rollback()


@lru_cache(maxsize=64)
def _cursors(names: BlogNames, relation: str) -> tuple[type[_Cursor], type[_ServerCursor]]:
    given = _given(names, relation)
    return type("Cursor", (_Cursor,), given), type("ServerCursor", (_ServerCursor,), given)


@lru_cache(maxsize=64)
def _async_cursor(names: BlogNames, relation: str) -> type[_AsyncCursor]:
    return type("AsyncCursor", (_AsyncCursor,), _given(names, relation))


def _given(names: BlogNames, relation: str) -> dict[str, Any]:
    posts = {"{posts}": relation, "{posts_name}": sql.Literal(regclass(names)).as_string(None)}
    return {"blog": names, "placeholders": posts}
