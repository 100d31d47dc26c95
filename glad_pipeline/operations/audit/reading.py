"""Reads objects for the audit: one that cannot be read is a finding, a store that does not answer ends the audit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from glad_pipeline.storage.protocol import ObjectStore, StoreError

Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What the store says in place of an object that it lists."""

    reason: str


def guarded(store: ObjectStore, look: Callable[[str], Seen | None]) -> Callable[[str], Seen | Unreadable | None]:
    """`look(key)`, with `Unreadable` for an error that is this object's alone. Raises `StoreError` for any other."""

    def looked(key: str) -> Seen | Unreadable | None:
        try:
            return look(key)
        except StoreError as error:
            store.check()  # raises where the store as a whole is unreachable
            return Unreadable(str(error))

    return looked
