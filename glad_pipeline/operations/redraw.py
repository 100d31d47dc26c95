"""Pictures that the settings of today would draw in another way: which they are, and their way back into the queue.

A prompt's own values stay as they are; what it leaves open follows preset, model and defaults of the settings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from glad_pipeline.blame import one_row
from glad_pipeline.database import Database, named_queries
from glad_pipeline.pipeline.sdxl import Sdxl
from glad_pipeline.records import Prompt, records_of
from glad_pipeline.settings import Settings

SQL = named_queries(__package__, "redraw.sql")
PAGE = 500  # rows at once

log = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Stale:
    """What would be drawn anew, and what that takes."""

    looked_at: int = 0  # published prompts with a picture
    prompts: list[int] = field(default_factory=list)  # whose recipe is another one today
    seconds: float = 0.0  # that their pictures took to draw
    bytes: int = 0  # that their pictures have; the new ones are stored beside them
    refused: dict[int, str] = field(default_factory=dict)  # prompts that could not be drawn today, with the reason


def stale(database: Database, settings: Settings, *, tell: Callable[[Stale], None] = lambda found: None) -> Stale:
    """Compare each published picture's recipe with the one that its prompt would get now. Changes nothing.

    `tell` hears how far it is. Raises `GladError` where the settings' model cannot be used.
    """
    sdxl, found = Sdxl(options=settings.engine, log=log), Stale()
    sdxl.profile()
    for row in _published(database):
        found.looked_at += 1
        tell(found)
        (prompt,) = records_of(Prompt, [row])
        with one_row(partial(found.refused.__setitem__, prompt.id)):
            if sdxl.recipe(prompt).hash != row["recipe_hash"]:
                found.prompts.append(prompt.id)
                found.seconds += row["seconds"] or 0.0
                found.bytes += row["bytes"]
    return found


def requeue(database: Database, prompts: Sequence[int]) -> set[int]:
    """Put these prompts back into the queue, and return which. Their posts stay as they are meanwhile.

    Left alone is what is neither published nor ready, and whose post shows another picture by now.
    """
    moved: set[int] = set()
    for start in range(0, len(prompts), PAGE):
        with database.transaction() as connection:
            rows = connection.execute(SQL["requeue"], {"ids": list(prompts[start : start + PAGE])})
            moved |= {row["id"] for row in rows}
    return moved


def _published(database: Database) -> Iterator[dict[str, Any]]:
    last = 0
    while rows := database.read(
        lambda connection: connection.execute(SQL["published"], {"after": last, "limit": PAGE}).fetchall()  # noqa: B023
    ):
        yield from rows
        last = rows[-1]["id"]
