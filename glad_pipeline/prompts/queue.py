"""The queue: who holds which prompts, and how a hold ends.

A run opens a `Hold`, claims a batch with it and settles every prompt of it. A heartbeat thread renews the
lease; its connection also carries an advisory lock, so that the rows of a killed run are free at once and
those of an unreachable one when the lease is over. Every settling statement names the hold's token: a run
that lost its rows cannot move them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg

from glad_pipeline.database import Connection, Database, DatabaseError, named_queries
from glad_pipeline.errors import UsageError

SQL = named_queries(__package__)
Row = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """What a run could do right now."""

    pending: bool  # prompts wait
    due: bool  # drawn pictures whose time to be published has come
    abandoned: bool  # prompts held by a run that is gone

    def __bool__(self) -> bool:
        return self.pending or self.due or self.abandoned


def readiness(connection: Connection) -> Readiness:
    """One indexed look at the queue; its cost does not grow with the table."""
    row = connection.execute(SQL["ready"]).fetchone()
    assert row is not None  # noqa: S101  an aggregate always has a row
    return Readiness(**row)


def overdue(connection: Connection) -> list[Row]:
    """Up to 20 prompts that are still claimed although their lease is over, the oldest first."""
    return connection.execute(SQL["overdue"]).fetchall()


class Hold:
    """One run's hold on its prompts; a context manager. Nothing is held before the first `claim`.

    Args:
        database: where the queue is.
        worker: who holds, for people to read: the Dagster run id.
        lease: how long a silent holder keeps its rows.
        max_attempts: claims after which a prompt is failed instead of waiting again.
    """

    def __init__(self, database: Database, *, worker: str, lease: timedelta, max_attempts: int) -> None:
        self._database = database
        self._worker = worker
        self._lease = lease
        self._max_attempts = max_attempts
        self._token: int | None = None
        self._stop = threading.Event()
        self._heart: threading.Thread | None = None

    @property
    def token(self) -> int | None:
        return self._token

    def claim(self, batch: int, *, ids: Sequence[int] = ()) -> list[Row]:
        """Hold up to `batch` waiting prompts (0: none), and return all that this hold has in hand.

        With `ids`, just these, even if they had ended before (a redo on purpose). Raises `UsageError`
        for ids that do not exist. A prompt that another run holds is left to it.
        """
        self._begin()
        bound = {
            "token": self._token,
            "worker": self._worker,
            "lease": self._lease,
            "batch": batch,
            "ids": list(ids) or None,
            "max_attempts": self._max_attempts,
        }
        with self._database.transaction() as connection:
            for row in connection.execute(SQL["return_abandoned"], bound):
                log.warning("prompt %s was abandoned by its run and is %s again", row["id"], row["status"])
            if ids:
                self._check_named(connection, bound)
                connection.execute(SQL["requeue_named"], bound)
            connection.execute(SQL["claim"], bound)
            return connection.execute(SQL["held"], bound).fetchall()

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

    def held(self) -> list[Row]:
        """The prompts that this hold has claimed and not settled yet."""
        if self._token is None:
            return []
        with self._database.transaction() as connection:
            return connection.execute(SQL["held"], {"token": self._token}).fetchall()

    def reject(self, reasons: Mapping[int, str]) -> None:
        """Put prompts aside for good, each with its reason."""
        with self._database.transaction() as connection:
            self._settle(connection, "settle_rejected", reasons)

    def fail(self, reasons: Mapping[int, str]) -> None:
        """Give prompts back for another attempt, or fail them if that was the last, each with its reason."""
        with self._database.transaction() as connection:
            self._settle(connection, "settle_failed", reasons)

    def _settle(self, connection: Connection, statement: str, reasons: Mapping[int, str]) -> None:
        bound = [
            {"id": i, "reason": reason, "token": self._token, "max_attempts": self._max_attempts}
            for i, reason in reasons.items()
        ]
        with connection.cursor() as cursor:
            cursor.executemany(SQL[statement], bound)

    def generated(self, connection: Connection, image_ids: Mapping[int, int]) -> tuple[int, int]:
        """In the caller's transaction: these prompts (id → images.id) have their picture.

        Returns how many were moved and how many of them wait for a person's approval. Fewer than given
        means that this hold had lost the rest to another run.
        """
        bound = {"ids": list(image_ids), "image_ids": list(image_ids.values()), "token": self._token}
        moved = [row["id"] for row in connection.execute(SQL["settle_generated"], bound)]
        waiting = connection.execute(SQL["await_approval"], {"ids": moved}).fetchall()
        return len(moved), len(waiting)

    def publishable(self, connection: Connection, batch: int) -> list[Row]:
        """In the caller's transaction: lock up to `batch` drawn prompts that are due, each joined with its image."""
        return connection.execute(SQL["publishable"], {"token": self._token, "batch": batch}).fetchall()

    @staticmethod
    def published(connection: Connection, post_ids: Mapping[int, UUID | None]) -> None:
        """In the caller's transaction: these locked prompts (id → posts.id, None for a task) are published."""
        bound = {"ids": list(post_ids), "post_ids": list(post_ids.values())}
        connection.execute(SQL["settle_published"], bound)

    @staticmethod
    def reject_locked(connection: Connection, rows: Sequence[Row], reasons: Mapping[int, str]) -> None:
        """In the caller's transaction: put aside rows that `publishable` has locked."""
        tokens = {row["id"]: row["claim_token"] for row in rows}
        with connection.cursor() as cursor:
            cursor.executemany(
                SQL["settle_rejected"],
                [{"id": i, "reason": reason, "token": tokens[i]} for i, reason in reasons.items()],
            )

    def close(self, reason: str | None = None) -> None:
        """End the hold: unfinished prompts wait again (this try is not counted), the heartbeat stops."""
        if self._token is None:
            return
        self._stop.set()
        if self._heart is not None:
            self._heart.join(timeout=15)
        bound = {"token": self._token, "reason": reason}
        self._token = None
        # with the database gone there is nobody to tell: the lock went with the connection, the lease will end
        with suppress(psycopg.Error, DatabaseError), self._database.transaction() as connection:
            connection.execute(SQL["release"], bound)
            connection.execute(SQL["let_go"], bound)

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        if self._token is not None:
            return
        connection = self._database.connect(autocommit=True)
        row = connection.execute(SQL["next_token"]).fetchone()
        assert row is not None  # noqa: S101  nextval always answers
        self._token = row["token"]
        self._lock(connection)
        self._heart = threading.Thread(target=self._beat, args=(connection,), name="glad-lease", daemon=True)
        self._heart.start()

    def _lock(self, connection: Connection) -> None:
        connection.execute(SQL["lock_token"], {"token": self._token})

    def _beat(self, connection: Connection) -> None:
        """Renew the lease three times per lease until told to stop; after a lost connection, connect anew."""
        pause = self._lease.total_seconds() / 3
        try:
            while not self._stop.wait(pause):
                try:
                    if connection.closed:
                        connection = self._database.connect(autocommit=True)
                        self._lock(connection)
                    connection.execute(SQL["renew"], {"token": self._token, "lease": self._lease})
                except (psycopg.Error, DatabaseError) as error:
                    log.warning("the lease could not be renewed and is tried again: %s", error)
                    connection.close()
                    pause = min(pause, 2.0)
                else:
                    pause = self._lease.total_seconds() / 3
        finally:
            connection.close()
