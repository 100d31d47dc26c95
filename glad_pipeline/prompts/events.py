"""What happened to a prompt and when, and where it stands now: for a person. For programs that ask often: `progress`.

The database writes the history itself (`prompts_note_what_happened`), in the transactions that move a prompt. Knows the
tables `prompts` and `prompt_events`; changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from glad_pipeline.database import Connection, Database, named_queries, value
from glad_pipeline.prompts.progress import COUNTED, Progress
from glad_pipeline.prompts.progress import QUERIES as PROGRESS
from glad_pipeline.records import records_of

QUERIES = named_queries("glad_pipeline.prompts", "events.sql")
SHOWN = 1_000  # events of one prompt, the newest


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to a prompt."""

    at: datetime
    event: str  # queued, or as the CHECK of `prompt_events.event` has it
    run_id: str | None = None  # the Dagster run; None: a person's doing, or not known
    detail: str | None = None  # the reason, or the place in its batch: 3 of 8
    actor: str | None = None  # the API key that had it done; None: a run's or the terminal's doing, or not known


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

    def look(connection: Connection) -> str | None:
        found = records_of(Progress, connection.execute(PROGRESS["progress"], {"ids": [prompt_id]}))
        if not found:
            return None
        bound = {"id": prompt_id, "limit": COUNTED + 1, "ahead": ahead}
        place = value(connection, QUERIES["place"], bound) if found[0].status == "pending" else None
        return found[0].in_words(place, ahead=ahead)

    return database.read(look)
