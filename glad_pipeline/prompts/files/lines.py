"""The lines of a text, decoded, one at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO

from glad_pipeline.prompts.files.detection import LONGEST_LINE, too_long
from glad_pipeline.prompts.files.record import Reading


def text_of(reading: Reading, stream: BinaryIO) -> io.TextIOWrapper:
    """The file as text, with its line ends as they are and without its byte order mark."""
    return io.TextIOWrapper(stream, encoding=reading.encoding, newline=reading.newline)


def text_lines(reading: Reading, stream: BinaryIO) -> Iterator[str]:
    """Each line with its end. Raises `UsageError` for one that no text has."""
    text = text_of(reading, stream)
    number = 0
    try:
        while line := text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise too_long(reading, number)
            yield line.removeprefix("\ufeff") if number == 1 else line
    finally:
        if not stream.closed:
            text.detach()  # it may be read once more
