"""Throttles password guesses, client by client, and locks nobody out: whoever knows the password gets in after a
wait of seconds, and whoever has the token or a session never comes by here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from glad_pipeline.guard.hosts import neighbourhood

FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0  # seconds; each wrong guess doubles it
FORGOTTEN_AFTER = 900.0
MOST_WAITING = 8  # guesses of one client; each is looked at in its turn
MOST_CLIENTS = 1_000  # the rest share one place


@dataclass(slots=True)
class _Client:
    """What is remembered of one client's guesses."""

    wrong: int = 0  # in a row
    last: float = 0.0  # when the last was wrong
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Patience:
    """Looks at one guess of a client at a time, the later the more of them have been wrong."""

    def __init__(
        self,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._clock = clock
        self._clients: dict[str, _Client] = {}

    async def guess(self, address: str, is_right: Callable[[], bool]) -> bool | None:
        """Whether it is right, after the client's wait; None where too many of its guesses wait already."""
        client = self._client(address)
        if client.waiting >= MOST_WAITING:
            return None
        client.waiting += 1
        try:
            async with client.turn:
                await self._sleep(self._wait(client))
                right = is_right()
                client.wrong, client.last = (0 if right else client.wrong + 1), self._clock()
                return right
        finally:
            client.waiting -= 1

    def _wait(self, client: _Client) -> float:
        if not client.wrong:
            return 0.0
        return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(client.wrong - 1, 20))

    def _client(self, address: str) -> _Client:
        now = self._clock()
        for known, client in list(self._clients.items()):
            if not client.waiting and now - client.last > FORGOTTEN_AFTER:
                del self._clients[known]
        name = neighbourhood(address)
        if name not in self._clients and len(self._clients) >= MOST_CLIENTS:
            name = "the rest"
        return self._clients.setdefault(name, _Client(last=now))
