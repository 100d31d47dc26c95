"""The outbox: who has to be notified of what, written with what makes it true, and what became of it.

Knows rows, not networks: `deliver` does the telling. A message is in one deliverer's hands for VISIBILITY_TIMEOUT; one
that does not come back loses it to the next, so that each is delivered at least once. Those of one subject and kind go
in order.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from glad_pipeline.database import Connection, Database, named_queries, value
from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import LISTED
from glad_pipeline.records import PostId, records_of

SQL = named_queries(__package__, "messages.sql")
Kind = Literal["revalidate", "delete", "purge"]
Status = Literal["waiting", "delivered", "skipped", "dead"]
STATUSES: tuple[Status, ...] = get_args(Status)
VISIBILITY_TIMEOUT = timedelta(minutes=5)  # longer than the longest telling: two are not to tell at once
KEEP = timedelta(days=30)  # what was delivered or skipped
GRACE = timedelta(seconds=15)  # the run that wrote a message is about to deliver it
FIRST_PAUSE = 5.0  # seconds, doubled with each try
LONGEST_PAUSE = 3_600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """Who has to be notified of what."""

    id: int
    kind: Kind
    subject: str  # post:<id> or image:<key>
    payload: Mapping[str, Any]  # revalidate: paths, tags; delete: keys, urls, deployment; purge: paths, urls
    attempts: int  # the one under way included


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageStatus(Message):
    """A message, and how far it is."""

    status: Status
    next_attempt_at: datetime
    last_error: str | None
    created_at: datetime
    ended_at: datetime | None  # None: it waits still


@dataclass(frozen=True, kw_only=True, slots=True)
class Settled:
    """What became of one delivery."""

    message: Message
    status: Status
    error: str | None = None

    @property
    def delay(self) -> timedelta:
        """Until the next try; a random part of it, so that what failed together does not come back together."""
        seconds = min(FIRST_PAUSE * 2.0 ** min(self.message.attempts - 1, 30), LONGEST_PAUSE)
        return timedelta(seconds=seconds * random.uniform(0.5, 1.0))  # noqa: S311


def tell_of_posts(connection: Connection, ids: Collection[PostId], *, hidden: bool = False) -> int:
    """In the caller's transaction: the site has to make the pages of these posts anew, drafts' too if `hidden`. Of how
    many it is told."""
    return connection.execute(SQL["tell_of_posts"], {"ids": list(ids), "hidden": hidden}).rowcount


def ask_to_delete(connection: Connection, image: int) -> None:
    """In the caller's transaction: the objects of this picture (images.id) have to go, from the CDN as well."""
    connection.execute(SQL["ask_to_delete"], {"image": image})


def ask_to_delete_again(connection: Connection, key: str, keys: Sequence[str]) -> None:
    """In the caller's transaction: as `ask_to_delete`, for what a run may have stored since under these keys."""
    connection.execute(SQL["ask_to_delete_again"], {"key": key, "keys": list(keys)})


def name_also(connection: Connection, message: int, keys: Sequence[str]) -> None:
    """In the caller's transaction: this deletion, which is under way, is of these objects too."""
    connection.execute(SQL["name_also"], {"id": message, "keys": list(keys)})


def take(connection: Connection, kind: Kind, *, limit: int, subjects: Sequence[str] | None = None) -> list[Message]:
    """In the caller's transaction: take up to `limit` due messages, one of a subject, for VISIBILITY_TIMEOUT."""
    bound = {"kind": kind, "limit": limit, "subjects": subjects, "hold": VISIBILITY_TIMEOUT}
    taken = records_of(Message, connection.execute(SQL["take"], bound))
    return sorted(taken, key=lambda message: message.id)


def settle(connection: Connection, settled: Sequence[Settled]) -> None:
    """In the caller's transaction: note what became of messages, as far as they are still in our hands."""
    bound = {
        "ids": [each.message.id for each in settled],
        "attempts": [each.message.attempts for each in settled],
        "statuses": [each.status for each in settled],
        "errors": [each.error for each in settled],
        "delays": [each.delay for each in settled],
    }
    connection.execute(SQL["settle"], bound)


def postpone(connection: Connection, kind: Kind, *, delay: timedelta, error: str) -> None:
    """In the caller's transaction: they go to somebody unreachable, the due ones are tried when the failed one is."""
    connection.execute(SQL["postpone"], {"kind": kind, "delay": delay, "error": error})


def hurry(connection: Connection, subjects: Sequence[str] | None = None) -> None:
    """In the caller's transaction: messages that wait for their next try are due now."""
    connection.execute(SQL["hurry"], {"subjects": subjects})


def prune(connection: Connection) -> None:
    """In the caller's transaction: forget what was delivered or skipped longer than KEEP ago."""
    connection.execute(SQL["prune"], {"keep": KEEP})


def overdue(connection: Connection) -> bool:
    """Whether a message has been due for GRACE and nobody has it."""
    return bool(value(connection, SQL["overdue"], {"grace": GRACE}))


def dead(connection: Connection) -> tuple[int, list[MessageStatus]]:
    """How many messages were given up, and the newest 20 of them."""
    rows = connection.execute(SQL["dead"]).fetchall()
    return rows[0]["total"] if rows else 0, records_of(MessageStatus, rows)


def messages(
    connection: Connection,
    *,
    status: str | None = None,
    limit: int = 20,
    subjects: Sequence[str] | None = None,
    since: int | None = None,
    before: int | None = None,
) -> list[MessageStatus]:
    """Up to `limit` messages, the newest first; the next page is `before` the last id of this one.

    Raises `UsageError` for a status there is not.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"status {quoted(status)} must be one of {', '.join(STATUSES)}")
    if limit not in LISTED:
        raise UsageError(f"limit {limit} must be from {LISTED}")
    bound = {"status": status, "limit": limit, "subjects": subjects, "since": since, "before": before}
    return records_of(MessageStatus, connection.execute(SQL["list_messages"], bound))


def counts(connection: Connection) -> dict[str, int]:
    """How many messages are in each state."""
    found = {row["status"]: int(row["messages"]) for row in connection.execute(SQL["counts"])}
    return {status: found.get(status, 0) for status in STATUSES}


def retry(connection: Connection, ids: Sequence[int] | None) -> tuple[list[int], dict[int, str]]:
    """Let dead messages (None: all) wait again. Returns those that do, and for the others why not."""
    known = None if ids is None else [i for i in dict.fromkeys(ids) if 0 < i < 2**63]
    moved = sorted(row["id"] for row in connection.execute(SQL["retry"], {"ids": known}))
    states = {row["id"]: row["status"] for row in connection.execute(SQL["states_of"], {"ids": known or []})}
    refused = {
        i: f"it is {states[i]}: only dead ones are retried" if i in states else "there is no such message"
        for i in ids or ()
        if i not in moved
    }
    return moved, refused


def retry_now(database: Database, ids: Sequence[int] | None) -> tuple[list[int], dict[int, str]]:
    """`retry`, in a transaction of its own."""
    with database.transaction() as connection:
        return retry(connection, ids)
