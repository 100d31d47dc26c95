"""The rows that an import refuses: counted, the first of them told, and all of them written to a file where asked.

A refused row waits on the disk, never in memory: the file that it goes to has the columns of all of them.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.files.columns import MOST, REFUSED
from glad_pipeline.prompts.files.writing import table_cell

_MOST = MOST - 1 - len(REFUSED)  # columns of the rows: with ours, an import reads the file
_OTHERS = "other columns"  # those beyond _MOST, as JSON: rows that each have names of their own would fill the disk
SHOWN = 50  # faults a person reads before mending the file


class Refusals:
    """A context manager around one import. `where` says a place (see `importing`) in words."""

    def __init__(self, where: Callable[[int], str], errors: Path | None) -> None:
        self.count = 0
        self._where = where
        self._errors = errors
        self._kept: list[tuple[int, str]] = []
        self._columns: dict[str, None] = {}
        self._open = ExitStack()
        self._spool: IO[str] | None = None

    def __enter__(self) -> Refusals:
        if self._errors is not None:
            if self._errors.is_dir() or not self._errors.absolute().parent.is_dir():
                raise UsageError(f"--errors {self._errors}: name a file in a directory that exists")
            self._spool = self._open.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def wants_all(self) -> bool:
        """Whether every refused row is to be named, not just the first ones."""
        return self._spool is not None

    def add(self, place: int, reason: str, names: Sequence[str] = (), values: Sequence[Any] = ()) -> None:
        """Note this row, which has these cells."""
        self.count += 1
        self._kept.append((place, reason))
        if len(self._kept) > 10 * SHOWN:
            self._kept = sorted(self._kept)[:SHOWN]
        if self._spool is not None:
            cells = {name: cell for name, cell in zip(names, values, strict=False) if name not in REFUSED}
            new = [name for name in cells if name not in self._columns]
            self._columns |= dict.fromkeys(new[: _MOST - len(self._columns)])
            json.dump([place, reason, cells], self._spool, default=str)
            self._spool.write("\n")

    def add_first(self, found: Sequence[tuple[int, str]], *, of: int) -> None:
        """Note that so many rows are refused, of which these are the first."""
        self.count += of
        self._kept.extend(found)

    def first(self) -> tuple[tuple[str, str], ...]:
        """The first SHOWN of them: where, and why."""
        return tuple((self._where(place), reason) for place, reason in sorted(self._kept)[:SHOWN])

    def message(self, subject: str, *, left_out: bool, cures: Sequence[str] = ()) -> str:
        """What is wrong with the files (`subject`: "a.csv has"), and that these rows, or everything, was left out."""
        shown = [f"  {where}: {reason}" for where, reason in self.first()]
        if self.count > len(shown):
            shown.append(f"  … and {self.count - len(shown):,} more")
        faults = "1 fault" if self.count == 1 else f"{self.count:,} faults"
        if left_out:
            return "\n".join([f"{subject} {faults}; these rows were left out:", *shown, *cures])
        end = "Mend them and import again; --skip-bad imports the other rows, --errors FILE.csv writes these to a file."
        return "\n".join([f"{subject} {faults}, so nothing was imported:", *shown, *cures, end])

    def write(self) -> None:
        """Write the refused rows, as they were given, with line and reason, to the file that was asked for.

        A spreadsheet computes nothing of it, and an import of it, once mended, reads the values that were given.
        """
        if self._spool is None or self._errors is None:
            return
        others = [_OTHERS] if len(self._columns) == _MOST else []
        whole = self._errors.with_name(f".{self._errors.name}.new")
        try:
            with whole.open("w", encoding="utf-8", errors="backslashreplace", newline="") as out:
                writer = csv.writer(out)
                writer.writerow(map(table_cell, [*self._columns, *others, *REFUSED]))
                for place, reason, cells in self._spooled():
                    row = [cells.pop(name, "") for name in self._columns]
                    rest = [json.dumps(cells) if cells else ""] if others else []
                    writer.writerow(map(table_cell, [*row, *rest, self._where(place), reason]))
            whole.replace(self._errors)
        finally:
            whole.unlink(missing_ok=True)

    def _spooled(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        assert self._spool is not None  # noqa: S101
        self._spool.seek(0)
        for line in self._spool:
            place, reason, cells = json.loads(line)
            yield place, reason, cells
