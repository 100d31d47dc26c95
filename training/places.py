"""The land of a scene, from far to near: one painter for each place.

A painter gets the canvas with its sky on it, the scene's labels, the light, and its own random numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from training import city, land, water
from training.canvas import Canvas, Random
from training.light import Labels, Light

Painter = Callable[[Canvas, Labels, Light, Random], None]
PAINTERS: dict[str, Painter] = {
    "mountains": land.mountains,
    "desert": land.desert,
    "ocean": water.ocean,
    "city": city.city,
    "forest": land.forest,
    "lake": water.lake,
    "hills": land.hills,
    "snow": land.snow,
    "canyon": land.canyon,
    "island": water.island,
}
