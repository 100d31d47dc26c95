"""How many pictures of a shape workers draw at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe, Shape
from glad_pipeline.workers import liveness, members
from glad_pipeline.workers.cluster import import_ray
from glad_pipeline.workers.members import Member

LEAST_BATCH = 4  # pictures that a worker is asked for, where nobody says how many are drawn at once
ANSWER = 5.0  # seconds that a worker may take to tell


class BatchSizes:
    """Of one model's batches."""

    def __init__(self, profile: ModelProfile, options: EngineOptions) -> None:
        self._profile = profile
        self._set = options.gpu_batch
        self._known: dict[Shape, int] = {}
        self._ask_at = 0.0

    def ask(self, recipes: Callable[[], Iterable[Recipe]], some: Iterable[Member]) -> None:
        """Ask a ready one of these for the shapes of these recipes that are not known yet; it may take seconds."""
        if self._set is not None or time.monotonic() <= self._ask_at:
            return
        unknown = {recipe.shape: recipe for recipe in recipes() if recipe.shape not in self._known}
        ready = next((member for member in some if member.ready), None)
        if ready is None or not unknown:
            return
        self._ask_at = time.monotonic() + members.SILENCE / 2  # unless it answers
        with liveness.unless_unreachable():  # of a lost one its jobs tell
            asked = [ready.handle.batch_of.remote(self._profile, recipe) for recipe in unknown.values()]
            found = import_ray().get(asked, timeout=ANSWER)
            self._ask_at = 0.0
            self._known.update({shape: size for shape, size in zip(unknown, found, strict=True) if size is not None})

    def of(self, recipe: Recipe) -> int:
        """As set, else as was answered for this shape, else a small one. Asks nobody: a backlog may be locked."""
        return self._set or self._known.get(recipe.shape, LEAST_BATCH)
