"""The gate against blank pictures: their contrast is too low to show anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glad_pipeline.media.encoding import Pixels

BLANK_BELOW = 4.0  # standard deviation of grey levels (0..127.5); a plain colour has 0, a foggy night scene 12


def problem_of_pixels(pixels: Pixels) -> str | None:
    """As `problem_of`, for pixels."""
    from glad_pipeline.media.encoding import contrast

    return problem_of(contrast(pixels))


def problem_of(contrast: float) -> str | None:
    """Why a picture with this contrast (standard deviation of its grey levels, 0..127.5) must not be published."""
    if contrast < BLANK_BELOW:
        return (
            f"the picture is blank (contrast {contrast:.1f}, at least {BLANK_BELOW} is needed): "
            "change the prompt or the seed, then `glad prompts retry`"
        )
    return None
