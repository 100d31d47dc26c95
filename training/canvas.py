"""The brushes of the procedural painter: a canvas, seeded noise, discs, layers of land.

Knows shapes and colours, not what a sunset or a city is. Heights and widths are in picture heights, y downwards;
every random number is drawn before the size is looked at, so a scene is the same at any size.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Random = np.random.Generator
WIDEST = 4.0  # picture heights: what noise and scattered things cover from left to right


def rgb(red: float, green: float, blue: float) -> Array:
    """A colour from 0..255 to 0..1."""
    return np.array((red, green, blue), np.float32) / 255


WHITE = rgb(255, 255, 255)


def mix(first: Any, second: Any, weight: Any) -> Any:
    """`first` at weight 0, `second` at weight 1."""
    return first + (second - first) * weight


def smooth(value: Any) -> Any:
    """0 below 0, 1 above 1, an S in between."""
    value = np.clip(value, 0, 1)
    return value * value * (3 - 2 * value)


class Noise1:
    """A random line over x, from value noise of several octaves; about -1..1."""

    def __init__(self, random: Random, *, frequency: float = 2, octaves: int = 5, decay: float = 0.5) -> None:
        self.tables = [
            (frequency * 2**place, decay**place, random.uniform(-1, 1, int(frequency * 2**place * WIDEST) + 3))
            for place in range(octaves)
        ]

    def __call__(self, x: Array, *, round_off: bool = False) -> Array:
        total = np.zeros_like(x)
        for frequency, weight, table in self.tables:
            place = np.clip(x * frequency, 0, len(table) - 2)
            cell = place.astype(int)
            within = place - cell
            if round_off:
                within = within * within * (3 - 2 * within)
            total += (weight * mix(table[cell], table[cell + 1], within)).astype(np.float32)
        return total


class Noise2:
    """A random texture over the picture, about -1..1; stretched `stretch` times from left to right."""

    def __init__(self, random: Random, *, frequency: float = 3, octaves: int = 4, stretch: float = 2) -> None:
        self.tables = []
        for place in range(octaves):
            rows = frequency * 2**place
            columns = rows / stretch
            shape = (int(rows) + 3, int(columns * WIDEST) + 3)
            self.tables.append((rows, columns, 0.5**place, random.uniform(-1, 1, shape).astype(np.float32)))

    def __call__(self, x: Array, y: Array) -> Array:
        total = np.zeros((len(y), len(x)), np.float32)
        for rows, columns, weight, table in self.tables:
            # value noise is a product of two interpolations: two small matrix products, not four gathers a pixel
            total += weight * (_weights(y * rows, table.shape[0]) @ table @ _weights(x * columns, table.shape[1]).T)
        return total


def _weights(places: Array, size: int) -> Array:
    places = np.clip(places, 0, size - 1.001)
    cell = places.astype(int)
    within = smooth(places - cell)
    weights = np.zeros((len(places), size), np.float32)
    lines = np.arange(len(places))
    weights[lines, cell] = 1 - within
    weights[lines, cell + 1] = within
    return weights


class Canvas:
    """Pixels (height, width, 3) in 0..1, and their coordinates in picture heights."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.aspect = width / height
        self.x = ((np.arange(width) + 0.5) / height).astype(np.float32)
        self.y = ((np.arange(height) + 0.5) / height).astype(np.float32)
        self.pixels: Array = np.zeros((height, width, 3), np.float32)

    def row(self, y: float) -> int:
        """The pixel row at `y`, kept inside the picture."""
        return int(np.clip(y * self.height, 0, self.height - 1))

    def blend(self, colour: Any, weight: Array, *, top: int = 0) -> None:
        """Paints `colour` (3,) or (rows, width, 3) by `weight` (rows, width), from row `top` down."""
        part = self.pixels[top : top + weight.shape[0]]
        part += (colour - part) * weight[..., None]

    def below(self, line: Array, colour: Any, *, shade: float = 0.0, depth: float = 0.3) -> None:
        """Everything under a height line, with an edge one pixel soft; `shade` darkens it `depth` further down."""
        top = self.row(float(line.min()) - 1.5 / self.height)
        under = self.y[top:, None] - line[None, :]
        if shade:
            colour = colour * (1 - shade * np.clip(under / depth, 0, 1))[..., None]
        self.blend(colour, np.clip(under * self.height + 0.5, 0, 1), top=top)

    def disc(self, x: float, y: float, radius: float, colour: Array, *, bite: float = 0.0) -> None:
        """A disc with a soft edge; `bite` takes a crescent's shadow out of it, in radii."""
        away = np.hypot(self.x[None, :] - x, self.y[:, None] - y)
        weight = np.clip((radius - away) * self.height + 0.5, 0, 1)
        if bite:
            shadow = np.hypot(self.x[None, :] - x + bite * radius, self.y[:, None] - y + 0.25 * radius)
            weight = weight * np.clip((shadow - radius * 0.95) * self.height + 0.5, 0, 1)
        self.blend(colour, weight)

    def glow(self, x: float, y: float, radius: float, colour: Array, strength: float) -> None:
        """Light added around a point, fading out over `radius`."""
        away = np.hypot(self.x[None, :] - x, self.y[:, None] - y)
        self.pixels += (strength * np.exp(-((away / radius) ** 1.25)))[..., None] * colour

    def specks(self, x: Array, y: Array, light: Array, colour: Array) -> None:
        """Points of light, spread over the four pixels around each."""
        px, py = x * self.height - 0.5, y * self.height - 0.5
        inside = (px >= 0) & (px < self.width - 1) & (py >= 0) & (py < self.height - 1)
        px, py, light = px[inside], py[inside], light[inside] * max(1.0, self.height / 160)
        column, line = px.astype(int), py.astype(int)
        right, down = px - column, py - line
        for dy in (0, 1):
            for dx in (0, 1):
                weight = (right if dx else 1 - right) * (down if dy else 1 - down) * light
                np.add.at(self.pixels, (line + dy, column + dx), weight[:, None] * colour)
        np.clip(self.pixels, 0, 1, out=self.pixels)

    def patch(self, x: float, y: float, reach_x: float, reach_y: float) -> tuple[slice, slice, Array, Array]:
        """The pixels around a point: their slices, and their offsets from it, (1, columns) and (rows, 1)."""
        left, right = (int(np.clip((x + side) * self.height, 0, self.width)) for side in (-reach_x, reach_x))
        top, bottom = (int(np.clip((y + side) * self.height, 0, self.height)) for side in (-reach_y, reach_y))
        rows, columns = slice(top, bottom + 1), slice(left, right + 1)
        return rows, columns, self.x[None, columns] - x, self.y[rows, None] - y

    def stamp(self, where: tuple[slice, slice], colour: Any, weight: Array) -> None:
        """Blends a colour into a patch."""
        part = self.pixels[where]
        part += (colour - part) * np.clip(weight, 0, 1)[..., None]
