"""Texts for people to read: on one line, cut, and with nothing in them that markdown would interpret."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

SHOWN = 20  # reasons in a preview
FEW = 3  # rows or links in one: Dagster keeps it twice, for good
LONGEST = 60  # characters of one text in it
LONGEST_RANGES = 4_000


def shortened(text: str, most: int = LONGEST) -> str:
    """At most so many characters (≥ 1) on one line, with an ellipsis in place of what is cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def plain(value: Any) -> str:
    """A value as markdown that shows just its text, `shortened`."""
    text = shortened(str("" if value is None else value))
    return re.sub(r"([\\`*_\[\]()!<>|#~&:])", r"\\\1", text)


def markdown_links(items: Iterable[tuple[str, str]]) -> str:
    """The first FEW (text, URL) pairs as a list of links."""
    return "\n".join(f"- [{plain(text)}]({url})" for text, url in islice(items, FEW)) or "none"


def markdown_reasons(reasons: Mapping[int, str]) -> str:
    """The first SHOWN prompts, each with its reason."""
    return "\n".join(f"- prompt {i}: {why}" for i, why in islice(reasons.items(), SHOWN))


def markdown_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """The first FEW rows as a small table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(plain(row[name]) for name in columns) + " |" for row in rows[:FEW]]
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
