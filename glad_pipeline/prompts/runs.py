"""What runs have done with prompts lately, by the history of these: for a person. Knows runs by their ids only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.records import records_of

SQL = named_queries(__package__, "runs.sql")
EVENTS = 20_000  # the newest, of the last week


@dataclass(frozen=True, kw_only=True, slots=True)
class RunOfPrompts:
    """A run, as far as prompts tell of it."""

    run_id: str  # Dagster's
    since: datetime | None  # its first claim, or what is known of it first
    last_at: datetime | None  # what it has done last; None: nothing yet
    is_alive: bool  # it holds the queue's lock
    in_hand: int  # prompts that it has claimed and not drawn yet
    claimed: int  # prompts in all
    stored: int
    published: int
    rejected: int
    failed: int


def runs(connection: Connection, *, limit: int) -> list[RunOfPrompts]:
    """Those that are alive, and those of the last week, the latest first."""
    return records_of(RunOfPrompts, connection.execute(SQL["runs"], {"events": EVENTS, "limit": limit}))
