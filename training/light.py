"""The light that falls on a scene, and what a painter is told of the scene itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from training.canvas import Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Light:
    """What the sky gives to the land."""

    horizon: float  # y
    sky: Array  # the colour at the horizon, which distance fades to
    zenith: Array  # the colour half way up
    ambient: Array  # what a white thing looks like in the foreground
    brightness: float  # 0..1
    source: tuple[float, float, Array] | None  # x, y and colour of the sun or moon


class Labels(Protocol):
    """What a painter wants to know of a scene."""

    @property
    def time(self) -> str: ...
    @property
    def boat(self) -> bool: ...
    @property
    def trees(self) -> bool: ...
