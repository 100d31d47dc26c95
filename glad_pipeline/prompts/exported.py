"""Rows of an export that come back: what is in the queue as it was exported is passed over, whatever it says.

The database takes values by plain SQL that no import takes, and in another form than an import would write them: such a
row is not validated again, and no second prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from glad_pipeline.database import Database
from glad_pipeline.prompts.export import QUERIES
from glad_pipeline.prompts.files.record import Record
from glad_pipeline.prompts.intake import as_given

_AT_ONCE = 200  # rows in memory, each with a text that may be long


class ExportedRows:
    """Looks up rows with a `result_id`; `count` is how many were passed over."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.count = 0

    def without(self, records: Iterator[Record]) -> Iterator[Record]:
        """These records, without those whose prompt still is what was exported."""
        waiting: list[Record] = []
        for record in records:
            if record.fault or _id(record) is None:
                yield record
                continue
            waiting.append(record)
            if len(waiting) == _AT_ONCE:
                yield from self._others(waiting)
                waiting = []
        if waiting:
            yield from self._others(waiting)

    def _others(self, records: Sequence[Record]) -> Iterator[Record]:
        sought = {"ids": [_id(record) for record in records]}
        rows = self._database.read(lambda connection: connection.execute(QUERIES["prompts_by_id"], sought).fetchall())
        there = {row["id"]: _comparable(as_given(row)) for row in rows}
        for record in records:
            if there.get(_id(record)) == _comparable(record.fields):
                self.count += 1
            else:
                yield record


def _id(record: Record) -> int | None:
    text = str(record.result_id)
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _comparable(fields: Mapping[str, Any]) -> dict[str, str]:
    """The same for a row of the database as for what any format makes of it; a table has no empty texts."""
    return {name: _text(name, value) for name, value in fields.items() if value != ""}


def _text(name: str, value: Any) -> str:
    if name == "publish_at":
        try:
            time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            return time.astimezone(UTC).isoformat() if time.tzinfo else str(value)
        except (ValueError, OverflowError):
            pass
    return str(value)
