"""What the queue says at one moment: what a run could do, and which runs hold it or have lost their process.

Looks for sensors and checks; claiming and settling prompts is `queue`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.limits import CHARS
from glad_pipeline.prompts.pauses import pauses
from glad_pipeline.records import records_of

SQL = named_queries(__package__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Readiness:
    """What a run could do right now."""

    pending: bool  # prompts wait to be drawn, and are not paused
    due: bool  # drawn pictures whose time to be published has come
    abandoned: bool  # prompts held by a run that is gone, or posts that it published and did not report
    paused: str | None = None  # where all that waits is paused: since when and why, in words

    def __bool__(self) -> bool:
        return self.pending or self.due or self.abandoned


@dataclass(frozen=True, kw_only=True, slots=True)
class Texts:
    """What a prompt says, and how much of it its picture does not know."""

    id: int
    prompt: str  # the first CHARS of it, as also of the next: a row may have millions
    negative_prompt: str
    prompt_syntax: str | None  # None: as the settings say
    tokens_dropped: int  # of both texts, that its picture was drawn without; 0 where it has none


def newest_texts(connection: Connection, limit: int) -> list[Texts]:
    """The texts of the newest prompts, whatever their state."""
    return records_of(Texts, connection.execute(SQL["newest_texts"], {"limit": limit, "chars": CHARS["prompt"]}))


def readiness(connection: Connection, *, ahead: bool = True) -> Readiness:
    """One indexed look at the queue, in a transaction; its cost does not grow with the table.

    `ahead`: whether pictures are drawn before their `publish_at`.
    """
    with connection.transaction():
        connection.execute("SET LOCAL enable_seqscan = off")  # without fresh statistics the planner would read it all
        return _ready(connection, ahead)


def looks(connection: Connection, *, ahead: bool = True) -> Callable[[], Readiness]:
    """`readiness` for who asks again and again on an autocommit connection of its own: one statement each time."""
    connection.execute("SET enable_seqscan = off")
    return partial(_ready, connection, ahead)


def _ready(connection: Connection, ahead: bool) -> Readiness:
    [row] = connection.execute(SQL["ready"], {"ahead": ahead}).fetchall()
    [ready] = records_of(Readiness, [row])
    if row["waits"] and not ready.pending:
        return replace(ready, paused=pauses(connection).in_words())
    return ready


def live_workers(connection: Connection) -> set[str]:
    """The workers (Dagster run ids) whose claim is alive."""
    return {row["worker"] for row in connection.execute(SQL["live_workers"])}


def orphaned_runs(connection: Connection, database: str) -> set[str]:
    """Dagster runs that opened a claim and did not end it, and whose lock is gone now: dead, or connecting anew.

    `database`: what `database_mark` says of this one.
    """
    return {row["run_id"] for row in connection.execute(SQL["orphaned_runs"], {"database": database})}


def forget_runs(connection: Connection, run_ids: Collection[str]) -> None:
    """These runs have ended: they are orphaned no longer."""
    connection.execute(SQL["forget_runs"], {"run_ids": list(run_ids)})


def overdue(connection: Connection) -> list[int]:
    """The ids of up to 20 prompts that are still claimed although their lease is over, the oldest first."""
    return [row["id"] for row in connection.execute(SQL["overdue"])]
