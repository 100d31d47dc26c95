"""Batches on their way to workers, and what becomes of one whose worker was lost. Knows no Ray."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.recipe import Recipe

LOSSES = 2  # workers that may be lost while they draw a picture, before it is answered as failed
BAD_LUCK = 20  # losses of any kind that a batch may meet


@dataclass(eq=False)
class Job:
    """Recipes of one shape, at most a batch of them, on their way."""

    recipes: list[Recipe]
    losses: int = 0  # workers lost while they drew it
    bad_luck: int = 0  # workers lost that had it
    is_new: bool = True
    name: str = ""  # each time that it is sent another one
    lead: float | None = None  # seconds before the end of the batch ahead of it that it was due; None: it came later

    @property
    def is_given_up(self) -> bool:
        return self.losses >= LOSSES or self.bad_luck >= BAD_LUCK

    def undrawn(self) -> Iterator[Drawn]:
        """Its pictures as failed, once it is given up."""
        reason = f"{self.bad_luck} workers were lost that had it, or their machines: look into Ray's logs"
        if self.losses >= LOSSES:
            reason = (
                f"{self.losses} workers were lost while they drew it. If other pictures are drawn, this one needs more "
                "memory than there is, or does harm: change it, or look into the workers' logs"
            )
        return (Drawn(recipe=recipe, error=reason, provenance={}) for recipe in self.recipes)

    def after_a_loss(self, *, over_it: bool) -> list[Job]:
        """What others draw of it; where its worker was lost over it, each picture on its own."""
        self.bad_luck += 1
        if not over_it:
            return [self]
        losses = self.losses + 1
        return [Job([one], losses=losses, bad_luck=self.bad_luck, is_new=False) for one in self.recipes]
