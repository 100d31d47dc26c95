"""What one gateway process reads of the blog: by statements that are made once for its schema, and its totals.

The schema is looked at again each minute, and at once where a statement meets another one than was seen.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg
from fastapi import Request
from psycopg.rows import DictRow

from glad_pipeline.database import DatabaseError
from glad_pipeline.gateway.problems import AGAIN, Problem
from glad_pipeline.gateway.state import State
from glad_pipeline.publishing.post_reading import COUNTED, Asked, PostReading, look_for_reading

SCHEMA_SECONDS = 60.0  # after which the blog's schema is looked at again
TOTAL_SECONDS = 30.0  # for which an estimated total is kept
TOTALS = 1_000  # that are kept
KEPT_SECONDS, STALE_SECONDS = 60.0, 600.0  # for which what reads all posts is kept, if reading them takes long
SHARE = 0.01  # of the time that may go into reading them: what takes less is kept as much shorter, and waited for
SEARCH_SECONDS = 1.0  # of PostgreSQL's for one search: titles, categories and tags have no index on every blog
SEARCH_WAIT = 1.0  # seconds for one's turn to search
SEARCHES = 2  # at once: the other connections are for readers who ask for less
MANY_WAIT = 8.0  # seconds for one's turn to read a chunk of a sitemap: the site waits no longer

Composed = Callable[[PostReading], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Total:
    """How many posts there are."""

    posts: int
    is_exact: bool
    until: float = 0.0  # by the monotonic clock


@dataclass(slots=True)
class _Kept:
    """An answer, and the task that asks anew."""

    value: Any = None
    at: float = float("-inf")
    took: float = 0.0  # seconds
    renewal: asyncio.Task[None] | None = None
    problem: Problem | None = None  # of the last time: it took too long
    failed_at: float = float("-inf")

    async def renew(self, make: Callable[[], Awaitable[Any]]) -> None:
        began = time.monotonic()
        try:
            self.value, self.at = await make(), began
            self.took = time.monotonic() - began
        except Problem as problem:
            self.problem, self.failed_at = problem, time.monotonic()
            raise
        finally:
            self.renewal = None


class BlogReads:
    """One process'."""

    def __init__(self, state: State) -> None:
        self.state = state
        self._reading: PostReading | None = None
        self._looked_at = float("-inf")
        self._look: asyncio.Task[None] | None = None  # that is under way, for all who wait for it
        self._searching = asyncio.Semaphore(SEARCHES)
        self._kept: dict[str, _Kept] = {}
        self._reading_all = asyncio.Semaphore(1)
        self._reading_many = asyncio.Semaphore(1)
        self._totals: OrderedDict[tuple[object, ...], Total] = OrderedDict()

    async def rows(self, composed: Composed, bound: dict[str, Any], *, search: bool = False) -> list[DictRow]:
        """The rows of a statement; `search`: it may read many posts, waits for its turn and has SEARCH_SECONDS.

        Raises `DatabaseError`, and `Problem` for a search that takes too long.
        """
        return await self._composed(composed, bound, self._search if search else self.state.pool.rows)

    async def rows_of_all(self, composed: Composed, *, seconds: float) -> list[DictRow]:
        """The rows of a statement that reads all posts, for what is kept: one at once. Raises as a search."""

        async def read(statement: bytes, bound: dict[str, Any]) -> list[DictRow]:
            async with self._reading_all:
                return await self._within(seconds, statement, bound)

        return await self._composed(composed, {}, read)

    async def rows_of_many(self, composed: Composed, bound: dict[str, Any], *, seconds: float) -> list[DictRow]:
        """The rows of a statement that reads some thousand posts: one at once, beside searches. Raises as a search."""

        async def read(statement: bytes, bound: dict[str, Any]) -> list[DictRow]:
            async with _turn(self._reading_many, MANY_WAIT, "chunks are being read"):
                return await self._within(seconds, statement, bound)

        return await self._composed(composed, bound, read)

    async def _composed(
        self,
        composed: Composed,
        bound: dict[str, Any],
        read: Callable[[bytes, dict[str, Any]], Awaitable[list[DictRow]]],
    ) -> list[DictRow]:
        began = time.monotonic()
        try:
            return await read(composed(await self._known()), bound)
        except DatabaseError as error:
            if not isinstance(error.__cause__, psycopg.ProgrammingError):  # such as a column that is gone
                raise
        return await read(composed(await self._known(since=began)), bound)

    async def _search(self, statement: bytes, bound: dict[str, Any]) -> list[DictRow]:
        async with _turn(self._searching, SEARCH_WAIT, f"{SEARCHES} searches are under way"):
            return await self._within(SEARCH_SECONDS, statement, bound)

    async def _within(self, seconds: float, statement: bytes, bound: dict[str, Any]) -> list[DictRow]:
        try:
            async with self.state.pool.connection() as connection, connection.transaction():
                await connection.execute("SELECT set_config('statement_timeout', %s, true)", [f"{seconds}s"])
                return await (await connection.execute(statement, bound)).fetchall()
        except DatabaseError as error:
            if not isinstance(error.__cause__, psycopg.errors.QueryCanceled):
                raise
            text = f"this takes longer than {seconds:g} s: ask for less, or a more usual word, category, tag or author"
            raise Problem(503, text, headers={"Retry-After": str(AGAIN)}) from error

    async def total(self, asked: Asked, bound: dict[str, Any]) -> Total:
        """How many posts there are: counted where they are few, else as PostgreSQL estimates it."""
        key = (asked, *(bound.get(name) for name in ("status", "category", "tag", "author", "search")))
        kept = self._totals.get(key)
        if kept is not None and kept.until > time.monotonic():
            return kept
        [row] = await self.rows(lambda reading: reading.count(asked), bound, search=asked.may_take_long)
        if row["count"] <= COUNTED:
            self._totals.pop(key, None)
            return Total(posts=row["count"], is_exact=True)
        [plan] = await self.rows(lambda reading: reading.plan(asked), bound, search=asked.may_take_long)
        estimated = max(plan["QUERY PLAN"][0]["Plan"]["Plan Rows"], row["count"])
        found = Total(posts=estimated, is_exact=False, until=time.monotonic() + TOTAL_SECONDS)
        self._totals[key] = found
        while len(self._totals) > TOTALS:
            self._totals.popitem(last=False)
        return found

    async def kept(self, key: str, make: Callable[[], Awaitable[Any]]) -> Any:
        """What `make()` has answered: of the last KEPT_SECONDS, or older while it is asked anew, up to STALE_SECONDS.
        What it answers within SHARE of KEPT_SECONDS is waited for, and asked anew so often that this takes SHARE of the
        time; where it fails, the answer is what there was.

        Once for all who ask meanwhile. Raises as `make`; what took too long is not begun again for KEPT_SECONDS.
        """
        kept, now = self._kept.setdefault(key, _Kept()), time.monotonic()
        age, is_too_long = now - kept.at, now - kept.failed_at < KEPT_SECONDS
        fresh = min(KEPT_SECONDS, kept.took / SHARE)
        if age > STALE_SECONDS and is_too_long and kept.problem is not None:
            raise kept.problem.with_traceback(None)
        if age > fresh and kept.renewal is None and not is_too_long:
            kept.renewal = asyncio.create_task(kept.renew(make))
            kept.renewal.add_done_callback(lambda done: done.cancelled() or done.exception())  # it is told to who waits
        if kept.renewal is not None and age > (fresh if fresh < KEPT_SECONDS else STALE_SECONDS):
            with suppress(*(() if age > STALE_SECONDS else (Problem, DatabaseError))):
                await asyncio.shield(kept.renewal)
        return kept.value

    async def _known(self, since: float | None = None) -> PostReading:
        """`since`: seen after that moment."""
        wanted = time.monotonic() - SCHEMA_SECONDS if since is None else since
        while self._reading is None or self._looked_at < wanted:
            if self._look is None:
                self._look = asyncio.create_task(self._looked())
            elif since is None and self._reading is not None:
                break
            await asyncio.shield(self._look)
        return self._reading

    async def _looked(self) -> None:
        began = time.monotonic()
        try:
            found = await self.state.for_visitor(self.state.looks.read, look_for_reading)
            if not found.is_possible:
                problems = [each.in_words() for each in found.schema.problems()]
                raise DatabaseError("; ".join(problems) or "the blog's posts have no id or slug that may be read")
            self._reading, self._looked_at = found, began
        finally:
            self._look = None


@asynccontextmanager
async def _turn(of: asyncio.Semaphore, wait: float, busy: str) -> AsyncIterator[None]:
    """Raises `Problem` where it does not come in time."""
    try:
        await asyncio.wait_for(of.acquire(), wait)
    except TimeoutError as error:
        headers = {"Retry-After": str(AGAIN)}
        raise Problem(503, f"{busy}: try again in {AGAIN} s", headers=headers) from error
    try:
        yield
    finally:
        of.release()


def reads_of(request: Request) -> BlogReads:
    """That of this process. No dependency of FastAPI's: solving one takes longer than this."""
    kept = request.app.state
    found: BlogReads | None = getattr(kept, "blog_reads", None)
    if found is None or found.state is not kept.glad:  # the application was begun again
        found = kept.blog_reads = BlogReads(kept.glad)
    return found
