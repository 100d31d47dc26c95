"""The one fake that is allowed: a GPU of any speed. It draws real arrays for the real recipes of real rows."""

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.records import Prompt, records_of

BATCH = 4


def prompt_of(row: Mapping[str, Any]) -> Prompt:
    """A row of `prompts` as a run has it."""
    (prompt,) = records_of(Prompt, [row])
    return prompt


class InstantSdxl(SdxlResource):
    """Noise in no time (about 1 KB as PNG), or in `seconds_each`. Words in the prompt ask for faults."""

    seconds_each: float = 0.0
    side: int = 18  # pixels

    def generate(self, recipes: Iterable[Recipe], *, on_batch_start=lambda recipes: None) -> Iterator[Drawn]:
        waiting = list(recipes)
        for place, recipe in enumerate(waiting):
            if place % BATCH == 0:
                on_batch_start(waiting[place : place + BATCH])
            if self.seconds_each:
                time.sleep(self.seconds_each)
            if "UNDRAWABLE" in recipe.prompt:
                yield Drawn(recipe=recipe, error="NaN in the picture", provenance={})
                continue
            if "TOO LARGE" in recipe.prompt:
                yield Drawn(recipe=recipe, error="the GPU's memory is too small", provenance={})
                continue
            if "GPU DIES" in recipe.prompt:
                yield Drawn(recipe=recipe, error="the GPU failed", fault="device", provenance={})
                return
            if "NO COMPILER" in recipe.prompt:
                yield Drawn(recipe=recipe, error="cannot compile the model", fault="setup", provenance={})
                return
            pixels = np.random.default_rng(recipe.seed).integers(0, 256, (self.side, self.side, 3), dtype=np.uint8)
            if "BLANK" in recipe.prompt:
                pixels[:] = 7
            yield Drawn(recipe=recipe, pixels=pixels, seconds=self.seconds_each, provenance={"device": "none"})
