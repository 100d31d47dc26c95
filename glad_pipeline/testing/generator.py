"""A generator that draws at once: noise in place of SDXL's pictures. All else in a run is what it is in production."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.generation.batches import Recipes, backlog_of
from glad_pipeline.generation.drawing_failures import Cause
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.recipe import Recipe

BATCH = 4  # pictures drawn at once
ERRORS: dict[str, tuple[Cause, str]] = {  # by the word in the prompt: what it is said to be due to, and the reason
    "UNDRAWABLE": ("unknown", "NaN in the picture"),
    "TOO LARGE": ("unknown", "the GPU's memory is too small"),
    "GPU DIES": ("device", "the GPU failed"),
    "NO COMPILER": ("setup", "cannot compile the model"),
}


class InstantSdxl(SdxlResource):
    """Draws noise in no time (about 1 KB as PNG), the same for the same recipe. Needs neither torch nor a GPU.

    A word in the prompt, in capitals, asks for a failure:

    - ``BLANK``: one colour everywhere, so that the gate rejects the prompt.
    - ``UNDRAWABLE`` and ``TOO LARGE``: no picture. The prompt has lost an attempt; the others go on.
    - ``GPU DIES`` and ``NO COMPILER``: nothing more can be drawn in this run, which fails.

    Args:
        seconds_each: how long one picture takes.
        side: of the pictures in pixels, whatever the recipe says.
    """

    model: str = "demo"
    seconds_each: float = 0.0
    side: int = 18

    def generate(
        self, recipes: Recipes, *, on_batch_start: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        backlog = backlog_of(recipes)
        while batch := backlog.take(lambda recipe: self.gpu_batch or BATCH):
            on_batch_start(batch)
            for recipe in batch:
                if self.seconds_each:
                    time.sleep(self.seconds_each)
                drawn = self._drawn(recipe)
                yield drawn
                if drawn.cause != "unknown":
                    return

    def _drawn(self, recipe: Recipe) -> Drawn:
        import numpy as np

        if word := next((word for word in ERRORS if word in recipe.prompt), None):
            cause, error = ERRORS[word]
            return Drawn(recipe=recipe, error=error, cause=cause, provenance={})
        pixels = np.random.default_rng(recipe.seed).integers(0, 256, (self.side, self.side, 3), dtype=np.uint8)
        if "BLANK" in recipe.prompt:
            pixels[:] = 7
        return Drawn(recipe=recipe, pixels=pixels, seconds=self.seconds_each, provenance={"device": "none"})
