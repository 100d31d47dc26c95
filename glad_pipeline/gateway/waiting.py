"""Waiting for prompts to move: any number of callers, one connection that listens, one look for all of them.

A caller subscribes to a prompt and takes its news. The database is asked when it notifies that some prompt has moved,
at most LOOKS times a second, and once a second where it cannot be listened to. Waits outlast an outage of the database.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Generic, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request

from glad_pipeline.database import DatabaseError
from glad_pipeline.database.notifications import NotHeard, notifications
from glad_pipeline.database.pool import Pool
from glad_pipeline.gateway.problems import AGAIN, Problem
from glad_pipeline.gateway.state import State
from glad_pipeline.prompts.progress import CHANNEL, COUNTED, QUERIES, News, Progress, seconds_each
from glad_pipeline.records import records_of

Answer = TypeVar("Answer")
LOOKS = 4.0  # a second, at most
POLL = 1.0  # seconds between looks where nothing is heard
QUIET = 2.0  # seconds after which a look is taken all the same: not each transaction notifies (migration 0020)
SELDOM = 2.0  # seconds between looks at the places in the queue, and at what was deleted
RECONNECT = 1.0  # seconds
PACE = 5.0  # seconds for which the pace of drawing is believed
UNHEARD = 60.0  # seconds until it is tried again to listen through what passes no notifications on
PATHS = 2.0  # seconds for the posts of prompts: somebody may have locked them
NEWS = 100  # of one subscription in one look
SLICE = 10  # subscriptions that are told at once
BREATH = 0.002  # seconds from one slice to the next: another request takes several turns of the loop
LARGEST = 4_000  # calls and streams that one process holds open
DELETED = "deleted"  # in place of an event: there is no such prompt any more
UNDERWAY = ("claimed", "drawing")  # events that tell all there is to tell
logger = logging.getLogger(__name__)


class Full(Problem):
    """As many calls and streams are open as may be."""


class Subscription:
    """What has happened to one prompt and its subscriber has not taken yet."""

    __slots__ = ("_news", "_woken", "asks_place", "place", "prompt_id", "row", "seen", "since")

    def __init__(self, prompt_id: int, since: int) -> None:
        self.prompt_id = prompt_id
        self.since = since  # the last event that it was told of
        self.asks_place = False
        self.place: int | None = None  # in the queue, as it is now; None: not among the first COUNTED, or not asked for
        self.seen: int | None = None  # as the subscriber knows it
        self.row: Progress | None = None  # how far it is after what was told last; None: UNDERWAY, or its place says it
        self._news: list[News] = []
        self._woken = asyncio.Event()

    async def news(self, seconds: float) -> list[News]:
        """What has happened, the oldest first, once there is anything; empty after so many seconds, or when only
        the place in the queue is another."""
        if not self._news and self.place == self.seen:
            self._woken.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._woken.wait()
        found, self._news, self.seen = self._news, [], self.place
        return found

    def tell(self, news: list[News], row: Progress | None = None) -> None:
        """More has happened."""
        self._news += news
        self.row = row
        self.since = news[-1].id
        self.asks_place, self.place, self.seen = False, None, None
        self._woken.set()

    def ask_place(self, place: int | None, row: Progress) -> None:
        """Tell when this is not its place in the queue any more, until there is news; if there is, it has moved."""
        if not self._news:
            self.asks_place, self.place, self.seen, self.row = True, place, place, row

    def wake(self) -> None:
        """There is nothing to tell, and no need to wait any longer."""
        self._woken.set()

    def move(self, place: int | None, row: Progress | None = None) -> None:
        """It has another place in the queue."""
        self.place, self.row = place, row
        self._woken.set()


class Shared(Generic[Answer]):
    """One question of many: it is put again for those who come while it is under way, and never twice at once."""

    def __init__(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._one = asyncio.Lock()
        self._next: asyncio.Task[Answer] | None = None

    async def ask(self) -> Answer:
        if self._next is None:
            self._next = asyncio.create_task(self._answer())
        return await asyncio.shield(self._next)

    async def _answer(self) -> Answer:
        async with self._one:
            self._next = None  # who comes from here on gets the next answer
            return await self._ask()


class Waiting:
    """Everybody who waits in this process. A context manager."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._subscriptions: set[Subscription] = set()
        self._stirred = asyncio.Event()
        self.hears = False  # whether notifications come
        self._places = Shared(self._ask_places)
        self._told_seldom = 0.0
        self._paced_at = float("-inf")
        self._pace: float | None = None  # seconds that one picture takes
        self.held: Counter[int] = Counter()  # calls and streams that are open, by key
        self.is_ending = False  # the process is: who waits is answered now, and comes again elsewhere

    async def __aenter__(self) -> Waiting:
        self._tasks = [asyncio.create_task(_for_good(each)) for each in (self._listen, self._look)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end(self) -> None:
        """Let nobody wait any longer."""
        self.is_ending = True
        for each in self._subscriptions:
            each.wake()

    @contextmanager
    def held_by(self, key_id: int) -> Iterator[None]:
        """Around a call or stream that stays open. Raises `Full`: 429 for a key that has too many, 503 for all."""
        most = most_held()
        again = {"Retry-After": str(AGAIN)}
        if self.held[key_id] >= max(1, most // 2):
            raise Full(429, f"this key holds {self.held[key_id]:,} calls and streams open: end some", headers=again)
        if self.held.total() >= most:
            raise Full(503, f"{most:,} calls and streams are open here already: ask again", headers=again)
        self.held[key_id] += 1
        try:
            yield
        finally:
            self.held[key_id] -= 1
            if not self.held[key_id]:
                del self.held[key_id]

    @contextmanager
    def subscribe(self, prompt_id: int, since: int) -> Iterator[Subscription]:
        """The news of a prompt after the event `since`."""
        subscription = Subscription(prompt_id, since)
        self._subscriptions.add(subscription)
        self._stirred.set()
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)

    async def place_of(self, prompt_id: int) -> int | None:
        """Its place among those that wait; None: it is not among the first COUNTED."""
        return (await self._places.ask()).get(prompt_id)

    async def eta_of(self, place: int | None) -> int | None:
        """Seconds until the prompt at this place is drawn, by the pace of the last pictures; None: not known."""
        if place is None:
            return None
        now = asyncio.get_running_loop().time()
        if now - self._paced_at > PACE:
            self._paced_at = now
            self._pace = seconds_each([row["at"] for row in await self._state.pool.rows(QUERIES["pace"])])
        return None if self._pace is None else round(self._pace * place)

    async def _ask_places(self) -> dict[int, int]:
        bound = {"limit": COUNTED + 1, "ahead": self._state.settings.draws_ahead}
        return {row["prompt_id"]: row["place"] for row in await self._state.pool.rows(QUERIES["places"], bound)}

    async def _listen(self) -> None:
        """Say whenever a prompt has moved."""
        url = self._state.settings.database_url
        said = False
        while url is not None:
            again = RECONNECT
            try:
                async for _ in notifications(
                    url.get_secret_value(), CHANNEL, application_name="glad gateway", ring=self._ring
                ):
                    self.hears, said = True, False
                    self._stirred.set()
            except DatabaseError as error:
                again = UNHEARD if isinstance(error, NotHeard) else RECONNECT
                if not said:
                    logger.warning("prompts are asked for every %.0f s until they can be listened to: %s", POLL, error)
                said = True
            self.hears = False
            self._stirred.set()
            await asyncio.sleep(again)

    async def _ring(self) -> None:
        await self._state.pool.row("SELECT pg_notify(%s, '')", [CHANNEL])

    async def _look(self) -> None:
        """Tell the subscribers what has happened."""
        said = False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET if self.hears else POLL):
                    await self._stirred.wait()
            self._stirred.clear()
            if self._subscriptions:
                try:
                    await self._tell_news()
                    await self._tell_seldom()
                    said = False
                except DatabaseError as error:  # the next look may find it again
                    if not said:
                        logger.warning("who waits is told nothing until prompts can be read again: %s", error)
                    said = True
            await asyncio.sleep(1 / LOOKS)

    async def _tell_news(self) -> None:
        asked = list(self._subscriptions)
        bound = {"ids": [each.prompt_id for each in asked], "since": [each.since for each in asked], "most": NEWS}
        found: dict[int, list[News]] = {}
        for row in await self._state.pool.rows(QUERIES["news"], bound):
            found.setdefault(row["nth"], []).extend(records_of(News, [row]))
        moved = {asked[nth].prompt_id for nth, news in found.items() if news[-1].event not in UNDERWAY}
        rows = await progress_of(self._state.pool, moved) if moved else {}
        for number, (nth, news) in enumerate(found.items(), start=1):
            asked[nth].tell(news, rows.get(asked[nth].prompt_id))
            if len(news) == NEWS:
                self._stirred.set()  # there may be more
            if number % SLICE == 0:
                await asyncio.sleep(BREATH)

    async def _tell_seldom(self) -> None:
        """That the queue has moved, to those that wait in it; and that prompts were deleted, which notifies nobody."""
        now = asyncio.get_running_loop().time()
        if now - self._told_seldom < SELDOM:
            return
        self._told_seldom = now
        asked = list(self._subscriptions)
        rows = await self._state.pool.rows(QUERIES["gone"], {"ids": [each.prompt_id for each in asked]})
        gone = {row["id"] for row in rows}
        places = await self._places.ask() if any(each.asks_place for each in asked) else {}
        moved = [each for each in asked if each.asks_place and each.place != places.get(each.prompt_id)]
        out = [each.prompt_id for each in moved if each.prompt_id not in places]
        waits = await progress_of(self._state.pool, out) if out else {}
        for number, each in enumerate([each for each in asked if each.prompt_id in gone], start=1):
            each.tell([News(id=each.since, at=datetime.now(UTC), event=DELETED, detail=None)])
            if number % SLICE == 0:
                await asyncio.sleep(BREATH)
        for number, each in enumerate(moved, start=1):
            place, row = places.get(each.prompt_id), waits.get(each.prompt_id)
            if each.asks_place and (place is not None or (row is not None and row.status == "pending")):
                each.move(place, row)
            if number % SLICE == 0:
                await asyncio.sleep(BREATH)


async def _for_good(work: Callable[[], Awaitable[None]]) -> None:
    """For as long as the process lives: without it, whoever waits would wait for nothing."""
    while True:
        try:
            await work()
        except Exception:
            logger.exception("waiting.failed")
        await asyncio.sleep(RECONNECT)


async def progress_of(pool: Pool, ids: Collection[int]) -> dict[int, Progress]:
    """How far these prompts are, those that there are. Raises `DatabaseError`, but not for the blog's own tables."""
    rows = records_of(Progress, await pool.rows(QUERIES["progress"], {"ids": list(ids)}))
    published = [each.id for each in rows if each.status == "published"]
    paths = await _post_paths(pool, published) if published else {}
    return {each.id: replace(each, post_path=paths.get(each.id)) for each in rows}


async def _post_paths(pool: Pool, ids: list[int]) -> dict[int, str]:
    """Where the posts of these are. Of a blog that cannot be read nothing is said: many may wait for other prompts."""
    try:
        found = await pool.rows(QUERIES["post_paths"], {"ids": ids}, within=PATHS)
    except DatabaseError as error:
        logger.warning("the posts of %d prompts cannot be read: %s", len(ids), error)
        return {}
    return {each["id"]: each["post_path"] for each in found}


def most_held() -> int:
    """Calls and streams that this process holds open at once: half of the connections that it may have."""
    return min(LARGEST, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with Waiting(app.state.glad) as app.state.waiting:
        yield


router = APIRouter(lifespan=_lifespan)


async def _waiting(request: Request) -> Waiting:
    found: Waiting = request.app.state.waiting
    return found


Waits = Annotated[Waiting, Depends(_waiting)]
