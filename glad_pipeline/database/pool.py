"""Connections for an event loop: reads of many callers at once. Knows no table.

As `Database` keeps its own and for the same reasons: psycopg's pool says "timeout" after seconds where the server has
said at once why, and tries a server that is back at intervals of its own. Reads in autocommit need no session, so a
pooler in transaction mode serves them too.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from psycopg import AsyncConnection, Error
from psycopg.abc import QueryNoTemplate
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow, dict_row

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import DatabaseError, describe, first_words
from glad_pipeline.database.blog import know_blog_async
from glad_pipeline.database.reading import read_everything
from glad_pipeline.database.sessions import openings, set_async

WAIT = 2.0  # seconds for a free connection
ANSWER = 10.0  # seconds for what a connection is used for, and for a new one to be made
STATEMENT = {"statement_timeout": "8s"}  # so that what is cut ends in the server too; a URL may say another
Bound = Mapping[str, Any] | Sequence[Any] | None


class Pool:
    """A context manager that closes them. Its statements may name the blog's posts as `{posts}`."""

    def __init__(self, url: str, *, connections: int, application_name: str, blog: BlogNames) -> None:
        self._url = url
        self._blog = blog
        self._most = connections
        parameters, self._settings = openings(url)
        self._parameters = {**parameters, "application_name": application_name}
        self._free = asyncio.Semaphore(connections)
        self._idle: list[AsyncConnection[DictRow]] = []

    async def __aenter__(self) -> Pool:
        return self

    async def __aexit__(self, *_: object) -> None:
        while self._idle:
            await self._idle.pop().close()

    @asynccontextmanager
    async def connection(self, *, within: float = ANSWER) -> AsyncIterator[AsyncConnection[DictRow]]:
        """One connection, in autocommit, which is cut after so many seconds.

        Raises `DatabaseError` where none can be had, or it is lost meanwhile.
        """
        try:
            await asyncio.wait_for(self._free.acquire(), min(WAIT, within))
        except TimeoutError as error:
            raise DatabaseError(
                f"all {self._most} connections of this process to {describe(self._url)} were busy for {WAIT:.0f} s"
            ) from error
        try:
            async with self._used(within) as connection:
                yield connection
        except (Error, TimeoutError) as error:
            raise DatabaseError(f"the database {describe(self._url)} did not answer: {first_words(error)}") from error
        finally:
            self._free.release()

    async def rows(self, statement: QueryNoTemplate, bound: Bound = None, *, within: float = ANSWER) -> list[DictRow]:
        """The rows of one statement. Raises `DatabaseError`."""
        async with self.connection(within=within) as connection:
            return await (await connection.execute(statement, bound)).fetchall()

    async def row(self, statement: QueryNoTemplate, bound: Bound = None, *, within: float = ANSWER) -> DictRow | None:
        """Its first row; None: it has none."""
        async with self.connection(within=within) as connection:
            return await (await connection.execute(statement, bound)).fetchone()

    @asynccontextmanager
    async def _used(self, within: float) -> AsyncIterator[AsyncConnection[DictRow]]:
        connection = await self._living()
        if connection is None:
            connection = await asyncio.wait_for(self._connected(), within)
        try:
            with _cut_after(connection, within):
                yield connection
        finally:
            if connection.info.transaction_status == TransactionStatus.IDLE:
                self._idle.append(connection)
            else:
                await connection.close()

    async def _living(self) -> AsyncConnection[DictRow] | None:
        """The connection used last; not one that the server has closed meanwhile: there is something to read on it."""
        while self._idle:
            connection = self._idle.pop()
            if not _has_something_to_say(connection):
                return connection
            await connection.close()
        return None

    async def _connected(self) -> AsyncConnection[DictRow]:
        connection = await AsyncConnection.connect(**self._parameters, autocommit=True, row_factory=dict_row)
        try:
            await set_async(connection, self._settings, if_direct=STATEMENT)
            read_everything(connection)
            await know_blog_async(connection, self._blog)
        except BaseException:
            await connection.close()
            raise
        return connection


def _has_something_to_say(connection: AsyncConnection[DictRow]) -> bool:
    line = select.poll()
    line.register(connection.pgconn.socket, select.POLLIN)
    return bool(line.poll(0))


@contextmanager
def _cut_after(connection: AsyncConnection[DictRow], seconds: float) -> Any:
    """Cut the line if the block takes longer: it then raises `psycopg.OperationalError`.

    Not a cancelled task: psycopg would ask the server to cancel, and wait for a server that says nothing.
    """

    def cut() -> None:
        with suppress(OSError, Error), socket.socket(fileno=os.dup(connection.pgconn.socket)) as line:
            line.shutdown(socket.SHUT_RDWR)

    timer = asyncio.get_running_loop().call_later(seconds, cut)
    try:
        yield
    finally:
        timer.cancel()
