"""The city: rows of towers with lit windows."""

from __future__ import annotations

from typing import Any

import numpy as np

from training.canvas import WHITE, Array, Canvas, Random, mix, rgb, smooth
from training.light import Labels, Light


def city(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    lit = {"day": 0.1, "dawn": 0.25, "sunset": 0.5, "storm": 0.4}.get(scene.time, 0.6)
    lamp = rgb(255, 214, 122)
    pane = mix(light.sky, WHITE, 0.25)
    for place in range(3):
        colour = mix(light.sky, rgb(46, 52, 74) * mix(light.ambient, WHITE, 0.12), 0.4 + 0.26 * place)
        x = -float(random.uniform(0, 0.1))
        while x < 4:
            wide, tall = float(random.uniform(0.09, 0.18)), float(random.uniform(0.04, 0.3) * (1.1 - 0.1 * place))
            spire, shade, seed = random.random(), random.uniform(0.9, 1.1), int(random.integers(2**32))
            if x < canvas.aspect:
                top = light.horizon - tall + 0.13 * place
                if light.source and abs(light.source[0] - x - wide / 2) < wide / 2 + 0.07:
                    top = max(top, light.source[1] + 0.08)
                _block(canvas, x, wide, top, colour * shade)
                if spire < 0.15:
                    _block(canvas, x + wide * 0.46, wide * 0.08, top - 0.06, colour * shade)
                if place:
                    _windows(
                        canvas, np.random.default_rng(seed), x=x, wide=wide, top=top,
                        pitch=(0.026, 0.036) if place == 1 else (0.032, 0.046), paint=(lit, lamp, pane, colour),
                    )  # fmt: skip
            x += wide + float(random.choice((0.0, 0.004, 0.02)))


def _block(canvas: Canvas, x: float, wide: float, top: float, colour: Array) -> None:
    rows = slice(canvas.row(top), canvas.height)
    left, right = (round(float(np.clip(edge * canvas.height, 0, canvas.width))) for edge in (x, x + wide))
    canvas.pixels[rows, left:right] = colour


def _windows(
    canvas: Canvas, random: Random, *, x: float, wide: float, top: float, pitch: tuple[float, float], paint: Any
) -> None:
    """A grid of panes: a share `lit` of them glows, the others mirror the sky a little."""
    lit, lamp, pane, wall = paint
    rows, columns, dx, dy = canvas.patch(x + wide / 2, (top + 1.02) / 2, wide / 2 - 0.008, (1.02 - top) / 2 - 0.012)
    across, down = (dx + wide / 2 - 0.008) / pitch[0], (dy + (1.02 - top) / 2 - 0.012) / pitch[1]
    shown = (random.random((64, 64)) < lit).astype(np.float32)[
        np.clip(down, 0, 63).astype(int), np.clip(across, 0, 63).astype(int)
    ]
    inside = smooth((0.36 - np.abs(across % 1 - 0.5)) * 5) * smooth((0.34 - np.abs(down % 1 - 0.5)) * 5)
    colour = mix(mix(wall, pane, 0.22), lamp, shown[..., None])
    canvas.stamp((rows, columns), colour, inside * 0.92)
