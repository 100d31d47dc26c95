"""Reading prompts from a file of any of the formats, or from standard input, one record at a time."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.files.columns import Columns, ColumnsRefused, UnknownColumns
from glad_pipeline.prompts.files.delimited import table_records
from glad_pipeline.prompts.files.detection import format_of, head_of, refuse_packed, settle_encoding
from glad_pipeline.prompts.files.json_records import json_line_records, json_records
from glad_pipeline.prompts.files.parquet import parquet_records
from glad_pipeline.prompts.files.prompt_lines import prompt_line_records
from glad_pipeline.prompts.files.record import Reading, ReadOptions, Record

STANDARD_INPUT = Path("-")
_READERS: dict[str, Callable[[Reading, BinaryIO], Iterator[Record]]] = {
    "csv": table_records,
    "tsv": table_records,
    "jsonl": json_line_records,
    "json": json_records,
    "parquet": parquet_records,
    "txt": prompt_line_records,
}


class UnknownColumnsError(UsageError):
    """Columns of a table are no fields of a prompt, so that nothing of it is read."""

    def __init__(self, reading: Reading, unknown: UnknownColumns) -> None:
        super().__init__(f"{reading.name}: {unknown}. {reading.cure()}")
        self.columns = unknown.names
        self.fault = str(unknown)  # without what is to be typed at a terminal


def new_reading(path: Path, options: ReadOptions | None = None) -> Reading:
    """What `read_records` fills with what it finds out about this file."""
    options = options or ReadOptions(files=(str(path),))
    name = "standard input" if path == STANDARD_INPUT else str(path)
    return Reading(name=name, options=options, columns=Columns(options.mapped, options.ignored))


def read_records(path: Path, reading: Reading | None = None) -> Iterator[Record]:
    """The rows of a file, in order; `-` is standard input.

    A row that cannot be read is a record with a fault, and reading goes on. Raises `UsageError` where the
    file as a whole cannot be read: it is missing, packed, in no encoding, or its header is wrong.
    """
    reading = reading or new_reading(path)
    try:
        with _opened(path) as stream:
            head = head_of(stream)
            refuse_packed(reading.name, head, stream)
            reading.format = format_of(reading, path, head)
            if reading.format != "parquet":
                settle_encoding(reading, head, stream)
            yield from _READERS[reading.format](reading, stream)
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist: check the path") from None
    except UnknownColumns as error:
        reading.unread(error)
        raise UnknownColumnsError(reading, error) from None
    except ColumnsRefused as error:
        raise UsageError(f"{reading.name}: {error}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{quoted(str(path), 200)} cannot be read: {error}") from error


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file at its start; what cannot go back, a pipe say, is first copied to a temporary file."""
    if path == STANDARD_INPUT:
        with _copied(sys.stdin.buffer) as copy:
            yield copy
        return
    if path.is_dir():
        raise UsageError(f"{path} is a directory: name a file")
    with path.open("rb") as stream:
        if stream.seekable():
            yield stream
            return
        with _copied(stream) as copy:
            yield copy


@contextmanager
def _copied(stream: BinaryIO) -> Iterator[BinaryIO]:
    with tempfile.TemporaryFile() as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield cast("BinaryIO", copy)
