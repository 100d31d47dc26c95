"""JSON: an object a line (JSONL), or one array of objects, or objects one after the other, of any length."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.files.columns import ColumnsRefused, UnknownColumns
from glad_pipeline.prompts.files.detection import CHUNK, LONGEST_LINE
from glad_pipeline.prompts.files.lines import text_lines, text_of
from glad_pipeline.prompts.files.record import Reading, Record

_BETWEEN = re.compile(r"[\s,]*")


def json_line_records(reading: Reading, stream: BinaryIO) -> Iterator[Record]:
    """One record a line; a line that is not a JSON object is a record with a fault, and reading goes on."""
    for line, text in enumerate(text_lines(reading, stream), start=1):
        if text.strip():
            yield _line_record(reading, line, text)
        else:
            reading.empty += 1


def _line_record(reading: Reading, line: int, text: str) -> Record:
    try:
        found = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        half = ", the line is cut short" if error.pos >= len(text.rstrip()) else ""
        return Record(line, {}, f"is not JSON: {error.msg} at character {error.pos + 1}{half}")
    except (ValueError, RecursionError) as error:
        return Record(line, {}, f"is not JSON that can be read: {error}")
    if not isinstance(found, dict):
        return Record(line, {}, f"is {quoted(text.strip())}: it must be a JSON object, in braces")
    return record_of(reading, line, found)


def record_of(reading: Reading, line: int, found: dict[str, Any]) -> Record:
    """The record that names with values are; where a name is no field, one with a fault."""
    given = (tuple(found), tuple(found.values()))
    try:
        fields = reading.columns.fields_of(given[0])
    except ColumnsRefused as error:
        if isinstance(error, UnknownColumns):
            reading.unread(error)
        return Record(line, {}, f"has {error}", given)
    if fault := "" in fields and reading.value_without_name(given[0], fields, given[1]):
        return Record(line, {}, fault, given)
    values = {name: value for name, value in zip(fields, given[1], strict=True) if name and value not in (None, "")}
    return Record(line, values, None, given, result_id=found.get("result_id"))


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def json_records(reading: Reading, stream: BinaryIO) -> Iterator[Record]:
    """The objects of one array, or of a sequence. Raises `UsageError` where the text stops being JSON."""
    text = text_of(reading, stream)
    values = _Values(reading, text)
    for row, found in enumerate(values, start=1):
        if not isinstance(found, dict):
            yield Record(row, {}, f"is {quoted(str(found))}: it must be a JSON object, in braces")
        else:
            yield record_of(reading, row, found)


class _Values:
    """The values of an array, or of a sequence, each as soon as it is whole: one is in memory at a time."""

    def __init__(self, reading: Reading, text: Any) -> None:
        self._reading = reading
        self._text = text
        self._decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates)
        self._buffer = ""
        self._at = 0
        self._line = 1
        self._ended = False

    def __iter__(self) -> Iterator[Any]:
        self._more()
        self._buffer = self._buffer.removeprefix("\ufeff")
        self._skip()
        in_array = self._buffer.startswith("[", self._at)
        self._at += in_array
        while self._skip():
            if in_array and self._buffer[self._at] == "]":
                self._at += 1
                if self._skip():
                    raise self._broken("there is more after the end of the array")
                return
            yield self._next()
        if in_array:
            raise self._broken("the array is never closed, the file is cut short")

    def _skip(self) -> bool:
        """Go to the next value; False at the end."""
        while True:
            end = _BETWEEN.match(self._buffer, self._at).end()  # type: ignore[union-attr]
            self._go(end)
            if end < len(self._buffer):
                return True
            if not self._more():
                return False

    def _next(self) -> Any:
        if self._buffer[self._at] not in '{["-0123456789tfnNI':  # else all the rest would be read for its end
            raise self._broken(f"a record cannot begin with {quoted(self._buffer[self._at])}")
        while True:
            try:
                found, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if self._may_be_cut(error) and self._more():
                    continue
                raise self._broken(f"{error.msg} at character {error.pos - self._at + 1} of the record") from error
            except (ValueError, RecursionError) as error:
                raise self._broken(f"it cannot be read: {error}") from error
            if end == len(self._buffer) and self._more():  # a number may go on
                continue
            self._go(end)
            return found

    def _may_be_cut(self, error: json.JSONDecodeError) -> bool:
        """Whether the value only goes on behind the buffer: within a text, or near its end (`-Infinity` is longest)."""
        return error.msg.startswith("Unterminated string") or error.pos > len(self._buffer.rstrip()) - 16

    def _go(self, end: int) -> None:
        self._line += self._buffer.count("\n", self._at, end)
        self._at = end

    def _more(self) -> bool:
        """Read on, twice as much as there is; False at the file's end, or where one value is too long to be one."""
        rest = self._buffer[self._at :]
        if len(rest) > LONGEST_LINE:
            raise self._broken(f"one record is longer than {LONGEST_LINE:,} characters")
        some = self._text.read(max(CHUNK // 16, len(rest)))
        if some:
            self._buffer, self._at = rest + some, 0
        return bool(some)

    def _broken(self, why: str) -> UsageError:
        return UsageError(f"{self._reading.name}, line {self._line:,} is not JSON: {why}")
