"""How many pictures of a shape workers draw at once."""

from __future__ import annotations

import time
from collections.abc import Iterable

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

    def of(self, recipe: Recipe, some: Iterable[Member]) -> int:
        """As set, else as a ready one of these has it for this shape; if that one has no time to tell, a small one."""
        if self._set is not None:
            return self._set
        ready = next((member for member in some if member.ready), None)
        if ready is not None and recipe.shape not in self._known and time.monotonic() > self._ask_at:
            self._ask_at = time.monotonic() + members.SILENCE / 2  # unless it answers
            with liveness.unless_unreachable():  # of a lost one its jobs tell
                found = import_ray().get(ready.handle.batch_of.remote(self._profile, recipe), timeout=ANSWER)
                self._ask_at = 0.0
                if found is not None:
                    self._known[recipe.shape] = found
        return self._known.get(recipe.shape, LEAST_BATCH)
