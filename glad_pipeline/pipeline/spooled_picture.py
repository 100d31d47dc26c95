"""A drawn picture as a file of the spool: the master list of what such a file says of it.

Files that an earlier version has left are read as they are: what is added here needs a default at reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.storage.spool import Spool, SpoolDamaged

if TYPE_CHECKING:
    from glad_pipeline.generation.engine import Drawn


@dataclass(frozen=True, kw_only=True, slots=True)
class SpooledPicture:
    """What was drawn, by which run, and when (ISO 8601, UTC)."""

    drawn: Drawn
    run_id: str
    drawn_at: str

    def put_into(self, spool: Spool) -> None:
        """Keep it under `name_of` its recipe. Raises `SpoolFull`, `OSError`."""
        import numpy as np

        drawn = self.drawn
        assert drawn.pixels is not None  # noqa: S101  only pictures are written
        height, width = drawn.pixels.shape[:2]
        facts = {
            "recipe": drawn.recipe.as_dict(),
            "provenance": drawn.provenance,
            "seconds": drawn.seconds,
            "height": height,
            "width": width,
            "run_id": self.run_id,
            "drawn_at": self.drawn_at,
        }
        spool.put(name_of(drawn.recipe), facts, np.ascontiguousarray(drawn.pixels).data)

    @classmethod
    def read(cls, spool: Spool, name: str) -> SpooledPicture | None:
        """The picture of that name; None where it is gone. Raises whatever damage leads to."""
        import numpy as np

        from glad_pipeline.generation.engine import Drawn

        found = spool.read(name)
        if found is None:
            return None
        facts = found.facts
        recipe = Recipe.from_dict(facts["recipe"])
        if name_of(recipe) != name:
            raise SpoolDamaged("it holds another picture than its name says")
        drawn = Drawn(
            recipe=recipe,
            pixels=np.frombuffer(found.body, np.uint8).reshape(facts["height"], facts["width"], 3),
            seconds=float(facts["seconds"]),
            provenance=dict(facts["provenance"]),
        )
        return cls(drawn=drawn, run_id=str(facts["run_id"]), drawn_at=str(facts["drawn_at"]))


def name_of(recipe: Recipe) -> str:
    """What a picture is called in the spool: its key's stem."""
    return recipe.hash[:32]
