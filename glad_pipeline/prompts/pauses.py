"""What is paused: all of the queue, or the prompts of some sources.

A pause keeps prompts from being claimed. Runs that hold some look for it and give back what they have not begun;
what is drawn is published all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from glad_pipeline.database import Connection, named_queries

SQL = named_queries(__package__, "sources.sql")
ALL = "*"  # in place of a source


@dataclass(frozen=True, kw_only=True, slots=True)
class Pauses:
    """What is paused, each with since when and why, in words."""

    all: str | None = None  # None: not all is
    sources: Mapping[str, str] = field(default_factory=dict)  # by source

    def in_words(self) -> str:
        """All that is paused, the first few by name."""
        named = [f"the source {name!r} since {words}" for name, words in islice(self.sources.items(), 5)]
        more = len(self.sources) - len(named)
        every = [f"the whole queue since {self.all}"] if self.all is not None else []
        return "; ".join([*every, *named, *([f"{more:,} more sources"] if more else [])])

    def __bool__(self) -> bool:
        return self.all is not None or bool(self.sources)


def pauses(connection: Connection) -> Pauses:
    """In a transaction: what is paused now."""
    found = {row["source"]: row["words"] for row in connection.execute(SQL["pauses"])}
    return Pauses(all=found.pop(ALL, None), sources=found)
