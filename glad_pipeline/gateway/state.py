"""What one gateway process has, for every request: settings, and two ways to the database.

Reads that every visitor makes go through `pool`, on the event loop. Whatever changes something, or is an operation that
the terminal has too, is a function that blocks: it gets `database` in a thread (`State.blocking`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import anyio.to_thread
import psycopg
from anyio import CapacityLimiter
from fastapi import Depends, FastAPI, Request

from glad_pipeline.database import Database, DatabaseError, at_most
from glad_pipeline.database.pool import Pool
from glad_pipeline.errors import GladError
from glad_pipeline.gateway.problems import AGAIN, Problem
from glad_pipeline.gateway.rates import Rates
from glad_pipeline.settings import Settings

if TYPE_CHECKING:
    from glad_pipeline.storage.protocol import ObjectStore

Answer = TypeVar("Answer")
VISITORS = 40  # threads for what any visitor asks for: files, and a look at the blog's schema
CONNECTIONS = 8  # of each of the two ways
LOOKING = 5.0  # seconds of PostgreSQL's for a statement that looks for rows by what has no index
CALLER = "glad.caller"  # in the scope of a request: the name of its key, for the log


@dataclass(frozen=True, kw_only=True)
class State:
    """One process'."""

    settings: Settings
    database: Database  # blocks: for `blocking`
    pool: Pool
    looks: Database  # blocks: for looks at the blog's schema, which visitors wait for
    rates: Rates
    visitors: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(VISITORS))

    @cached_property
    def store(self) -> ObjectStore:
        """The object store; opened by the first who wants it, which takes as long as many a request."""
        from glad_pipeline.storage.opening import open_store

        return open_store(self.settings)

    async def blocking(self, work: Callable[..., Answer], *given: Any, **named: Any) -> Answer:
        """`work(*given, **named)` in a thread; a client that hangs up does not interrupt it."""
        return await anyio.to_thread.run_sync(partial(work, *given, **named))

    async def looking(self, work: Callable[..., Answer], *given: Any, **named: Any) -> Answer:
        """The same for a list with filters. Raises `Problem` where a statement takes longer than LOOKING."""

        def bounded() -> Answer:
            at_most.set(LOOKING)  # of this thread's context, which ends with it
            return work(*given, **named)

        try:
            return await anyio.to_thread.run_sync(bounded)
        except (DatabaseError, psycopg.errors.QueryCanceled) as error:
            if not isinstance(error.__cause__ or error, psycopg.errors.QueryCanceled):
                raise
            text = f"this takes longer than {LOOKING:g} s: choose by something that more rows have, or a shorter time"
            raise Problem(503, text, headers={"Retry-After": str(AGAIN)}) from error

    async def for_visitor(self, work: Callable[..., Answer], *given: Any) -> Answer:
        """The same, in a thread that no work of the studio's can hold."""
        return await anyio.to_thread.run_sync(work, *given, limiter=self.visitors)


@asynccontextmanager
async def state_of(settings: Settings, rates: Rates) -> AsyncIterator[State]:
    """Opened without asking the database: it may be away when the gateway starts."""
    if settings.database_url is None:
        raise GladError("DATABASE_URL is not set: start the gateway with ./glad up, or set it")
    url = settings.database_url.get_secret_value()
    database = Database(url, max_connections=CONNECTIONS, application_name="glad gateway", blog=settings.blog)
    pool = Pool(url, connections=CONNECTIONS, application_name="glad gateway", blog=settings.blog)
    looks = Database(url, max_connections=1, application_name="glad gateway", blog=settings.blog)
    with database, looks:
        async with pool:
            yield State(settings=settings, database=database, pool=pool, looks=looks, rates=rates)


async def _state(request: Request) -> State:  # a plain function would be called in a thread, at 50 µs and more
    app: FastAPI = request.app
    state: State = app.state.glad
    return state


Here = Annotated[State, Depends(_state)]
