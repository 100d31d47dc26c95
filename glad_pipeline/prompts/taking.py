"""How a claim takes prompts out of the queue: which ones, in which order, and how it gives them back.

The order is the database's (`prompts_in_turn`): by priority, and of one priority by turns of their sources. What has
waited for too long goes first, whatever its priority, one in OVERDUE_SHARE. What becomes of them is `queue.Claim`'s.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from glad_pipeline.blame import readable
from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.errors import UnavailableError, UsageError
from glad_pipeline.prompts.hold import Hold
from glad_pipeline.prompts.pauses import Pauses, pauses
from glad_pipeline.records import Prompt, records_of

SQL = named_queries(__package__)
OVERDUE_SHARE = 8  # of so many prompts one may be overdue
EDITED = 16  # prompts of a run that may be edited and be the most urgent, before it takes the queue for empty
LOOK_FOR_OVERDUE = 30.0  # seconds after which it is looked again whether any is
BESIDES = 64  # times as many are looked at where others were taking some just then

log = logging.getLogger(__name__)


class Taking(Hold):
    """What a hold has claimed and not settled. `open` first.

    Args:
        database: where the queue is.
        worker: who holds, for people to read: the Dagster run id.
        lease: how long a silent holder keeps its rows.
        max_attempts: claims after which a prompt is failed instead of waiting again.
        ahead: whether prompts are claimed before their `publish_at`.
        longest_wait: after which a prompt is taken whatever its priority, one in OVERDUE_SHARE; None: it waits.
    """

    def __init__(
        self,
        database: Database,
        *,
        worker: str,
        lease: timedelta,
        max_attempts: int,
        ahead: bool = True,
        longest_wait: timedelta | None = None,
    ) -> None:
        super().__init__(database, worker=worker, lease=lease)
        self._max_attempts = max_attempts
        self._ahead = ahead
        self._longest_wait = longest_wait
        self._look_for_overdue = 0.0  # from when on, by this process's clock
        self.reasons: dict[int, str] = {}  # why this claim has rejected or failed a prompt
        self.overdue: set[int] = set()  # which of the claimed had waited longer than that
        self._attempts: dict[int, int] = {}  # of each prompt, as it was claimed
        self._begun: dict[int, int] = {}  # how often this claim began to draw a prompt: tries that are counted

    @property
    def taken(self) -> int:
        """How many prompts this claim has claimed in all, without those that it gave back."""
        return len(self._attempts)

    def take(self, batch: int, *, ids: Sequence[int] = ()) -> list[Prompt]:
        """Claim up to `batch` waiting prompts, and return all that this claim has in hand, in the order to draw them.

        With `ids`, just these, even if they had ended before (a redo on purpose). Raises `UsageError`
        for ids that do not exist. A prompt that another run holds is left to it, and what is paused waits. Where rows
        are held by a run that seems gone, waits `GRACE` seconds to be sure.
        """
        before = self._in_hand() if self._attempts else set()
        bound = {"ids": list(ids), "worker": self._worker, "gone": self._gone(), "max_attempts": self._max_attempts}

        def work(connection: Connection) -> list[Prompt]:
            for row in connection.execute(SQL["return_abandoned"], bound):
                log.warning("prompt %s was abandoned by its run and is %s again", row["id"], row["status"])
                before.discard(row["id"])  # ours, and our lease was over: if we get it again, it is new
            if ids:
                self._check_named(connection, bound)
                connection.execute(SQL["requeue_named"], bound)
            new = self._new_in_hand(connection, before)
            self._claim(connection, batch - len(new), ids=ids)
            return records_of(Prompt, connection.execute(SQL["held"], {"token": self._token}))

        return self._in_order(self._remember(self._database.transact("claim", work), before))

    def more(self, count: int, *, above: int | None = None) -> list[Prompt]:
        """Claim up to `count` further prompts, and return just these, in the order to draw them.

        With `above`, only those of a higher priority. Where there is none, this is one cheap read. What this claim has
        had and not given back is left to others: it has failed here, or was edited, and the picture of its old text may
        be under way.
        """
        if count < 1 or not self._is_there_more(above):
            return []
        had = list(self._attempts)
        is_asked_again = False

        def work(connection: Connection) -> list[Prompt]:
            nonlocal is_asked_again
            # a commit whose answer was lost has taken some already: all that is in hand is looked at only then
            taken = self._new_in_hand(connection, had) if is_asked_again else []
            is_asked_again = True
            taken += self._claim(connection, count - len(taken), above=above, had=had)
            return records_of(Prompt, connection.execute(SQL["held_of"], {"ids": taken, "token": self._token}))

        return self._in_order(self._remember(self._database.transact("claim", work), set()))

    def _is_there_more(self, above: int | None) -> bool:
        """Whether anything waits that this claim has not had. Few are asked for, and it does not say what it has had:
        what it has settled may wait again, and of the rest only what was edited."""
        settled = list(self.reasons)
        sought = {
            "above": above,
            "ahead": self._ahead,
            "without": settled,
            "among": EDITED + len(settled),
            "most": EDITED,
        }
        found = self._database.read(lambda c: c.execute(SQL["in_turn"], sought).fetchall())
        return any(row["id"] not in self._attempts for row in found)

    def _claim(
        self,
        connection: Connection,
        wanted: int,
        *,
        ids: Sequence[int] = (),
        above: int | None = None,
        had: Sequence[int] = (),
    ) -> list[int]:
        """In the caller's transaction: claim up to so many, and none of `had`. Returns their ids."""
        if self._token is None:
            raise UnavailableError("this claim has ended: nothing more is claimed with it")
        bound = {
            "token": self._token,
            "worker": self._worker,
            "lease": self._lease,
            "ids": list(ids),
            "had": list(had),
            "above": above,
            "ahead": self._ahead,
            "longest_wait": self._longest_wait,
        }
        rows: list[dict[str, Any]] = []
        by_turns: list[dict[str, Any]] = []

        def claim(statement: str, most: int, **more: int) -> list[dict[str, Any]]:
            found = connection.execute(SQL[statement], {**bound, "batch": most, **more}).fetchall()
            rows.extend(found)
            return sorted(found, key=lambda row: (row["place"], row["id"]))

        if ids:
            claim("claim_named", wanted)
        elif wanted > 0:
            if above is None and (most := self._room_for_overdue(wanted)):
                claim("claim_overdue", most)
                self._overdue_claimed([row["id"] for row in rows])
            for times in (1, BESIDES):
                if len(rows) < wanted:
                    by_turns += claim("claim", wanted - len(rows), among=(wanted - len(rows)) * times)
        if by_turns:
            connection.execute(SQL["note_turn"], by_turns[-1])
        if illustrating := [row["id"] for row in rows if row["has_post"]]:
            connection.execute(SQL["note_post_versions"], {"ids": illustrating})
        return [row["id"] for row in rows]

    def _new_in_hand(self, connection: Connection, before: Collection[int]) -> list[int]:
        """What a claim whose answer was lost has taken."""
        known = set(before)
        rows = connection.execute(SQL["in_hand"], {"token": self._token})
        return [row["id"] for row in rows if row["id"] not in known]

    def _room_for_overdue(self, wanted: int) -> int:
        """How many of so many may be overdue; none where it was looked just now, and nothing was overdue."""
        if self._longest_wait is None or time.monotonic() < self._look_for_overdue:
            return 0
        # the token, so that of runs that take one prompt each, one in so many takes one that is overdue
        due = ((self._token or 0) % OVERDUE_SHARE + self.taken + wanted) // OVERDUE_SHARE - len(self.overdue)
        return max(0, min(due, -(-wanted // OVERDUE_SHARE)))

    def _overdue_claimed(self, ids: Sequence[int]) -> None:
        self.overdue.update(ids)
        if not ids and self._longest_wait is not None:
            pause = min(LOOK_FOR_OVERDUE, self._longest_wait.total_seconds() / 8)
            self._look_for_overdue = time.monotonic() + pause

    def _remember(self, held: Sequence[Prompt], before: set[int]) -> list[Prompt]:
        for prompt in held:
            if prompt.id not in before:
                self._attempts[prompt.id] = prompt.attempts
                self._begun.pop(prompt.id, None)
        return list(held)

    def _in_order(self, prompts: Sequence[Prompt]) -> list[Prompt]:
        """What is overdue, then by priority, those of one priority by turns of their sources, of one source by id."""
        before = Counter[tuple[int, str]]()
        turns: dict[int, int] = {}
        for each in sorted(prompts, key=lambda prompt: prompt.id):
            turns[each.id] = before[each.priority, each.source]
            before[each.priority, each.source] += 1
        return sorted(prompts, key=lambda p: (p.id not in self.overdue, -p.priority, turns[p.id], p.source, p.id))

    def give_back(
        self,
        ids: Collection[int],
        *,
        reason: str | None = None,
        event: str | None = None,
        patience: float | None = None,
    ) -> None:
        """Let claimed prompts wait again, with the reason; no try is counted.

        Those that drawing was begun of stay in hand. `event`: what their history calls it. `patience`: see
        `Database.transact`.
        """
        back = [i for i in ids if i not in self._begun]
        bound = {"ids": back, "token": self._token, "reason": readable(reason) if reason else None, "event": event}

        def work(connection: Connection) -> None:
            if event:
                connection.execute(SQL["name_event"], bound)
            connection.execute(SQL["give_back"], bound)

        if back:
            self._database.transact("give_back", work, patience=patience)
        for i in back:
            self._attempts.pop(i, None)
            self.overdue.discard(i)

    def paused(self) -> Pauses:
        """What is paused now: one cheap read."""
        return self._database.read(pauses)

    def held(self) -> list[Prompt]:
        """The prompts that this claim has claimed and not settled yet, in the order to draw them."""
        held = self._database.read(lambda c: records_of(Prompt, c.execute(SQL["held"], {"token": self._token})))
        return self._in_order(held)

    def _in_hand(self) -> set[int]:
        rows = self._database.read(lambda c: c.execute(SQL["in_hand"], {"token": self._token}).fetchall())
        return {row["id"] for row in rows}

    @staticmethod
    def _check_named(connection: Connection, bound: Mapping[str, Any]) -> None:
        known = {row["id"]: row for row in connection.execute(SQL["states_of"], bound)}
        unknown = [i for i in bound["ids"] if i not in known]
        if unknown:
            raise UsageError(
                f"prompt_ids: no prompt has the id {', '.join(map(str, unknown))}; `glad prompts list` shows them"
            )
        for row in known.values():
            if row["status"] == "claimed" and row["claimed_by"] != bound["worker"]:
                log.warning("prompt %s is held by run %s and left to it", row["id"], row["claimed_by"])
