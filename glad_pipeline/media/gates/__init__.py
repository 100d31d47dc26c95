"""Gates: what a picture must pass before it is stored. Pixels in; out comes why it must not be published, or None.

A gate is a module here and a place in GATES: `pipeline/draw.py` asks them all, in the run's process, and a reason
rejects the prompt. One that needs torch lies in `generation/`, as `media` may not import it; draw.py asks it after
these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from glad_pipeline.media.gates import blank

if TYPE_CHECKING:
    from glad_pipeline.media.encoding import Pixels

Gate = Callable[["Pixels"], "str | None"]
GATES: tuple[Gate, ...] = (blank.problem_of_pixels,)


def problem_of(pixels: Pixels) -> str | None:
    """The first gate's verdict against this picture; None where all let it pass."""
    return next((problem for gate in GATES if (problem := gate(pixels))), None)
