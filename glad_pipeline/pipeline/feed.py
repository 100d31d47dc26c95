"""Claims prompts for a run while it draws, on a thread of its own, so that the engine never waits for the database.

A run has a window of prompts in hand. When fewer than half of it are not begun, more are claimed; and at once what is
more urgent than what is in hand, for which the least urgent goes back. When the run has had its number of prompts, or
its time, when the queue is paused, or drawing ends for another reason, what is not begun goes back to the queue, and no
try is counted. Time is counted from the first batch on, by a clock that nobody sets: loading a model is no reason to
draw nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from glad_pipeline.database import DatabaseError
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline.backlog import UrgentFirst, Waiting
from glad_pipeline.pipeline.in_hand import InHand
from glad_pipeline.pipeline.sdxl import BATCHES
from glad_pipeline.prompts.queue import Claim, NothingLeft
from glad_pipeline.records import Prompt

if TYPE_CHECKING:
    import logging

POLL = 0.1  # seconds from one look for what is urgent, or paused, to the next
LAST_ANSWER = 10.0  # seconds for which the database is waited for when drawing has ended


@dataclass(kw_only=True)
class Feeder:
    """One run's; a context manager that ends with its drawing.

    Args:
        take_in: has prompts that were claimed drawn, as far as they are to be.
        most: prompts that the run may have in all; None: no more than it has.
        seconds: after which no further batch is begun.
        window: prompts in hand, at least.
        left_out: hears of so many prompts, and pictures, that were in hand and went back.
    """

    claim: Claim
    backlog: UrgentFirst
    in_hand: InHand
    take_in: Callable[[Sequence[Prompt]], None]
    most: int | None
    seconds: float
    window: int
    log: logging.Logger
    left_out: Callable[[int, int], None] = lambda prompts, recipes: None
    reason: str | None = None  # why less is drawn than was claimed, for those that go back then
    _began: float | None = None
    _found: bool = True  # the last look for more has found some

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._work, name="glad-feeder", daemon=True)

    def __enter__(self) -> Feeder:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        self.backlog.end()
        self._thread.join(timeout=LAST_ANSWER)
        if error is None or isinstance(error, NothingLeft):  # else the run fails, and its claim knows why
            with suppress(DatabaseError):  # then they go back when the claim ends
                self._take_back(lambda each: True, reason=self.reason, patience=0)
        self.backlog.when_spent()

    # on a thread of its own

    def _work(self) -> None:
        try:
            while not self.backlog.is_over:
                if self._time_is_up():
                    self._end_early(f"{self.seconds:,.0f} s (GLAD_RUN_SECONDS) of drawing are over")
                else:
                    with self.backlog.looking():
                        self._look()
                    self.backlog.wait_for(self._is_needed, POLL)
        except BaseException as error:  # noqa: BLE001  whoever draws gets it
            self.backlog.end(error)

    def _look(self) -> None:
        if not self._is_paused():
            self._feed()

    def _time_is_up(self) -> bool:
        if self._began is None and self.backlog.has_begun:
            self._began = time.monotonic()
        return self._began is not None and time.monotonic() - self._began >= self.seconds

    def _is_paused(self) -> bool:
        """Whether all is paused; what is paused is not in hand any more."""
        paused = self.claim.paused()
        if paused.all is not None:
            self._end_early(f"the queue is paused ({paused.all})", reason=paused.all, event="paused")
            return True
        if paused.sources:
            self._take_back_paused(paused.sources)
        return False

    def _take_back_paused(self, sources: Mapping[str, str]) -> None:
        """What is wanted by paused sources alone (source → reason)."""

        def is_paused(each: Waiting) -> bool:
            return all(prompt.source in sources for prompt in self.in_hand.of(each.recipe))

        back = self.backlog.take_back(is_paused)
        of = {prompt.id: prompt.source for recipe in back for prompt in self.in_hand.of(recipe)}
        by_source: dict[str, list[int]] = {}
        for i in self._dropped(back):
            by_source.setdefault(of[i], []).append(i)
        for source, ids in by_source.items():
            self.claim.give_back(ids, reason=sources[source], event="paused")

    def _end_early(self, why: str, *, reason: str | None = None, event: str | None = None) -> None:
        count = self._take_back(lambda each: True, reason=reason, event=event)
        self.log.info("%s: no further batch is begun, and %s prompts wait for another run", why, count)
        self.backlog.end()

    def _feed(self) -> None:
        """Claim what is due; end where nothing is, and nothing is left to draw."""
        asked = self.backlog.is_asked or self._has_had_all()
        claimed = self._claimed()
        self._found = bool(claimed)
        if claimed:
            self.take_in(claimed)
            self._keep_bounds()
        elif asked and not self.backlog.priorities():
            self.backlog.end()

    def _has_had_all(self) -> bool:
        return self.claim.taken >= (self.most or 0)

    def _claimed(self) -> list[Prompt]:
        if self.most is None:
            return []
        window, waiting = self._window(), self.backlog.priorities()
        room = self.most - self.claim.taken
        if room > 0 and self._is_hungry():
            return self.claim.more(min(max(window - len(waiting), window // 2), room))
        if not waiting:
            return []
        half = window // 2
        urgent = self.backlog.priorities(of_overdue=False) or waiting  # the overdue ones are drawn besides
        return self.claim.more(half, above=urgent[min(half, len(urgent)) - 1])

    def _keep_bounds(self) -> None:
        """What is too much in hand goes back, the least urgent first."""
        waiting = len(self.backlog.priorities())
        excess = max(waiting - 2 * self._window(), self.claim.taken - (self.most or 0))
        if excess > 0:
            least = set(self.backlog.least_urgent(excess))
            self._take_back(lambda each: each.recipe in least)

    def _take_back(
        self,
        wanted: Callable[[Waiting], bool],
        *,
        reason: str | None = None,
        event: str | None = None,
        patience: float | None = None,
    ) -> int:
        """Have these wait for another run, as far as they are not begun; how many prompts they were."""
        ids = self._dropped(self.backlog.take_back(wanted))
        if ids:
            self.claim.give_back(ids, reason=reason, event=event, patience=patience)
        return len(ids)

    def _dropped(self, recipes: Sequence[Recipe]) -> list[int]:
        """The prompts of these pictures, which are not this run's any more."""
        ids = self.in_hand.dropped(recipes)
        self.in_hand.given_back(ids)
        self.left_out(len(ids), len(recipes))
        return ids

    def _window(self) -> int:
        return max(self.window, BATCHES * self.backlog.most_under_way)

    def _is_hungry(self) -> bool:
        """Whether too little is in hand, or no whole batch."""
        waiting, window = len(self.backlog.priorities()), self._window()
        return waiting < window // 2 or (waiting < window * 3 // 2 and not self.backlog.fills_a_batch())

    def _is_needed(self) -> bool:
        return self.backlog.is_asked or (self._found and self._is_hungry())
