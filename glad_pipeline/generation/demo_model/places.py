"""The land of a scene, from far to near: one painter for each place.

A painter gets the canvas with its sky on it, the scene's labels, the light, and its own random numbers.
"""

from __future__ import annotations

from collections.abc import Callable

from glad_pipeline.generation.demo_model import city, land, water
from glad_pipeline.generation.demo_model.canvas import Canvas, Random
from glad_pipeline.generation.demo_model.light import Labels, Light

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
