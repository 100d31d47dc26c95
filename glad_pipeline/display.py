"""Texts for people to read, whoever wrote what is in them: on one line, cut, counted, and harmless in a terminal.

Every room, the terminal and Dagster's markdown shorten and count by these. Standard library only: the launcher uses it
before any install.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from itertools import islice
from pathlib import Path
from typing import Any

from glad_pipeline.redaction import redact

SHOWN = 20  # reasons in a preview
FEW = 2  # rows or links in one: Dagster keeps it twice, for good
LONGEST = 60  # characters of one text in it
LONGEST_RANGES = 4_000


def visible(text: str) -> str:
    """Text with its line breaks, that no terminal obeys: a dot in place of what has no shape."""
    return "".join(c if c.isprintable() or c == "\n" else " " if c.isspace() else "·" for c in text)


def one_line(text: str, most: int) -> str:
    """At most so many characters (≥ 1) on one line: an ellipsis in place of what is cut, a dot of what has no shape.

    Of a foreign text `redact` is to be asked before: a secret that is cut is not known for one any more.
    """
    line = " ".join(visible(text[: 4 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def quoted(value: object, most: int = 40) -> str:
    """A value in a message that refuses it: text in quotes and escaped, and cut, with its length, if it is long."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"a whole number of {value.bit_length():,} bits"  # Python refuses to print thousands of digits
    text = value if isinstance(value, str) else str(value)
    shown = repr(text[:most]) if isinstance(value, str) else text[:most]
    return shown if len(text) <= most else f"{shown}… ({len(text):,} characters)"


def first_line(error: BaseException, most: int = 500) -> str:
    """The first line of an error's text, or its kind where it has none; no secret."""
    lines = (line for line in str(error).splitlines() if line.strip())
    return one_line(redact(next(lines, type(error).__name__)), most)


def counted(counts: Mapping[str, int], *, none: str = "") -> str:
    """`1,204 pending, 3 failed`: what there is any of; `none` where there is nothing."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or none


def in_bytes(size: int) -> str:
    """`6.9 GB`, `17.3 MB`, `4.0 kB`, `12 bytes`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return f"{size} bytes"


def in_time(seconds: float) -> str:
    """`90 s`, `5 min`."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def in_zone(moment: datetime | str, zone: tzinfo) -> str:
    """`2027-03-01 08:00 CET`: a time of this zone, to the second if it has any, with what the zone is called then.

    PostgreSQL's `infinity`, and years that Python does not know, are text already.
    """
    if isinstance(moment, str):
        return moment
    return moment.astimezone(zone).strftime(f"%Y-%m-%d %H:%M{':%S' if moment.second else ''} %Z")


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log, indented, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 8192))
            text = file.read().decode(errors="replace")
    except OSError:
        return "  (no log)"
    return "\n".join(f"  | {line}" for line in text.splitlines()[-lines:]) or "  (the log is empty)"


def plain(value: Any) -> str:
    """A value as markdown that shows just its text, on one line of LONGEST characters."""
    text = one_line(str("" if value is None else value), LONGEST)
    return re.sub(r"([\\`*_\[\]()!<>|#~&:])", r"\\\1", text)


def markdown_links(items: Iterable[tuple[str, str]]) -> str:
    """The first FEW (text, URL) pairs as a list of links."""
    return "\n".join(f"- [{plain(text)}]({url})" for text, url in islice(items, FEW)) or "none"


def markdown_reasons(reasons: Mapping[int, str]) -> str:
    """The first SHOWN prompts, each with its reason."""
    return "\n".join(f"- prompt {i}: {why}" for i, why in islice(reasons.items(), SHOWN))


def markdown_table(rows: Sequence[object], columns: Sequence[str]) -> str:
    """These fields of the first FEW rows, as a small table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(plain(getattr(row, name)) for name in columns) + " |" for row in rows[:FEW]]
    return "\n".join(lines)


def ranges(numbers: Collection[int]) -> str:
    """Numbers as `1-4, 7`, ascending; over LONGEST_RANGES characters only how many they are."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
    return text if len(text) <= LONGEST_RANGES else f"{len(numbers)} in all"


def numbers(text: str) -> list[int]:
    """What `ranges` wrote. Raises `ValueError` for what it did not list."""
    found: list[int] = []
    for part in filter(None, text.split(", ")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
