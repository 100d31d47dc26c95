"""A pipeline whose GPU is a clock: fixed seconds for each batch, and a note of when each began and ended.

The code location of benchmarks that run a real daemon (`benchmarks.flow`): this repository's own pipeline with an
engine that sleeps, in the run's process or in warm workers. The environment says how fast it is and where it notes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from glad_pipeline.definitions import build_defs
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.batches import grouped
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.settings import load_settings

SECONDS, BATCH, NOTES = "PACED_SECONDS", "PACED_BATCH", "PACED_NOTES"  # a picture; pictures at once; a file
SIDE = 18


class PacedEngine:
    """Draws noise, a batch at a time, each in the time of a full one."""

    def __init__(self, profile: ModelProfile, options: EngineOptions) -> None:
        self.profile = profile
        self.load_seconds: float | None = None
        self.warm_seconds = 0.0
        self._batch = options.gpu_batch or 8

    def load(self) -> None:
        self.load_seconds = self.load_seconds or 0.0

    def close(self) -> None:
        self.load_seconds = None

    def batch_of(self, recipe: Recipe) -> int:
        return self._batch

    def generate(
        self, recipes: Iterable[Recipe], *, on_batch_start: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        self.load()
        for batch, _ in grouped(recipes, self.profile, self.batch_of):
            on_batch_start(batch)
            began = time.time()
            time.sleep(float(os.environ[SECONDS]) * self._batch)
            note(began, time.time(), [recipe.seed for recipe in batch])
            for recipe in batch:
                pixels = np.random.default_rng(recipe.seed).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
                yield Drawn(recipe=recipe, pixels=pixels, seconds=0.0, provenance={"device": "none"})


def note(began: float, ended: float, seeds: Sequence[int]) -> None:
    """One line for a batch, whole whoever else writes."""
    file = os.open(os.environ[NOTES], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{os.getpid()} {began:.4f} {ended:.4f} {','.join(map(str, seeds))}\n".encode())
    os.close(file)


def options_of(**changes: Any) -> EngineOptions:
    """The settings of the environment, drawn by the clock."""
    given = load_settings().engine.model_dump()
    paced = {"engine": "benchmarks.paced:PacedEngine", "gpu_batch": int(os.environ[BATCH]), "device": "cpu"}
    return EngineOptions(**{**given, **paced, **changes})


if NOTES in os.environ:  # who loads it as a code location
    defs = build_defs(resource_overrides={"sdxl": SdxlResource(**options_of().model_dump())})
