"""What the readers of all formats have in common: a record, the options of reading, and what one reading found out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glad_pipeline.display import one_line, quoted
from glad_pipeline.prompts.files.columns import KNOWN, MOST, Columns, UnknownColumns

FORMATS = ("csv", "tsv", "jsonl", "json", "parquet", "txt")


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file: where it starts, and either its fields (empty ones left out) or what is wrong with it."""

    line: int  # in a JSON or Parquet file the row, from 1: many may be on one line
    fields: dict[str, Any]
    fault: str | None = None
    given: tuple[Sequence[str], Sequence[Any]] = ((), ())  # the file's own column names, and the values as they stand
    last: int = 0  # where a fault is of several lines, as a quote is that is never closed: the last of them
    result_id: Any = None  # of the prompt whose export this row is


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadOptions:
    """How files are to be read; what is None is found out."""

    format: str | None = None  # one of FORMATS
    encoding: str | None = None  # any that Python knows: utf-8, utf-16, cp1252 …
    separator: str | None = None  # between the cells of a table: one character
    mapped: Mapping[str, str] = field(default_factory=dict)  # column of the file → field
    ignored: Sequence[str] = ()  # columns to pass over; `*`: whatever is no field
    files: Sequence[str] = ()  # all files of the command, for the command that a message proposes

    def command(self, *, mapped: Mapping[str, str], ignored: Sequence[str]) -> str:
        """The command that reads the same files and knows these columns too."""
        words = ["glad", "prompts", "import", *(one_line(file, 500) for file in self.files)]
        for name in ("format", "encoding", "separator"):
            if value := getattr(self, name):
                words += [f"--{name}", "tab" if value == "\t" else value]
        for column, target in {**self.mapped, **mapped}.items():
            words += ["--map", f"{column}={target}"]
        if everything := [*self.ignored, *ignored]:
            words += ["--ignore", ",".join(dict.fromkeys(everything))]
        return shlex.join(words)


@dataclass(kw_only=True, slots=True)
class Reading:
    """One file while it is read: its name in messages, how it is read, and what there was to report."""

    name: str
    options: ReadOptions
    columns: Columns
    format: str = ""
    encoding: str = "utf-8-sig"
    newline: str = "\n"
    empty: int = 0  # rows with nothing in them, passed over
    index: int = 0  # rows whose nameless first column held a number, as pandas writes its index
    escaped: bool = False  # texts that a spreadsheet would compute are escaped: `glad prompts export` has written it
    notes: list[str] = field(default_factory=list)  # what was found out and is worth a word
    mapped: dict[str, str] = field(default_factory=dict)  # proposed for keys of JSON records that are no fields
    ignored: dict[str, None] = field(default_factory=dict)  # and those for which there is nothing to propose
    unknown: dict[str, None] = field(default_factory=dict)  # all of these keys

    def unread(self, unknown: UnknownColumns) -> None:
        """Note for `cure`, and for who asks which they are, what one record has that is no field."""
        if len(self.unknown) < MOST:
            self.unknown |= dict.fromkeys(unknown.names)
        if len(self.mapped) + len(self.ignored) < MOST:
            self.mapped |= unknown.mapped
            self.ignored |= dict.fromkeys(unknown.ignored)

    def value_without_name(self, names: Sequence[str], fields: Sequence[str | None], values: Sequence[Any]) -> str:
        """What is wrong with a row that has a value in a column without a name (`fields` has ""); mostly nothing."""
        for at, (name, field_, found) in enumerate(zip(names, fields, values, strict=False)):
            if field_ != "" or found is None or found != found:  # noqa: PLR0124  NaN, as pandas writes what is absent
                continue
            text = str(found).strip()
            if at == 0 and text.isdecimal():
                self.index += 1
            elif text:
                return (
                    f"has {quoted(text)} in a column without a name: name it, put cells that hold the separator in "
                    f"double quotes, or pass it over with --ignore {shlex.quote(name)}"
                )
        return ""

    def cure(self) -> str:
        """The command that reads this file, with what to do about each unknown column."""
        ignored = [name for name in self.ignored if name not in self.mapped]
        command = self.options.command(mapped=self.mapped, ignored=["*"] if "*" in ignored else ignored)
        return f"Known columns: {', '.join(KNOWN)}. To read it all the same: {command}"

    def described(self) -> str:
        """How the file was read, in one line; nothing where all is as our own documents have it."""
        renamed = [f"{quoted(given)} as {name}" for given, name in self.columns.renamed.items()]
        passed = [quoted(given) for given in self.columns.passed_over]
        parts = [*self.notes]
        if renamed:
            parts.append("read " + _some(renamed))
        if passed:
            parts.append("passed over: " + _some(passed))
        if self.index:
            parts.append("passed over: the numbers in the first column, which has no name")
        if self.empty:
            parts.append("1 empty row was skipped" if self.empty == 1 else f"{self.empty:,} empty rows were skipped")
        return f"{one_line(self.name, 200)}: {'; '.join(parts)}" if parts else ""


def _some(texts: Sequence[str], most: int = 20) -> str:
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(texts[:most]) + more
