"""Texts for people to read: on one line, cut, and with nothing in them that markdown would interpret."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

SHOWN = 20  # rows in a preview
LONGEST = 60  # characters of one text in it


def shortened(text: str, most: int = LONGEST) -> str:
    """At most so many characters (≥ 1) on one line, with an ellipsis in place of what is cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def plain(value: Any) -> str:
    """A value as markdown that shows just its text, `shortened`."""
    text = shortened(str("" if value is None else value))
    return re.sub(r"([\\`*_\[\]()!<>|#~&:])", r"\\\1", text)


def markdown_links(items: Iterable[tuple[str, str]]) -> str:
    """The first SHOWN (text, URL) pairs as a list of links."""
    return "\n".join(f"- [{plain(text)}]({url})" for text, url in islice(items, SHOWN)) or "none"


def markdown_reasons(reasons: Mapping[int, str]) -> str:
    """The first SHOWN prompts, each with its reason."""
    return "\n".join(f"- prompt {i}: {why}" for i, why in islice(reasons.items(), SHOWN))


def markdown_table(rows: Sequence[object], columns: Sequence[str]) -> str:
    """These fields of the first SHOWN rows, as a small table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(plain(getattr(row, name)) for name in columns) + " |" for row in rows[:SHOWN]]
    return "\n".join(lines)
