"""Reading prompts from a CSV or JSONL file, one record at a time.

Knows files and their faults, by line. Knows neither SQL nor what a prompt may be (that is `validation`),
only which fields there are. Holds one record in memory, whatever the file's size.
"""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import CHARS
from glad_pipeline.records import FIELDS

LONGEST_LINE = 16 * 2**20  # bytes: a million characters, each escaped in JSON as \uXXXX\uXXXX, and room to spare
_PACKED = {
    b"\x1f\x8b": "compressed with gzip: unpack it first",
    b"BZh": "compressed with bzip2: unpack it first",
    b"\xfd7zXZ": "compressed with xz: unpack it first",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it first",
    b"PK\x03\x04": "a ZIP archive or a spreadsheet: unpack it, or save the sheet as CSV (UTF-8)",
    b"\xff\xfe": "UTF-16: save it as UTF-8",
    b"\xfe\xff": "UTF-16: save it as UTF-8",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the file: where it starts, and either its cells (empty ones left out) or what is wrong with it."""

    line: int
    fields: dict[str, Any]
    fault: str | None = None


def read_records(path: Path) -> Iterator[Record]:
    """The rows of a `.csv` or `.jsonl` file, in order.

    A row that cannot be read is a record with a fault, and reading goes on. Raises `UsageError` where the
    file as a whole cannot be read: it is missing, packed, not UTF-8, or its header is wrong.
    """
    readers = {".csv": _csv_records, ".jsonl": _jsonl_records, ".ndjson": _jsonl_records}
    reader = readers.get(path.suffix.lower())
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory: name a .csv or .jsonl file")
        with path.open("rb") as stream:
            _refuse_packed(path, stream)
            if reader is None:
                raise UsageError(f"{path} must end in .csv (with a header) or .jsonl (one JSON object a line)")
            yield from reader(path, stream)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: check the path") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{quoted(str(path), 200)} cannot be read: {error}") from error


def _refuse_packed(path: Path, stream: BinaryIO) -> None:
    start = stream.peek(8)[:8] if hasattr(stream, "peek") else b""
    for magic, what in _PACKED.items():
        if start.startswith(magic):
            raise UsageError(f"{path} is {what}")


def _lines(path: Path, stream: BinaryIO) -> Iterator[str]:
    """The lines of a UTF-8 file, without its byte order mark; each still has its end."""
    line, offset = 0, 0
    while raw := stream.readline(LONGEST_LINE):
        line += 1
        if len(raw) == LONGEST_LINE:
            raise UsageError(f"{path}, line {line} is longer than {LONGEST_LINE:,} bytes: is it a text file?")
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            at = offset + error.start
            raise UsageError(
                f"{path} is not UTF-8: line {line} has byte 0x{raw[error.start]:02x} at offset {at:,}. Save it as UTF-8"
            ) from error
        offset += len(raw)
        yield text.removeprefix("\ufeff") if line == 1 else text


# ---- CSV


def _csv_records(path: Path, stream: BinaryIO) -> Iterator[Record]:
    csv.field_size_limit(2 * CHARS["content"])
    rows = csv.reader(_lines(path, stream), strict=True)
    header, line = _header(path, rows), rows.line_num + 1
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            yield Record(line, {}, _csv_fault(error))
            cells = []
        if cells is None:
            return
        if cells:
            yield _csv_record(line, header, cells)
        line = rows.line_num + 1


def _csv_record(line: int, header: Sequence[str], cells: list[str]) -> Record:
    if len(cells) != len(header):
        cure = "the row is cut short" if len(cells) < len(header) else "put cells that hold a comma in double quotes"
        return Record(line, {}, f"has {len(cells)} cells where the header has {len(header)}: {cure}")
    return Record(line, {name: cell for name, cell in zip(header, cells, strict=True) if cell})


def _header(path: Path, rows: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip().lower() for name in next(rows, [])]
    except csv.Error as error:
        raise UsageError(f"{path}, line 1: the header {_csv_fault(error)}") from error
    if not header:
        raise UsageError(f"{path} has no header: its first line must name the columns, such as prompt,title,slug")
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|"):
        raise UsageError(f"{path}: the columns must be separated by commas, the header is {quoted(header[0])}")
    if unknown := _unknown(header):
        raise UsageError(f"{path}: unknown {unknown}. Known columns: {', '.join(FIELDS)}")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise UsageError(f"{path}: the column {', '.join(twice)} appears twice in the header")
    if "prompt" not in header:
        raise UsageError(f"{path}: the column prompt is missing. Columns found: {', '.join(header)}")
    return header


def _csv_fault(error: csv.Error) -> str:
    text = str(error)
    if "field larger" in text:
        return f"has a cell of more than {2 * CHARS['content']:,} characters: is a double quote never closed?"
    if "unexpected end" in text:
        return "opens a double quote that is never closed"
    if "expected after" in text:
        return 'has text after a closing double quote: write a quote inside a quoted cell twice, as ""'
    if "new-line character" in text:
        return "has a lone carriage return: end lines with LF or CRLF, and put cells with line breaks in double quotes"
    return f"is not CSV: {text}"


# ---- JSONL


def _jsonl_records(path: Path, stream: BinaryIO) -> Iterator[Record]:
    for line, text in enumerate(_lines(path, stream), start=1):
        if text.strip():
            yield _jsonl_record(line, text)


def _jsonl_record(line: int, text: str) -> Record:
    try:
        found = json.loads(text, object_pairs_hook=_without_duplicates)
    except json.JSONDecodeError as error:
        half = ", the line is cut short" if error.pos >= len(text.rstrip()) else ""
        return Record(line, {}, f"is not JSON: {error.msg} at character {error.pos + 1}{half}")
    except (ValueError, RecursionError) as error:
        return Record(line, {}, f"is not JSON that can be read: {error}")
    if not isinstance(found, dict):
        return Record(line, {}, f"is {quoted(text.strip())}: it must be a JSON object, in braces")
    if unknown := _unknown(found):
        return Record(line, {}, f"has unknown {unknown}. Known keys: {', '.join(FIELDS)}")
    return Record(line, {name: value for name, value in found.items() if value not in (None, "")})


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found


def _unknown(names: Iterable[str]) -> str:
    """The names that are no field, each with the nearest one that is."""
    faults = []
    for name in names:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1)
            faults.append(quoted(name) + (f" (did you mean {near[0]}?)" if near else ""))
    return ", ".join(faults[:10])
