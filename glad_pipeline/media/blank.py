"""Gates a picture must pass before anybody sees it."""

from __future__ import annotations

BLANK_BELOW = 4.0  # standard deviation of grey levels (0..127.5); a plain colour has 0, a foggy night scene 12


def fault_of(contrast: float) -> str | None:
    """Why a picture with this contrast (standard deviation of its grey levels, 0..127.5) must not be published."""
    if contrast < BLANK_BELOW:
        return (
            f"the picture is blank (contrast {contrast:.1f}, at least {BLANK_BELOW} is needed): "
            "change the prompt or the seed, then `glad prompts retry`"
        )
    return None
