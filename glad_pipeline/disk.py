"""A full disk, said as such: by an error's number or by another program's words, with what is free and what to do.

Standard library only: the launcher uses it before any install.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from glad_pipeline.display import in_bytes

FULL = (errno.ENOSPC, errno.EDQUOT)
ALMOST = 1_000_000  # bytes: with less than that a disk is the one to look at
ROOM, ROOM_SHARE = 1_000_000_000, 0.02  # bytes and share of a disk: with more of both no server calls it full
CURE = "or set GLAD_HOME to a directory on a larger disk"
_SYSTEM = re.compile(r"No space left on device|Disk quota exceeded|\bos error 28\b")  # of C's and Rust's libraries
_WORDS = re.compile(  # PostgreSQL's and SeaweedFS's too
    rf"{_SYSTEM.pattern}|Check free disk space|disk (is )?full|no free volumes|"
    r"no writable volumes|not enough (disk )?space",
    re.IGNORECASE,
)


def is_full(error: BaseException) -> bool:
    """Whether an error, or what it came from, is a full disk."""
    return any(
        each.errno in FULL if isinstance(each, OSError) and each.errno else _SYSTEM.search(str(each)) is not None
        for each in _chain(error)
    )


def says_full(text: str) -> bool:
    """Whether a program's words are those for a full disk."""
    return _WORDS.search(text) is not None


def end_of_full(text: str) -> int | None:
    """Where the last of these words ends; None where there are none."""
    ends = [found.end() for found in _WORDS.finditer(text)]
    return ends[-1] if ends else None


def full(place: Path | str, cure: str = CURE) -> str:
    """`the disk of /srv/glad/spool is full (12.0 kB free): make room there, or set …`.

    `cure` is what helps beside making room.
    """
    return f"the disk of {place} is full ({in_bytes(free(place))} free): make room there, {cure}"


def full_by(text: str, place: Path | str) -> str:
    """A line for the end of a message that quotes a log: that the disk of a place is full, if the log says so.

    Nothing where it has ample room now: the words are old, or of another disk. (A disk's room says nothing of quotas.)
    """
    if not says_full(text) or (_has_room(place) and "quota" not in text):
        return ""
    return f"\nBy this log the disk of {place} is full ({in_bytes(free(place))} are free now): make room there, {CURE}"


def free(place: Path | str) -> int:
    """Bytes that this user may still write on the disk of a path, which need not exist (yet). 0: nobody knows."""
    return _free_and_total(place)[0]


def _has_room(place: Path | str) -> bool:
    room, total = _free_and_total(place)
    return room > max(ROOM, total * ROOM_SHARE)


def _free_and_total(place: Path | str) -> tuple[int, int]:
    path = Path(place).absolute()
    for folder in (path, *path.parents):
        try:
            usage = shutil.disk_usage(folder)
        except OSError:
            continue
        return usage.free, usage.total
    return 0, 0


def place_of(error: BaseException, *places: Path | str) -> Path:
    """What was written when the disk was full: the file that the error names, else the first place on a full disk."""
    for each in _chain(error):
        if isinstance(each, OSError) and isinstance(named := each.filename2 or each.filename, (str, bytes)):
            return Path(os.fsdecode(named)).absolute()
    return Path(next((place for place in places if free(place) < ALMOST), places[0])).absolute()


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    known: set[int] = set()
    while each is not None and id(each) not in known:
        known.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
