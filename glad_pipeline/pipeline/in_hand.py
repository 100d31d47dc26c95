"""Which prompts of a run get which picture, and what became of those pictures. Several threads ask.

Prompts with the same recipe share one picture. One that joins while that is being drawn gets it too, one that comes
when it is stored gets it at once, and one whose picture was refused is told the reason: nothing is drawn twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto

from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.records import Prompt


class Joined(Enum):
    """What a prompt finds that joins."""

    NEW = auto()  # its picture is nobody's yet
    SHARED = auto()  # its picture is waited for already
    STORED = auto()  # its picture is in the store


@dataclass(slots=True)
class _Picture:
    prompts: dict[int, Prompt] = field(default_factory=dict)  # that wait for it, by id
    is_stored: bool = False
    refused: str | None = None


class InHand:
    """The prompts of one run."""

    def __init__(self) -> None:
        self._pictures: dict[Recipe, _Picture] = {}
        self._claimed: dict[int, None] = {}
        self._lock = threading.Lock()

    def join(self, prompt: Prompt, recipe: Recipe) -> Joined | str:
        """What this prompt finds; the reason where its picture was refused for good."""
        with self._lock:
            self._claimed[prompt.id] = None
            picture = self._pictures.get(recipe)
            if picture is not None and picture.refused:
                return picture.refused
            is_new = picture is None or not (picture.prompts or picture.is_stored)
            picture = self._pictures.setdefault(recipe, _Picture())
            picture.prompts[prompt.id] = prompt
            return Joined.NEW if is_new else Joined.STORED if picture.is_stored else Joined.SHARED

    def ids_of(self, recipes: Iterable[Recipe]) -> list[int]:
        """The prompts that wait for these pictures."""
        with self._lock:
            return [i for recipe in recipes if recipe in self._pictures for i in self._pictures[recipe].prompts]

    def of(self, recipe: Recipe) -> list[Prompt]:
        """The prompts that wait for this picture."""
        with self._lock:
            return list(self._pictures[recipe].prompts.values()) if recipe in self._pictures else []

    def stored(self, recipe: Recipe) -> list[Prompt]:
        """Its picture is in the store: the prompts that get it, each told once."""
        with self._lock:
            picture = self._pictures.setdefault(recipe, _Picture())
            waiting, picture.prompts, picture.is_stored = picture.prompts, {}, True
            return list(waiting.values())

    def refused(self, recipe: Recipe, reason: str) -> list[int]:
        """Its picture will never be: the prompts that waited for it. Others that want it are told the reason."""
        with self._lock:
            picture = self._pictures.setdefault(recipe, _Picture())
            waiting, picture.prompts, picture.refused = picture.prompts, {}, reason
            return list(waiting)

    def dropped(self, recipes: Iterable[Recipe]) -> list[int]:
        """Their pictures are not made now, and may be another time: the prompts that waited for them."""
        with self._lock:
            pictures = [self._pictures.pop(recipe) for recipe in recipes if recipe in self._pictures]
            return [i for picture in pictures for i in picture.prompts]

    def given_back(self, ids: Iterable[int]) -> None:
        """These prompts are nothing of this run's any more."""
        with self._lock:
            for i in ids:
                self._claimed.pop(i, None)

    @property
    def claimed(self) -> list[int]:
        """All the prompts that this run had in hand and did not give back."""
        with self._lock:
            return list(self._claimed)

    @property
    def recipes(self) -> list[Recipe]:
        """All whose pictures were not refused."""
        with self._lock:
            return [recipe for recipe, picture in self._pictures.items() if not picture.refused]
