"""The queue: who holds which prompts, and how a claim ends.

A run opens a `Claim`, claims a batch with it and settles every prompt of it. A heartbeat thread renews the
lease; its connection also carries an advisory lock, so that the rows of a killed run are free seconds later and
those of an unreachable one when the lease is over. Every settling statement names the claim's token: a run
that lost its rows cannot move them. An attempt is counted when drawing begins, so that a prompt that kills
every run is found out, and its neighbours are not blamed for it.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from glad_pipeline.blame import readable
from glad_pipeline.database import Connection, Database, DatabaseError, first_words, named_queries, value
from glad_pipeline.database.sessions import ANSWER
from glad_pipeline.errors import UnavailableError
from glad_pipeline.prompts.taking import Taking
from glad_pipeline.records import DuePrompt, PostId, Replaced, SeenPicture, records_of

SQL = named_queries(__package__)
FRESH = timedelta(minutes=1)  # how long a picture is believed to be in the store, once it was seen there

log = logging.getLogger(__name__)


class ClaimLost(UnavailableError):
    """This run was silent for too long, and its prompts are another's now."""


class NothingLeft(UnavailableError):
    """People have taken back all that this run had in hand: there is nothing to draw for."""


def require_approval(connection: Connection, reasons: Mapping[int, str]) -> None:
    """In the caller's transaction: drawn prompts that it has locked wait for approval, each with the reason."""
    with connection.cursor() as cursor:
        cursor.executemany(
            SQL["settle_conflict"], [{"id": i, "reason": readable(reason)} for i, reason in reasons.items()]
        )


def hold_back(connection: Connection, reasons: Mapping[str, str]) -> list[int]:
    """In the caller's transaction: prompts that are to become posts with these pictures (by key) wait for a person.

    Returns the prompts. Those that a person has approved, and what is published already, stay as they are.
    """
    held: list[int] = []
    for key, reason in sorted(reasons.items()):
        held += [row["id"] for row in connection.execute(SQL["hold_back"], {"key": key, "reason": readable(reason)})]
    if held:
        connection.execute(SQL["note_what_approval_replaces"], {"ids": held})
    return held


class Claim(Taking):
    """One run's claim on its prompts; a context manager that ends it. `open` first. Its arguments: see `Taking`.

    `keep_events`: how long the history of prompts that have ended is kept.
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
        keep_events: timedelta = timedelta(days=90),
    ) -> None:
        super().__init__(
            database, worker=worker, lease=lease, max_attempts=max_attempts, ahead=ahead, longest_wait=longest_wait
        )
        self._keep_events = keep_events
        self.reason: str | None = None  # why the run fails, kept with the prompts it gives back

    def has_settled(self) -> bool:
        """Whether any prompt that this claim has claimed is settled."""
        return len(self._in_hand()) < len(self._attempts)

    def begin_drawing(self, ids: Collection[int]) -> None:
        """Count a try for these prompts: should this process die of one, it will be found out.

        May be called on the thread that draws while another settles. If none of this claim's prompts is ours any more,
        they would be drawn for nothing: raises `ClaimLost` if another claim has these, else `NothingLeft`.
        """
        tries = {i: self._begun.get(i, 0) + 1 for i in ids}
        self._begun.update(tries)  # one step: another thread looks into it; and first: the answer may be lost for good
        if not ids or self._database.transact("begin_drawing", partial(self._count, tries)) or self._in_hand():
            return
        bound = {"ids": list(ids), "token": self._token}
        if not self._database.read(lambda connection: value(connection, SQL["taken_over"], bound)):
            raise NothingLeft("all prompts of this run were cancelled or edited meanwhile: nothing is left to draw")
        raise ClaimLost(
            "this run's prompts were given to others since it was silent for longer than its lease of "
            f"{self._lease.total_seconds():.0f} s. If the machine was only busy, set GLAD_LEASE_SECONDS higher"
        )

    def refund(self) -> None:
        """Something else than the prompts was the cause: the tries begun and not settled do not count."""
        if self._begun:
            self._database.transact("refund", partial(self._count, dict.fromkeys(self._begun, 0)))
            self._begun.clear()

    def _count(self, tries: Mapping[int, int], connection: Connection) -> int:
        """Besides those before the claim, each of these prompts has so many tries. How many of them are ours still."""
        attempts = [self._attempts.get(i, 0) + more for i, more in tries.items()]
        bound = {"ids": list(tries), "attempts": attempts, "token": self._token}
        return connection.execute(SQL["count_tries"], bound).rowcount

    def reject(self, reasons: Mapping[int, str]) -> None:
        """Put prompts aside for good, each with its reason."""
        if reasons:
            self._database.transact("reject", lambda connection: self.rejected(connection, reasons))

    def rejected(self, connection: Connection, reasons: Mapping[int, str]) -> None:
        """`reject` in the caller's transaction."""
        self._settle(connection, "settle_rejected", reasons)

    def fail(self, reasons: Mapping[int, str]) -> None:
        """Give prompts back for another attempt, or fail them if that was the last, each with its reason."""
        if reasons:
            self._database.transact("fail", lambda connection: self.failed(connection, reasons))

    def failed(self, connection: Connection, reasons: Mapping[int, str]) -> None:
        """`fail` in the caller's transaction."""
        self._settle(connection, "settle_failed", reasons)

    def _settle(
        self,
        connection: Connection,
        statement: str,
        reasons: Mapping[int, str],
        tokens: Mapping[int, int | None] | None = None,
    ) -> None:
        bound = [
            {
                "id": i,
                "reason": readable(reason),
                "token": self._token if tokens is None else tokens[i],
                "max_attempts": self._max_attempts,
                "uncounted": int(i not in self._begun),
                "worker": self._worker,
            }
            for i, reason in reasons.items()
        ]
        with connection.cursor() as cursor:
            cursor.executemany(SQL[statement], bound)
        self.reasons.update(reasons)

    def generated(self, connection: Connection, image_ids: Mapping[int, int]) -> dict[int, str]:
        """In the caller's transaction: these prompts (id → images.id) have their picture.

        Returns the status of those that were moved: `generated`, `awaiting_approval`, or `ready` where the picture
        alone was asked for. Those that it does not tell of this claim had lost to another run.
        """
        bound = {"ids": list(image_ids), "image_ids": list(image_ids.values()), "token": self._token}
        states = {row["id"]: row["status"] for row in connection.execute(SQL["settle_generated"], bound)}
        moved = [i for i, status in states.items() if status == "generated"]
        waiting = [row["id"] for row in connection.execute(SQL["await_approval"], {"ids": moved})]
        if waiting:
            connection.execute(SQL["note_what_approval_replaces"], {"ids": waiting})
        return states | dict.fromkeys(waiting, "awaiting_approval")

    def publishable(self, connection: Connection, batch: int, *, base: str | None = None) -> list[DuePrompt]:
        """In the caller's transaction: lock up to `batch` drawn prompts that are due, each joined with its image.

        Only those whose picture was seen in the store within FRESH, and is public under `base`; see `stale`.
        """
        bound = {"token": self._token, "batch": batch, "fresh": FRESH, "base": base}
        return records_of(DuePrompt, connection.execute(SQL["publishable"], bound))

    def stale(self, batch: int, *, base: str | None = None) -> list[SeenPicture]:
        """Up to `batch` pictures that are due and were seen longer than FRESH ago, or were catalogued with a URL that
        is not `base` with their key. None: whatever it is."""
        bound = {"token": self._token, "batch": batch, "fresh": FRESH, "base": base}
        return self._database.read(lambda c: records_of(SeenPicture, c.execute(SQL["stale"], bound)))

    def looked_again(
        self, connection: Connection, *, seen: Sequence[int], gone: Sequence[int], base: str | None = None
    ) -> list[int]:
        """In the caller's transaction: these pictures (images.id) are in the store still, under `base`; those are not.

        The prompts of those wait to be drawn again; their ids.
        """
        connection.execute(SQL["seen_again"], {"ids": list(seen), "base": base})
        bound = {"ids": list(gone), "token": self._token, "reason": "its picture was gone from the store: drawn again"}
        return sorted(row["id"] for row in connection.execute(SQL["draw_again"], bound))

    def published(
        self, connection: Connection, post_ids: Mapping[int, PostId | None], replaced: Mapping[int, Replaced]
    ) -> None:
        """In the caller's transaction: these locked prompts (id → posts.id, None for a task) are published; `replaced`:
        by the same ids, what was on the post that was not ours and is not shown any more."""
        done = []
        for i, post in post_ids.items():
            before = replaced.get(i, Replaced())
            given = {"replaced_image_url": before.image_url, "replaced_alt_text": before.alt_text}
            done.append({"id": i, "published_post_id": post if post is None else str(post), **given})
        bound = {"done": Jsonb(done), "worker": self._worker}
        if connection.execute(SQL["settle_published"], bound).rowcount != len(post_ids):
            raise DatabaseError("prompts to be published were not locked by this transaction: no post is written")

    def reject_locked(self, connection: Connection, due: Sequence[DuePrompt], reasons: Mapping[int, str]) -> None:
        """In the caller's transaction: put aside prompts that `publishable` has locked."""
        self._settle(connection, "settle_rejected", reasons, {prompt.id: prompt.claim_token for prompt in due})

    def drew(self, prompt_id: int) -> bool:
        """Whether this claim began to draw that prompt."""
        return prompt_id in self._begun

    def close(self) -> None:
        """End the claim: unfinished prompts wait again, pictures not yet due belong to nobody, the heartbeat stops."""
        if self._token is None:
            return
        self._end_heartbeat()
        reason = readable(self.reason) if self.reason else None
        bound = {
            "token": self._token,
            "max_attempts": self._max_attempts,
            "reason": reason,
        }
        self._token = None
        # with the database gone there is nobody to tell: the lock went with the connection, the lease will end
        with suppress(psycopg.Error, DatabaseError):
            self._database.transact("release", partial(self._release, bound), patience=0)
            self._prune_events(most=max(2_000, 10 * self.taken))  # more than this claim has written

    @staticmethod
    def _release(bound: Mapping[str, Any], connection: Connection) -> None:
        for name in ("release", "let_go", "end_claim", "end_reports"):
            connection.execute(SQL[name], bound)

    def _prune_events(self, *, most: int) -> None:
        bound = {"keep_events": self._keep_events, "prune": most}
        try:
            with self._database.transaction(within=ANSWER) as connection:
                connection.execute(SQL["prune_carefully"])
                connection.execute(SQL["prune_events"], bound)
        except (psycopg.Error, DatabaseError) as error:
            log.warning("old history of prompts was not deleted, the next run tries again: %s", first_words(error))

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
