"""What `glad up` keeps running: a server or program that ends is started again, after pauses that grow.

Knows of each part whether it lives and how it is started, not what it is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from glad_pipeline import disk
from glad_pipeline.display import in_time
from glad_pipeline.errors import GladError

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a try; each is twice as long as the one before
STEADY = 60.0  # seconds that a part has to live before its next end is an outage of its own


@dataclass(frozen=True, kw_only=True)
class Part:
    """Something that is to run."""

    name: str  # for people
    death: Callable[[], str | None]  # how it ended, with the cause by its log; None: it lives
    start: Callable[[], object]  # raises `GladError` or `OSError`
    place: Path  # where it writes: the disk that is named where one is full


@dataclass
class Outage:
    """From the end of a part until it has lived for STEADY seconds."""

    began: float
    next_try: float
    pause: float = SHORTEST_PAUSE  # before the try that comes next
    lives_since: float | None = None
    told: set[str] = field(default_factory=set)  # first lines, without digits: a longer log, a time or a pid is no news


class Keeper:
    """Looks after parts; what there is to say of each outage is told once."""

    def __init__(
        self, parts: Iterable[Part], tell: Callable[[str], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._parts = tuple(parts)
        self._tell = tell
        self._clock = clock
        self._outages: dict[str, Outage] = {}

    def look(self) -> None:
        """Start again what has ended and whose pause is over. Called every second or so."""
        for part in self._parts:
            self._look_at(part)

    def _look_at(self, part: Part) -> None:
        now, outage = self._clock(), self._outages.get(part.name)
        death = part.death()
        if death is None:
            if outage is not None:
                self._lives(part, outage, now)
            return
        if outage is None:
            outage = self._outages[part.name] = Outage(began=now, next_try=now + SHORTEST_PAUSE)
            self._tell(f"{part.name} {death}\nIt is started again")
        elif outage.lives_since is not None:
            outage.lives_since, outage.next_try = None, now + outage.pause
        if now >= outage.next_try:
            self._try(part, outage)

    def _lives(self, part: Part, outage: Outage, now: float) -> None:
        if outage.lives_since is None:
            outage.lives_since = now
            self._tell_once(outage, f"{part.name} runs again, after {in_time(now - outage.began)}")
        elif now - outage.lives_since >= STEADY:
            del self._outages[part.name]

    def _try(self, part: Part, outage: Outage) -> None:
        try:
            part.start()
        except (GladError, OSError) as error:
            full = not isinstance(error, GladError) and disk.is_full(error)
            why = disk.full(disk.place_of(error, part.place)) if full else error
            self._tell_once(outage, f"{part.name} cannot be started again: {why}\nThis is tried on")
        outage.pause = min(2 * outage.pause, LONGEST_PAUSE)
        outage.next_try = self._clock() + outage.pause

    def _tell_once(self, outage: Outage, text: str) -> None:
        gist = re.sub(r"\d+", "", text.partition("\n")[0])
        if gist not in outage.told:
            outage.told.add(gist)
            self._tell(text)
