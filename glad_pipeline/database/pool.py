"""Connections for an event loop: reads of many callers at once. Knows no table.

psycopg's own pool, each of its connections made as every session of ours is (`sessions.py`). A server that is away is
said so at once, and is asked again by the next caller.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString

from psycopg import AsyncConnection, Error
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import DatabaseError, describe, first_words
from glad_pipeline.database.blog import know_blog_async
from glad_pipeline.database.reading import read_everything
from glad_pipeline.database.sessions import openings, set_async

WAIT = 2.0  # seconds for a free connection
Bound = Mapping[str, Any] | Sequence[Any] | None


class Pool:
    """A context manager that closes them. Its statements may name the blog's posts as `{posts}`."""

    def __init__(self, url: str, *, connections: int, application_name: str, blog: BlogNames) -> None:
        self._url = url
        self._blog = blog
        parameters, self._settings = openings(url)
        self._pool: AsyncConnectionPool[AsyncConnection[DictRow]] = AsyncConnectionPool(
            kwargs={**parameters, "application_name": application_name, "autocommit": True, "row_factory": dict_row},
            connection_class=AsyncConnection[DictRow],
            min_size=0,
            max_size=connections,
            timeout=WAIT,
            reconnect_timeout=WAIT,
            configure=self._configure,
            open=False,
        )

    async def __aenter__(self) -> Pool:
        await self._pool.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    async def _configure(self, connection: AsyncConnection[DictRow]) -> None:
        await set_async(connection, self._settings)
        read_everything(connection)
        await know_blog_async(connection, self._blog)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection[DictRow]]:
        """One connection, in autocommit. Raises `DatabaseError` where none can be had, or it is lost meanwhile."""
        try:
            async with self._pool.connection() as connection:
                yield connection
        except PoolTimeout as error:
            raise DatabaseError(f"the database {describe(self._url)} gave no connection within {WAIT:.0f} s") from error
        except Error as error:
            raise DatabaseError(f"the database {describe(self._url)} did not answer: {first_words(error)}") from error

    async def rows(self, statement: LiteralString | bytes, bound: Bound = None) -> list[DictRow]:
        """The rows of one statement. Raises `DatabaseError`."""
        async with self.connection() as connection:
            return await (await connection.execute(statement, bound)).fetchall()

    async def row(self, statement: LiteralString | bytes, bound: Bound = None) -> DictRow | None:
        """Its first row; None: it has none."""
        async with self.connection() as connection:
            return await (await connection.execute(statement, bound)).fetchone()
