"""Engines for workers whose GPU is a fake: any speed, any fault. What a worker draws is noted in a file for all to read.

Each worker imports this when it starts: nothing here imports Dagster, which takes as long as all the rest.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterable, Iterator

import numpy as np

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe

LOG = "RIG_DRAW_LOG"
TIMED = "glad_pipeline_tests.engines:TimedEngine"


class TimedEngine:
    """Noise; `for 0.5 s` in a batch's first prompt is the time it takes. Other words in prompts ask for faults."""

    def __init__(self, profile: ModelProfile, options: EngineOptions) -> None:
        self.profile = profile
        self.load_seconds: float | None = None
        self.warm_seconds = 0.0
        self._batch = options.gpu_batch or 4

    def load(self) -> None:
        self.load_seconds = 0.0

    def close(self) -> None:
        self.load_seconds = None

    def batch_of(self, recipe: Recipe) -> int:
        return self._batch

    def generate(self, recipes: Iterable[Recipe]) -> Iterator[Drawn]:
        waiting = list(recipes)
        took = re.search(r"for (\d+(\.\d+)?) s", waiting[0].prompt)
        time.sleep(float(took[1]) if took else 0.0)
        for recipe in waiting:
            if "POISON" in recipe.prompt:
                os.kill(os.getpid(), signal.SIGKILL)
            if "DEVICE FAILS" in recipe.prompt or f"DEVICE OF {_own_name()} FAILS" in recipe.prompt:
                yield Drawn(recipe=recipe, error="the GPU failed", cause="device", provenance={})
                return
            if "CRASH" in recipe.prompt:
                raise ZeroDivisionError("what no engine should raise")
            pixels = np.random.default_rng(recipe.seed).integers(0, 256, (18, 18, 3), dtype=np.uint8)
            if path := os.environ.get(LOG):
                log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
                os.write(log, f"{recipe.hash} {os.getpid()} {time.time():.2f}\n".encode())
                os.close(log)
            yield Drawn(recipe=recipe, pixels=pixels, seconds=0.0, provenance={"pid": os.getpid()})


def _own_name() -> str | None:
    """The worker's."""
    import ray

    return ray.get_runtime_context().get_actor_name()


class NotHere(TimedEngine):
    """Its files are on another machine."""

    def load(self) -> None:
        raise GladError("/nowhere has no model_index.json: it is not a checkpoint in diffusers layout")


class OnlyTheDemoModel(TimedEngine):
    """Another model's files are on another machine."""

    def load(self) -> None:
        if not self.profile.is_demo:
            raise GladError("/nowhere has no model_index.json: it is not a checkpoint in diffusers layout")
        super().load()
