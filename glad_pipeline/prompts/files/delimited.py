"""CSV and TSV: a header that names the columns, then a record a row, whatever separates and quotes the cells."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, BinaryIO

from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import CHARS
from glad_pipeline.prompts.files.columns import PASSED_OVER
from glad_pipeline.prompts.files.detection import SEPARATORS, separator_of
from glad_pipeline.prompts.files.lines import text_lines
from glad_pipeline.prompts.files.record import Reading, Record

# Text that a spreadsheet would compute; an export has an apostrophe before it, and one more before any that was there
FORMULA = re.compile(r"'*[=+\-@\t\r]")
_SEP_LINE = re.compile(r"sep=(.)", re.IGNORECASE)  # what Excel writes above the header
_BARE_QUOTE = re.compile(r'(?:^|\t)"(?:[^"\t]|"")*"[^\t"\r\n]')  # a quote that ends within a cell: it is text
_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}


def table_records(reading: Reading, stream: BinaryIO) -> Iterator[Record]:
    """The rows of a CSV or TSV file. Raises `UsageError` where the header is wrong."""
    csv.field_size_limit(2 * CHARS["content"])
    quoting = csv.QUOTE_MINIMAL
    if reading.format == "tsv" and _has_bare_quotes(reading, stream):
        quoting = csv.QUOTE_NONE
        reading.notes.append("double quotes are text, since some end within a cell")
    stream.seek(0)
    lines = text_lines(reading, stream)
    before, first, told = _first_line(lines)
    separator = told or _asked_separator(reading) or ("\t" if "\t" in first and reading.format == "tsv" else None)
    separator = separator or separator_of(first)
    if separator != ("\t" if reading.format == "tsv" else ","):
        reading.notes.append(f"cells are separated by {SEPARATORS.get(separator, quoted(separator))}")
    rows = csv.reader(
        chain([first] if first else [], lines),
        delimiter=separator,
        strict=True,
        quoting=quoting,  # type: ignore[arg-type]
    )
    yield from _Table(reading, _header(reading, rows, before + 1), before).records(rows)


def _has_bare_quotes(reading: Reading, stream: BinaryIO) -> bool:
    """Whether some quotes end within a cell, and the file cannot be read in any other way. An export of ours can be."""
    if not any(map(_BARE_QUOTE.search, text_lines(reading, stream))):
        return False
    stream.seek(0)
    rows = csv.reader(text_lines(reading, stream), delimiter="\t", strict=True)
    ours = False
    try:
        for number, cells in enumerate(rows):
            ours = ours or (number == 0 and _is_ours(cells))
    except csv.Error:
        return not ours
    return False


def _is_ours(header: Sequence[str]) -> bool:
    return any(name in header for name in PASSED_OVER)


def _first_line(lines: Iterator[str]) -> tuple[int, str, str | None]:
    """How many lines come before the header, the header's line, and the separator that a `sep=` line names."""
    told = None
    for before, line in enumerate(lines):
        if found := _SEP_LINE.fullmatch(line.strip("\r\n")):
            told = told or found[1]
        elif line.strip():
            return before, line, told
    return 0, "", told


def _asked_separator(reading: Reading) -> str | None:
    asked = reading.options.separator
    if asked is None:
        return None
    separator = _NAMES.get(asked.lower(), asked)
    if len(separator) != 1 or separator in '"\r\n\0 ':
        raise UsageError(f"--separator {quoted(asked)} must be one character, such as ; or |, or the word tab")
    return separator


def _header(reading: Reading, rows: Iterator[list[str]], line: int) -> list[str]:
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise UsageError(f"{reading.name}, line {line}: the header {_csv_fault(error)}") from error
    if not any(header):
        raise UsageError(
            f"{reading.name} has no header: its first line must name the columns, such as prompt,title,slug"
        )
    return header


class _Table:
    """The rows below one header."""

    def __init__(self, reading: Reading, header: list[str], before: int) -> None:
        self._reading = reading
        self._header = header
        self._before = before  # lines above the header, which the CSV reader has not seen
        self._fields = reading.columns.fields_of(header)
        if "prompt" not in self._fields:
            found = ", ".join(map(quoted, header[:20]))
            raise UsageError(
                f"{reading.name}: the column prompt is missing. Columns found: {found}. "
                "If one of them is the prompt: --map NAME=prompt"
            )
        self._nameless = "" in self._fields
        self._id = header.index("result_id") if "result_id" in header else len(header)
        reading.escaped = _is_ours(header)

    def records(self, rows: Any) -> Iterator[Record]:
        """Each row that is not empty; one that is not CSV is a record with a fault."""
        while True:
            line = self._before + rows.line_num + 1
            try:
                cells = next(rows, None)
            except csv.Error as error:
                last = self._before + rows.line_num
                lines = f", lines {line:,} to {last:,}" if last > line else ""
                yield Record(line, {}, _csv_fault(error) + lines, last=last)
                continue
            if cells is None:
                return
            if record := self._record(line, cells):
                yield record

    def _record(self, line: int, cells: list[str]) -> Record | None:
        if self._reading.escaped:
            cells = [*map(_unescaped, cells)]
        given = (self._header, cells)
        if len(cells) != len(self._header):
            if not any(map(str.strip, cells)):
                self._reading.empty += 1
                return None
            if len(cells) < len(self._header) or any(map(str.strip, cells[len(self._header) :])):
                return Record(line, {}, self._wrong_count(len(cells)), given)
        fields = {name: cell for name, cell in zip(self._fields, cells, strict=False) if cell and name}
        if "prompt" not in fields and not any(map(str.strip, cells)):
            self._reading.empty += 1
            return None
        fault = self._nameless and self._reading.value_without_name(self._header, self._fields, cells)
        if fault:
            return Record(line, {}, fault, given)
        return Record(line, fields, None, given, result_id=cells[self._id] if self._id < len(cells) else None)

    def _wrong_count(self, count: int) -> str:
        wanted = len(self._header)
        cure = "the row is cut short" if count < wanted else "put cells that hold the separator in double quotes"
        return f"has {count} cells where the header has {wanted}: {cure}"


def _unescaped(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


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
