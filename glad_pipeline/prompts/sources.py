"""Sources of prompts: what each has in the queue, its limits, and pausing and resuming it.

A source is a name on prompts (`prompts.source`); `*` stands for all of them. Limits are kept by the database, on every
INSERT: here they are set, and their refusal is put into words. What a pause means for a claim is in `taking`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import errors as pg

from glad_pipeline.database import Connection, Database
from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.pauses import ALL, SQL
from glad_pipeline.prompts.validation import review_reason, source_name
from glad_pipeline.records import records_of


class LimitReached(UsageError):
    """A source has as many prompts as its limit allows."""


LIMITED = "sources_keep_their_limits"  # the database's name for the rule


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What one source has in the queue, and what is said of it."""

    source: str  # '': prompts without one; '*': what holds for every source that has nothing of its own
    waiting: int
    in_work: int  # claimed, or drawn and not published yet
    added: int | None  # in the last 24 hours; None of prompts without a source, which have no limits
    published: int  # in the last 24 hours
    queued_limit: int | None  # None: none of its own
    daily_limit: int | None
    paused_since: datetime | None
    pause_reason: str | None


def list_sources(database: Database) -> list[Source]:
    """Every source that has prompts waiting or in work, was busy in the last 24 hours, or has limits or a pause."""
    return database.read(lambda connection: records_of(Source, connection.execute(SQL["list_sources"])))


def pause(database: Database, source: str = ALL, *, reason: str | None = None) -> datetime | None:
    """Have no more prompts claimed, of this source or of all. Returns since when they were paused before, or None.

    Runs finish the batch that they have begun. A second pause keeps the time of the first, and its reason unless it
    has one of its own.
    """
    bound = {"source": _checked(source), "reason": None if reason is None else review_reason(reason)}
    with database.transaction() as connection:
        row = connection.execute(SQL["pause"], bound).fetchone()
    return row["before"] if row else None


def resume(database: Database, source: str = ALL) -> datetime | None:
    """Have prompts claimed again. Returns since when they were paused; None: they were not."""
    with database.transaction() as connection:
        row = connection.execute(SQL["resume"], {"source": _checked(source)}).fetchone()
        connection.execute(SQL["forget_plain"])
    return row["before"] if row else None


def limit(database: Database, source: str, limits: Mapping[str, int | None]) -> None:
    """Set limits of a source: `queued_limit` (rows that may wait at once), `daily_limit` (rows added in 24 hours).

    None takes one away; those not named stay. Rows that are there already stay, also beyond a limit.
    """
    if not source:
        raise UsageError("prompts without a source have no limits: name a source, or '*' for every one that has none")
    for name, most in limits.items():
        if most is not None and not 0 <= most < 2**31:
            raise UsageError(f"{name.removesuffix('_limit')} {most} must be from 0 to {2**31 - 1:,}")
    bound: dict[str, Any] = {"source": _checked(source), "queued_limit": None, "daily_limit": None, **limits}
    asked = {f"sets_{name}": name in limits for name in ("queued_limit", "daily_limit")}
    with database.transaction() as connection:
        connection.execute(SQL["limit"], {**bound, **asked})
        connection.execute(SQL["forget_plain"])


@contextmanager
def kept_to_limits() -> Iterator[None]:
    """Around an INSERT of prompts: raises `LimitReached`, with the cure, where a source would pass a limit."""
    try:
        yield
    except pg.CheckViolation as error:
        if error.diag.constraint_name != LIMITED:
            raise
        hint = f". {error.diag.message_hint}" if error.diag.message_hint else ""
        raise LimitReached(f"{error.diag.message_primary}: nothing was added{hint}") from error


def refuse_beyond_limit(connection: Connection, source: str) -> None:
    """Raises `LimitReached` where the database would, were one more prompt of this source added now."""
    row = connection.execute(SQL["at_limit"], {"source": source}).fetchone()
    if row is None:
        return
    queued, daily = row["queued"], row["daily"]
    what = f"have {queued} prompts waiting at once" if queued is not None else f"add {daily} prompts in 24 hours"
    raise LimitReached(f"the source {quoted(source)} may {what}: ask later, or allow more: `glad prompts limit`")


def _checked(source: str) -> str:
    return source if source == ALL else source_name(source)
