"""Reads objects for the audit: one that cannot be read is a finding, a store that does not answer ends the audit."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from glad_pipeline.limits import SEED
from glad_pipeline.pipeline.stored_picture import recipe_in, with_texts
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


def account(store: ObjectStore, key: str) -> tuple[int | None, str | None] | None:
    """Seed and prompt of a stored original; the prompt is None where its recipe cannot be read. None: no object."""
    from glad_pipeline.media.png_text import RECIPE

    seen = with_texts(store, key, RECIPE)
    if seen is None:
        return None
    stored, texts = seen
    recipe = recipe_in(texts)
    if recipe is not None and isinstance(recipe.seed, int) and recipe.seed in SEED:
        return recipe.seed, recipe.prompt
    seed = stored.metadata.get("seed", "")
    return int(seed) if re.fullmatch("[0-9]{1,19}", seed) and int(seed) in SEED else None, None
