"""Two streams in the order of their keys, side by side. Pure: knows neither the store nor the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeVar

from glad_pipeline.errors import GladError


class Keyed(Protocol):
    """Anything with a key."""

    @property
    def key(self) -> str: ...


Left = TypeVar("Left", bound=Keyed)
Right = TypeVar("Right", bound=Keyed)
Item = TypeVar("Item", bound=Keyed)


def in_order(items: Iterable[Item], source: str) -> Iterator[Item]:
    """The items as they come. Raises `GladError` at the first whose key is not above the one before.

    Code points are in the order of their UTF-8 bytes: S3's order, and PostgreSQL's `COLLATE "C"`.
    """
    before: str | None = None
    for item in items:
        if before is not None and item.key <= before:
            raise GladError(
                f"{source} gave {item.key} after {before}, which is not the order of the keys' bytes: against such a "
                "listing nothing can be said to be missing. Nothing more was looked at. Use a store that lists in "
                "order, as S3's general purpose buckets do (directory buckets do not)"
            )
        before = item.key
        yield item


def merge(left: Iterable[Left], right: Iterable[Right]) -> Iterator[tuple[Left | None, Right | None]]:
    """Each key of either stream once, with what each has under it; both have to be in order, each key once."""
    lefts, rights = iter(left), iter(right)
    a, b = next(lefts, None), next(rights, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a.key < b.key):
            yield a, None
            a = next(lefts, None)
        elif a is None or b.key < a.key:
            yield None, b
            b = next(rights, None)
        else:
            yield a, b
            a, b = next(lefts, None), next(rights, None)
