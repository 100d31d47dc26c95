"""LISTEN, for an event loop: one connection that says when something was notified. Knows no table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from psycopg import AsyncConnection, Error, sql
from psycopg.rows import dict_row

from glad_pipeline.database import DatabaseError, describe, first_words
from glad_pipeline.database.sessions import openings, set_async

PROOF = 2.0  # seconds in which a notification of our own has to be heard


class NotHeard(DatabaseError):
    """What is between the server and us passes no notifications on."""


async def notifications(
    url: str, channel: str, *, application_name: str, ring: Callable[[], Awaitable[object]]
) -> AsyncIterator[None]:
    """Once as soon as the channel is listened to, and then for each notification.

    `ring` has to notify the channel from another connection: a pooler in transaction mode takes LISTEN, and passes
    nothing on. Raises `NotHeard` there, and `DatabaseError` where the connection is refused or lost.
    """
    parameters, settings = openings(url)
    try:
        async with await AsyncConnection.connect(
            **parameters, application_name=application_name, autocommit=True, row_factory=dict_row
        ) as connection:
            await set_async(connection, settings)
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
            await ring()
            if not [each async for each in connection.notifies(timeout=PROOF, stop_after=1)]:
                raise NotHeard(
                    f"{describe(url)} passes no notifications on, as a pooler in transaction mode does: give each "
                    "client a session of its own (docs/setup.md)"
                )
            yield
            while True:
                await _readable(connection.fileno())
                async for _ in connection.notifies(timeout=0):
                    yield
    except Error as error:
        raise DatabaseError(f"the database {describe(url)} is not listened to: {first_words(error)}") from error


async def _readable(descriptor: int) -> None:
    """Until something has come. psycopg alone would look ten times a second."""
    loop, came = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(descriptor, came.set)
    try:
        await came.wait()
    finally:
        loop.remove_reader(descriptor)
