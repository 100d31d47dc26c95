"""Recipes into batches: which can be drawn with a profile, and which are drawn together.

A profile is a model with its VAE, refiner and LoRA, found and identified (`models.py`). Torch-free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import Recipe, Shape, validate_recipe_fields

MIN_REFINED_STEPS = 6  # fewer, and with some schedulers none is left for the refiner


def faults_of(recipe: Recipe, profile: ModelProfile) -> list[str]:
    """Why this recipe cannot be drawn with these weights, in words; empty if it can."""
    values = recipe.as_dict()
    asked = {name: values.pop(name) for name in ("model", "model_revision", "vae", "refiner", "lora")}
    faults = validate_recipe_fields(**values)
    for (name, wanted), loaded in zip(asked.items(), profile.weights, strict=True):
        if wanted != loaded:
            faults.append(f"asks for {name} {wanted or 'none'}, loaded is {loaded or 'none'}")
    if faults:
        return faults
    preset = PRESETS[recipe.preset]
    if preset.quantization != profile.quantization:
        faults.append(f"asks for the preset {recipe.preset}, the model is loaded as {profile.quantization}")
    if (preset.refiner_from is not None) != (profile.refiner is not None):
        faults.append(f"asks for the preset {recipe.preset}, which does not go with refiner {recipe.refiner or 'none'}")
    if preset.refiner_from is not None and recipe.num_inference_steps < MIN_REFINED_STEPS:
        faults.append(
            f"num_inference_steps is {recipe.num_inference_steps}: the preset {recipe.preset} needs at least "
            f"{MIN_REFINED_STEPS}, or none is left for the refiner"
        )
    return faults


Weights = tuple[tuple[str, ...], str]


def weights_for(recipe: Recipe) -> Weights:
    """What has to be loaded for a recipe: the weights, and their number format."""
    return recipe.weights, PRESETS[recipe.preset].quantization or ""


class Backlog(Protocol):
    """What waits to be drawn. An engine asks it for one batch at the moment it can begin one, and never earlier.

    Iterated, it gives one recipe at a time, each asked for when the one before it is done with.
    """

    def take(
        self,
        batch_of: Callable[[Recipe], int],
        *,
        prefer: Callable[[Recipe], bool] = lambda recipe: False,
        wait: bool = True,
    ) -> list[Recipe] | None:
        """The recipes to draw together now: of one shape, at most a batch of them.

        Args:
            batch_of: how many recipes like this one are drawn at once; 0 for one that cannot be drawn, which is given
                alone.
            prefer: among equally urgent ones, whose shape is drawn at once (a graph that is compiled, say).
            wait: until there is something, or nothing more comes. Without, `[]` says that nothing is there right now.

        None: nothing more comes. Raises what keeps more from coming.
        """

    def refresh(self, seconds: float) -> None:
        """A batch is about to be taken: have what came until now be among what waits. So many seconds at most."""

    def __iter__(self) -> Iterator[Recipe]:
        """All of it, lazily."""


Recipes = Backlog | Iterable[Recipe]
READ_AHEAD = 64  # batches of a list


class ListBacklog:
    """A backlog of recipes that are known, or made, in their order: full batches first, what is left over last.

    Reads `recipes` only as far as it is asked for batches; a list up to READ_AHEAD of them, for one that is preferred.
    """

    def __init__(self, recipes: Iterable[Recipe]) -> None:
        self._recipes = iter(recipes)
        self._most = READ_AHEAD if isinstance(recipes, Sequence) else 1
        self._waiting: dict[Shape, list[Recipe]] = {}
        self._full: list[list[Recipe]] = []

    def take(
        self,
        batch_of: Callable[[Recipe], int],
        *,
        prefer: Callable[[Recipe], bool] = lambda recipe: False,
        wait: bool = True,
    ) -> list[Recipe] | None:
        while len(self._full) < self._most and (group := self._next_full(batch_of)):
            self._full.append(group)
        if self._full:
            return self._full.pop(next((i for i, group in enumerate(self._full) if prefer(group[0])), 0))
        shape = next(
            (shape for shape, group in self._waiting.items() if prefer(group[0])), next(iter(self._waiting), None)
        )
        return None if shape is None else self._waiting.pop(shape)

    def refresh(self, seconds: float) -> None:
        """Its recipes are known."""

    def _next_full(self, batch_of: Callable[[Recipe], int]) -> list[Recipe] | None:
        for recipe in self._recipes:
            batch = batch_of(recipe)
            if batch == 0:
                return [recipe]
            group = self._waiting.setdefault(recipe.shape, [])
            group.append(recipe)
            if len(group) >= batch:
                return self._waiting.pop(recipe.shape)
        return None

    def __iter__(self) -> Iterator[Recipe]:
        while group := self.take(lambda recipe: 1):
            yield from group


def backlog_of(recipes: Recipes) -> Backlog:
    """The same, as a backlog."""
    return cast(Backlog, recipes) if hasattr(recipes, "take") else ListBacklog(recipes)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is drawn together."""

    recipes: list[Recipe]  # none: nothing is there right now
    size: int  # of the batch that they are padded to
    problem: str | None = None  # why this one recipe cannot be drawn


def next_batch(
    backlog: Backlog,
    profile: ModelProfile,
    batch_of: Callable[[Recipe], int],
    small_batch: int | None = None,
    *,
    prefer: Callable[[Recipe], bool] = lambda recipe: False,
    wait: bool = True,
) -> Batch | None:
    """What to draw now with this profile, as `Backlog.take`; None: it is over.

    `small_batch`: for a group that does not fill the large one, if it fits.
    """
    group = backlog.take(lambda recipe: 0 if faults_of(recipe, profile) else batch_of(recipe), prefer=prefer, wait=wait)
    if group is None:
        return None
    if not group:
        return Batch([], 0)
    if faults := faults_of(group[0], profile):
        return Batch(group, 0, "; ".join(faults))
    batch = max(batch_of(group[0]), len(group))
    return Batch(group, small_batch if small_batch and len(group) <= small_batch <= batch else batch)


def grouped(
    recipes: Recipes,
    profile: ModelProfile,
    batch_of: Callable[[Recipe], int],
    small_batch: int | None = None,
) -> Iterator[tuple[list[Recipe], int]]:
    """One `next_batch` after the other, to the end; an impossible recipe alone, with batch 0."""
    backlog = backlog_of(recipes)
    while (batch := next_batch(backlog, profile, batch_of, small_batch)) is not None:
        yield batch.recipes, batch.size
