"""The queue as a file: every prompt as it was asked for, and what became of it.

What was exported imports again as the same prompts: only what somebody set is written as a field, and the rest as
columns named `result_…`, which an import passes over. Rows stream from the database to the file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from glad_pipeline.database import Database, named_queries
from glad_pipeline.database.blog import has_posts
from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.prompts.files.columns import RESULTS
from glad_pipeline.prompts.files.detection import SUFFIXES
from glad_pipeline.prompts.files.reading import STANDARD_INPUT
from glad_pipeline.prompts.files.record import FORMATS
from glad_pipeline.prompts.files.writing import write_rows
from glad_pipeline.prompts.intake import WRITTEN, as_given
from glad_pipeline.prompts.management import STATUSES

QUERIES = named_queries("glad_pipeline.prompts", "export.sql", WRITTEN)
_AT_ONCE = 1_000  # rows


def export_file(database: Database, path: Path | None, *, format: str | None = None, status: str | None = None) -> int:
    """Write every prompt, or those in one state, to a file, and return how many there were.

    A file is there whole or not at all; one that is there is replaced.

    Args:
        path: None or `-` for standard output.
        format: one of FORMATS; None: by the file's name, and CSV on standard output.
        status: one of `management.STATUSES`; None: all.
    """
    if status is not None and status not in STATUSES:
        raise UsageError(f"status {quoted(status)} must be one of {', '.join(STATUSES)}")
    path = None if path == STANDARD_INPUT else path
    if format is not None and format not in FORMATS:
        raise UsageError(f"--format {quoted(format)} must be one of {', '.join(FORMATS)}")
    chosen = format or ("csv" if path is None else SUFFIXES.get(path.suffix.lower()))
    if chosen is None:
        raise UsageError(f"which format {path} is to have cannot be said: --format {'|'.join(FORMATS)}")
    with _written(path, chosen) as out:
        return write_rows(chosen, out, export_rows(database, status=status))


def export_rows(database: Database, *, status: str | None = None) -> Iterator[dict[str, Any]]:
    """Each prompt in the order of ids: the fields that somebody set, and RESULTS, where they have a value."""
    with database.transaction() as connection:
        name = "export_prompts_with_posts" if has_posts(connection) else "export_prompts"
        with connection.cursor(name="exported") as cursor:
            cursor.itersize = _AT_ONCE
            for row in cursor.execute(QUERIES[name], {"status": status}):
                results = {name: row[name] for name in RESULTS if row[name] is not None}
                yield {**as_given(row), **results}


@contextmanager
def _written(path: Path | None, format: str) -> Iterator[BinaryIO]:
    """The file to write to, which takes the place of an older one when it is whole."""
    if path is None:
        if format == "parquet" and sys.stdout.isatty():
            raise UsageError("Parquet is not for a terminal: name a file")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"{path}: name a file in a directory that exists")
    whole = path.with_name(f".{path.name}.new")
    try:
        with whole.open("wb") as out:
            yield out
        whole.replace(path)
    finally:
        whole.unlink(missing_ok=True)
