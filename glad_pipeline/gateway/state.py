"""What one gateway process has, for every request: settings, and two ways to the database.

Reads that every visitor makes go through `pool`, on the event loop. Whatever changes something, or is an operation that
the terminal has too, is a function that blocks: it gets `database` in a thread (`State.blocking`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

import anyio.to_thread
from fastapi import Depends, FastAPI, Request

from glad_pipeline.database import Database
from glad_pipeline.database.pool import Pool
from glad_pipeline.errors import GladError
from glad_pipeline.settings import Settings

Answer = TypeVar("Answer")
CONNECTIONS = 8  # of each of the two ways


@dataclass(frozen=True, kw_only=True)
class State:
    """One process'."""

    settings: Settings
    database: Database  # blocks: for `blocking`
    pool: Pool

    async def blocking(self, work: Callable[..., Answer], *given: Any, **named: Any) -> Answer:
        """`work(*given, **named)` in a thread; a client that hangs up does not interrupt it."""
        return await anyio.to_thread.run_sync(partial(work, *given, **named))


@asynccontextmanager
async def state_of(settings: Settings) -> AsyncIterator[State]:
    """Opened without asking the database: it may be away when the gateway starts."""
    if settings.database_url is None:
        raise GladError("DATABASE_URL is not set: start the gateway with ./glad up, or set it")
    url = settings.database_url.get_secret_value()
    database = Database(url, max_connections=CONNECTIONS, application_name="glad gateway", blog=settings.blog)
    pool = Pool(url, connections=CONNECTIONS, application_name="glad gateway", blog=settings.blog)
    with database:
        async with pool:
            yield State(settings=settings, database=database, pool=pool)


def _state(request: Request) -> State:
    app: FastAPI = request.app
    state: State = app.state.glad
    return state


Here = Annotated[State, Depends(_state)]
