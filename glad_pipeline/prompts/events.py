"""What happened to a prompt and when, and where it stands now: for a person, and for programs that ask on their behalf.

The database writes the history itself (`prompts_note_what_happened`), in the transactions that move a prompt. Knows the
tables `prompts` and `prompt_events`; changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from glad_pipeline.database import Connection, Database, named_queries, value
from glad_pipeline.prompts.pauses import pauses
from glad_pipeline.records import records_of

QUERIES = named_queries("glad_pipeline.prompts", "events.sql")
SHOWN = 1_000  # events of one prompt, the newest
COUNTED = 1_000  # prompts ahead of one
WORDS = {  # of states that say all there is to say
    "awaiting_approval": "waiting for approval",
    "published": "published",
    "ready": "ready: its picture is public, and no post is asked for",
    "rejected": "rejected",
    "failed": "failed",
    "cancelled": "cancelled",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to a prompt."""

    at: datetime
    event: str  # queued, or as the CHECK of `prompt_events.event` has it
    run_id: str | None = None  # the Dagster run; None: a person's doing, or not known
    detail: str | None = None  # the reason, or the place in its batch: 3 of 8


def history(database: Database, prompt_id: int) -> list[Event]:
    """What happened to a prompt, the oldest first: that it was queued, and its newest SHOWN events."""
    bound = {"id": prompt_id, "limit": SHOWN}

    def look(connection: Connection) -> list[Event]:
        queued = records_of(Event, connection.execute(QUERIES["queued"], bound))
        return [*queued, *reversed(records_of(Event, connection.execute(QUERIES["history"], bound)))]

    return database.read(look)


def where_it_stands(database: Database, prompt_id: int, *, ahead: bool = True) -> str | None:
    """Where a prompt is now, in words: `waiting, 17 ahead`, `drawing, 3 of 8` … None: there is no such prompt.

    `ahead`: whether prompts are drawn before their `publish_at`.
    """
    return database.read(lambda connection: _stands(connection, prompt_id, ahead))


def _stands(connection: Connection, prompt_id: int, ahead: bool) -> str | None:
    row = connection.execute(QUERIES["stands"], {"id": prompt_id}).fetchone()
    if row is None:
        return None
    if row["status"] == "pending":
        return _waits(connection, prompt_id, row["source"], ahead=ahead, is_later=row["is_later"])
    if row["status"] == "claimed":
        return f"drawing, {row['detail']}" if row["event"] == "drawing" else "claimed, to be drawn next"
    if row["status"] == "generated":
        return "stored, its post waits for its time" if row["is_later"] else "stored, its post is next"
    return WORDS[row["status"]]


def _waits(connection: Connection, prompt_id: int, source: str, *, ahead: bool, is_later: bool | None) -> str:
    found = pauses(connection)
    if (paused := found.all or found.sources.get(source)) is not None:
        return f"paused since {paused}"
    if is_later and not ahead:
        return "waiting for its time"
    bound = {"id": prompt_id, "limit": COUNTED + 1, "ahead": ahead}
    place = value(connection, QUERIES["place"], bound)
    return f"waiting, {place - 1 if place and place <= COUNTED else f'more than {COUNTED:,}'} ahead"
