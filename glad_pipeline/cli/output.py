"""How answers look: tables and lists that fit a terminal, plain and whole text elsewhere, JSON.

On a terminal rich wraps cells so that a table fits; in a pipe or a file nothing is wrapped, coloured or cut.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings


def print_json(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_told(settings: Settings, posts: int) -> None:
    """That the site is told of so many posts which have changed; or that there is none to tell."""
    if posts and settings.site_url and settings.revalidate_secret:
        print(f"the site is told of {posts:,} posts, by the sensor or `glad outbox deliver`")
    elif posts:
        print("no site is told, since GLAD_SITE_URL is not set: have it render these posts anew")


def print_table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under their headers; a cell may have several lines, and a row fewer cells than there are headers."""
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _print_on_terminal(cells, headers)
        return
    width = [max((len(line) for row in cells for line in _cell(row, i)), default=0) for i in range(len(headers))]
    width = [max(one, len(header)) for one, header in zip(width, headers, strict=True)]
    _print_aligned([[header] for header in headers], width)
    print("  ".join("-" * one for one in width))
    for row in cells:
        _print_aligned([_cell(row, i) for i in range(len(headers))], width)


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Names with their values, one a line."""
    if sys.stdout.isatty():
        _print_on_terminal(fields)
        return
    width = [max((len(name) for name, _ in fields), default=0), 0]
    for name, value in fields:
        _print_aligned([[name], [value]], width)


def print_markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table for a document."""
    width = [max(len(row[i]) for row in (headers, *rows)) for i in range(len(headers))]
    for row in (headers, ["-" * one for one in width], *rows):
        edge = "-" if set("".join(row)) == {"-"} else " "
        padded = [f"{edge}{cell.ljust(one, edge)}{edge}" for cell, one in zip(row, width, strict=True)]
        print(f"|{'|'.join(padded)}|")


def _cell(row: Sequence[str], column: int) -> list[str]:
    """The lines of a cell; none where the row is shorter."""
    return row[column].split("\n") if column < len(row) else []


def _print_aligned(cells: Sequence[Sequence[str]], width: Sequence[int]) -> None:
    for i in range(max(map(len, cells))):
        line = [(cell[i] if i < len(cell) else "").ljust(one) for cell, one in zip(cells, width, strict=True)]
        print("  ".join(line).rstrip())


def _print_on_terminal(rows: Sequence[Sequence[str]], headers: Sequence[str] | None = None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, show_header=headers is not None)
    for header in headers or ("", ""):
        table.add_column(Text(header), overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)
