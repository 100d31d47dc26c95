"""How many requests one key and one address may make: kept in this process, so two processes allow twice as much.

A generic cell rate algorithm (GCRA) of one number for each caller. `limits`, the library, was measured: its store in
memory looks at all callers a hundred times a second, which with 20,000 addresses cost 1.6 ms of CPU a request.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

from starlette.types import Scope

from glad_pipeline.guard.hosts import neighbourhood

SECONDS = {"second": 1.0, "minute": 60.0, "hour": 3_600.0, "day": 86_400.0}
GUESSES = 20  # wrong keys of one address in a minute
MOST_CALLERS = 50_000  # the rest share one place
MOST_KNOWN = 10_000  # keys that have opened something, which an address that guesses does not keep out


@dataclass
class Rate:
    """So many requests of one caller at once, and then evenly as many in each `seconds`."""

    count: int
    seconds: float
    clock: Callable[[], float] = time.monotonic
    _free_at: dict[object, float] = field(default_factory=dict)  # when each would have all its requests again
    _pruned_at: float = -math.inf

    def spend(self, caller: object) -> int | None:
        """One request; where the caller has none left, in how many seconds it has one again."""
        now = self.clock()
        if caller not in self._free_at and len(self._free_at) >= MOST_CALLERS:
            caller = self._place(caller, now)
        if wait := self._wait(caller, now):
            return wait
        self._free_at[caller] = max(self._free_at.get(caller, now), now) + self.seconds / self.count
        return None

    def wait(self, caller: object) -> int | None:
        """As `spend`, without a request."""
        return self._wait(caller, self.clock())

    def _wait(self, caller: object, now: float) -> int | None:
        over = self._free_at.get(caller, now) - now - self.seconds + self.seconds / self.count
        return math.ceil(over) if over > 1e-6 else None

    def _place(self, caller: object, now: float) -> object:
        if now - self._pruned_at > 1.0:
            self._pruned_at = now
            self._free_at = {known: free for known, free in self._free_at.items() if free > now}
        return caller if len(self._free_at) < MOST_CALLERS else "the rest"


def rate_of(text: str) -> Rate | None:
    """`600/minute` as a rate; None for `off`."""
    if text == "off":
        return None
    count, _, unit = text.partition("/")
    return Rate(int(count), SECONDS[unit])


class Rates:
    """Those of one gateway."""

    def __init__(self, *, anonymous: str, with_key: str) -> None:
        self._anonymous = rate_of(anonymous)
        self._with_key = rate_of(with_key)
        self._wrong_keys = Rate(GUESSES, 60.0)
        self._newcomers = Rate(20, 60.0)
        self._known: dict[bytes, None] = {}

    def of_address(self, scope: Scope, *, shows_key: bool) -> int | None:
        """One request of this address; seconds to wait where it has made too many."""
        rate = self._with_key if shows_key else self._anonymous
        return rate.spend(address_of(scope)) if rate else None

    def of_newcomer(self, scope: Scope) -> int | None:
        """One request of an address that has none left, with a key or session that is not known here yet."""
        return self._newcomers.spend(address_of(scope))

    def knows(self, digest: bytes) -> bool:
        """Whether a key or session has opened something here."""
        return digest in self._known

    def of_key(self, key_id: int) -> int | None:
        """One request with this key, from wherever."""
        return self._with_key.spend(key_id) if self._with_key else None

    def of_guess(self, scope: Scope, digest: bytes) -> int | None:
        """Seconds to wait before a key is looked up, where this address has shown too many that are none.

        Not for a key that has opened something here before: who shares the address is not kept out.
        """
        return None if digest in self._known else self._wrong_keys.wait(address_of(scope))

    def was_wrong(self, scope: Scope, digest: bytes) -> None:
        """This address has shown a key that opens nothing, or nothing any more."""
        self.was_over(digest)
        self._wrong_keys.spend(address_of(scope))

    def was_over(self, digest: bytes) -> None:
        """This key, or session, opens nothing any more."""
        self._known.pop(digest, None)

    def was_right(self, digest: bytes) -> None:
        """This key, or session, opens something."""
        if digest not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[digest] = None


def address_of(scope: Scope) -> str:
    """Whose request it is, by address."""
    return _neighbourhood((scope.get("client") or ("",))[0])


_neighbourhood = lru_cache(maxsize=10_000)(neighbourhood)
