"""What a web server shows of a volume: a public file, and what it answers to ranges and tags. Knows no server.

A file is opened step by step, so that no path or link leads out of the public area; what is shown is the open file.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate
from typing import IO

from glad_pipeline.storage.keys import is_private
from glad_pipeline.storage.protocol import CACHE_CONTROL
from glad_pipeline.storage.volume_files import MARK, find, parts_of
from glad_pipeline.storage.volume_folders import FOLDER, IsLinkError

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownFile:
    """A public file, open to be read; whoever has it closes it."""

    file: IO[bytes]
    content_type: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What is sent of it."""

    status: int  # of HTTP
    headers: Mapping[str, str]
    first: int = 0  # byte
    length: int = 0  # bytes of the body


def open_shown(root: str, key: str) -> ShownFile | None:
    """The file of a key; None: visitors get none under it. Raises `OSError` where the volume is not there."""
    if is_private(key) or parts_of(key) is None:
        return None
    with ExitStack() as opens:
        top = os.open(root, FOLDER)
        opens.callback(os.close, top)
        os.stat(MARK, dir_fd=top)  # not mounted is no `not found`
        try:
            found = find(opens, top, key)
        except IsLinkError:
            return None
        if found is None:
            return None
        return ShownFile(file=os.fdopen(os.dup(found[0].fileno()), "rb"), content_type=found[1].content_type)


def answer_of(shown: ShownFile, *, if_none_match: str = "", wanted: str = "", if_range: str | None = None) -> Answer:
    """What a request with these headers gets; `wanted`: its `Range`."""
    about = os.fstat(shown.file.fileno())
    size, tag = about.st_size, f'"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}"'
    headers = {
        "Content-Type": shown.content_type,
        "Cache-Control": CACHE_CONTROL,
        "ETag": tag,
        "Last-Modified": formatdate(about.st_mtime, usegmt=True),
        "Accept-Ranges": "bytes",
        "Access-Control-Allow-Origin": "*",
        "X-Content-Type-Options": "nosniff",
    }
    known = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    if tag in known or "*" in known:
        return Answer(status=304, headers=headers)
    if if_range not in (None, tag):
        wanted = ""
    first, last = _range(wanted, size)
    if first >= size and wanted and size:
        return Answer(status=416, headers={"Content-Range": f"bytes */{size}"})
    status = 200
    if (first, last) != (0, size - 1):
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    return Answer(status=status, headers=headers, first=first, length=last - first + 1)


def _range(wanted: str, size: int) -> tuple[int, int]:
    """First and last byte of one range, all for none or one that is not understood; the first may be past the end."""
    asked = _RANGE.fullmatch(wanted.strip())
    if asked is None or not (asked[1] or asked[2]) or not size:
        return 0, size - 1
    if not asked[1]:  # so many at the end
        return (size, size) if int(asked[2]) == 0 else (max(0, size - int(asked[2])), size - 1)
    first, last = int(asked[1]), int(asked[2] or size - 1)
    return (0, size - 1) if last < first < size else (first, min(last, size - 1))
