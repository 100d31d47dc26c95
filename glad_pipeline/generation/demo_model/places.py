"""The land of a scene, from far to near: one painter for each place.

A painter gets the canvas with its sky on it, the scene's labels, the light, and its own random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from glad_pipeline.generation.demo_model.canvas import WHITE, Array, Canvas, Noise1, Random, mix, rgb, smooth


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


def _mountains(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _ridges(canvas, light, random, snow=bool(random.random() < 0.6))
    foot = light.horizon + 0.2 + 0.05 * Noise1(random, frequency=1.5, octaves=5)(canvas.x)
    canvas.below(foot, rgb(48, 66, 54) * light.ambient, shade=0.4)


def _ridges(canvas: Canvas, light: Light, random: Random, *, snow: bool) -> None:
    """Three mountain chains, each nearer one darker and lower; the last may carry snow."""
    for place in range(3):
        noise = Noise1(random, frequency=1.6 + 0.5 * place, octaves=6, decay=0.46)
        line = light.horizon - 0.1 + 0.09 * place - (0.24 - 0.03 * place) * np.abs(noise(canvas.x))
        line = _valley(canvas, line, light)
        colour = mix(light.sky, rgb(74, 78, 102) * light.ambient, 0.34 + 0.29 * place)
        canvas.below(line, colour, shade=-0.12, depth=0.3)
        if snow and place:
            peak = float(line.min())
            limit = peak + 0.075 + 0.035 * Noise1(random, frequency=11, octaves=3)(canvas.x)
            top = canvas.row(peak - 0.01)
            y = canvas.y[top:, None]
            weight = np.clip((y - line) * canvas.height + 0.5, 0, 1) * np.clip((limit - y) * canvas.height, 0, 1)
            canvas.blend(mix(light.sky, WHITE * light.ambient * 1.1, 0.4 + 0.25 * place), weight, top=top)


def _valley(canvas: Canvas, line: Array, light: Light) -> Array:
    """The line, lowered where it would hide the sun or the moon."""
    if not light.source:
        return line
    x, y, _ = light.source
    hidden = float(y + 0.045 - np.interp(x, canvas.x, line))
    dip: Array = line + max(0.0, hidden) * np.exp(-(((canvas.x - x) / 0.15) ** 2))
    return dip


def _desert(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    warm = mix(light.ambient, np.full(3, light.brightness, np.float32), 0.35)
    for place in range(4):
        base = light.horizon + 0.02 + 0.11 * place
        phase, rate = random.uniform(0, 6.3), random.uniform(0.9, 1.7)
        turn = canvas.x * rate + phase / 6.3
        within = turn % 1
        crest = random.uniform(0.58, 0.75)
        rise = np.where(within < crest, smooth(within / crest), smooth((1 - within) / (1 - crest)))
        line = base - (0.045 + 0.03 * place) * rise.astype(np.float32)
        colour = mix(light.sky, mix(rgb(240, 196, 124), rgb(206, 138, 72), place / 3) * warm, 0.5 + 0.16 * place)
        canvas.below(line, colour, shade=0.3, depth=0.2)
        # the lee side of each crest lies in shadow, below the crest down to the foot of the dune
        top = canvas.row(float(line.min()))
        under = canvas.y[top:, None] - line[None, :]
        lee = smooth((within - crest + 0.06 * under / 0.1) * 26) * (within < 0.995)
        canvas.blend(colour * 0.6, np.clip(under * canvas.height, 0, 1) * lee * np.exp(-under / 0.07), top=top)
    if scene.trees:
        for _ in range(int(random.integers(1, 4))):
            _cactus(canvas, float(canvas.aspect * random.uniform(0.1, 0.9)), float(random.uniform(0.8, 0.93)), light)


def _cactus(canvas: Canvas, x: float, foot: float, light: Light) -> None:
    colour = rgb(40, 84, 52) * light.ambient
    height = 0.19
    rows, columns, dx, dy = canvas.patch(x, foot - height / 2, 0.08, height / 2 + 0.02)
    up = height / 2 - dy  # above the foot
    stem = np.minimum(0.014 - np.abs(dx), np.minimum(height - up, up))
    arms = [(-0.045, 0.07, 0.13), (0.042, 0.095, 0.155)]
    shape = stem
    for side, low, high in arms:
        upright = np.minimum(0.01 - np.abs(dx - side), np.minimum(high - up, up - low + 0.008))
        across = np.minimum(0.009 - np.abs(up - low), np.minimum(np.sign(side) * dx, abs(side) - np.sign(side) * dx))
        shape = np.maximum(shape, np.maximum(upright, across))
    canvas.stamp((rows, columns), colour, shape * canvas.height + 0.5)


def _water(canvas: Canvas, light: Light, random: Random, top_y: float) -> None:
    """Open water from `top_y` down: the sky's colour far off, depth near by, ripples, and the light's path."""
    top = canvas.row(top_y)
    depth = np.clip((canvas.y[top:, None] - top_y) / (1 - top_y), 0, 1)
    near = mix(rgb(12, 56, 100) * light.ambient, light.zenith * 0.55, 0.4)
    colour = mix(mix(light.sky, near, 0.35), near, smooth(depth))[..., :].reshape(len(depth), 1, 3)
    wave = np.zeros((len(depth), canvas.width), np.float32)
    near_y = 1 / (depth + 0.16)
    for strength, rate in ((0.5, 9.0), (0.35, 15.0), (0.3, 24.0)):
        tilt, phase = random.uniform(1.5, 5), random.uniform(0, 6.3)
        swing = np.sin(canvas.x[None, :] * tilt + phase) * 0.6
        wave += strength * np.sin(near_y * rate + swing * near_y * 0.7 + canvas.x[None, :] * rate * 0.25 + phase)
    colour = colour + (wave * (0.03 + 0.05 * depth) * (0.35 + light.brightness))[..., None]
    if light.source:
        x, _, glow = light.source
        width = 0.03 + 0.11 * depth
        path = np.exp(-(((canvas.x[None, :] - x) / width) ** 2)) * smooth(0.62 + 0.75 * wave)
        colour = colour + (path * 0.75)[..., None] * (glow - colour * 0.7)
    canvas.blend(np.clip(colour, 0, 1), np.ones(wave.shape, np.float32), top=top)


def _ocean(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _water(canvas, light, random, light.horizon)
    if scene.boat:
        _boat(canvas, light, random, light.horizon + float(random.uniform(0.03, 0.14)))


def _boat(canvas: Canvas, light: Light, random: Random, waterline: float) -> None:
    x, size = float(canvas.aspect * random.uniform(0.2, 0.8)), float(random.uniform(0.08, 0.13))
    rows, columns, dx, dy = canvas.patch(x, waterline - size * 0.5, size, size)
    u, v = dx / size, (dy - size * 0.5) / size  # v is 0 at the waterline, -1 at the masthead
    scale = canvas.height * size
    sail = np.minimum(np.minimum((v + 1.05) * 0.5 - (u - 0.04), u - 0.04), -0.2 - v)
    jib = np.minimum(np.minimum((v + 0.9) * 0.42 + (u + 0.02), -0.02 - u), -0.2 - v)
    hull = np.minimum(np.minimum(0.02 - v, v + 0.15), 0.46 - np.abs(u) - (v + 0.15) * 0.9)
    cloth = (
        mix(WHITE * light.ambient, light.sky, 0.25)
        if light.brightness > 0.6
        else mix(WHITE * light.ambient, light.sky, 0.1)
    )
    canvas.stamp((rows, columns), cloth, np.maximum(sail, jib) * scale + 0.5)
    canvas.stamp((rows, columns), rgb(96, 42, 34) * light.ambient, hull * scale + 0.5)


def _island(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _water(canvas, light, random, light.horizon)
    x = float(canvas.aspect * random.uniform(0.35, 0.65))
    wide = float(random.uniform(0.26, 0.36))
    base = light.horizon + 0.1
    away = (canvas.x - x) / wide
    warm = mix(light.ambient, np.full(3, light.brightness, np.float32), 0.3)
    rough = Noise1(random, frequency=6, octaves=3)(canvas.x)
    for height, low, colour in (
        (0.025, 0.045, rgb(246, 222, 164) * warm),
        (0.115 + 0.02 * rough, 0.012, rgb(60, 128, 62) * light.ambient),
    ):
        narrow = 1.0 if low > 0.02 else 0.82
        bump = np.clip(1 - (away / narrow) ** 2, 0, 1)
        top = canvas.row(base - 0.16)
        y = canvas.y[top:, None]
        weight = np.clip((y - (base - height * bump)[None, :]) * canvas.height + 0.5, 0, 1)
        weight = weight * np.clip(((base + low * np.sqrt(bump))[None, :] - y) * canvas.height + 0.5, 0, 1)
        canvas.blend(colour, weight * (bump > 0), top=top)
    for _ in range(int(random.integers(2, 5))):
        _palm(canvas, x + wide * float(random.uniform(-0.55, 0.55)), base - 0.01, light, random)
    if scene.boat:
        _boat(canvas, light, random, light.horizon + 0.2)


def _palm(canvas: Canvas, x: float, foot: float, light: Light, random: Random) -> None:
    height, lean = float(random.uniform(0.15, 0.24)), float(random.uniform(-0.06, 0.06))
    rows, columns, dx, dy = canvas.patch(x, foot - height / 2, 0.22, height / 2 + 0.12)
    up = (height / 2 - dy) / height
    trunk = 0.009 * (1.25 - 0.5 * up) - np.abs(dx - lean * up**2)
    canvas.stamp(
        (rows, columns),
        rgb(94, 70, 48) * light.ambient,
        np.where((up > 0) & (up < 1), trunk * canvas.height + 0.5, 0),
    )
    u, v = (dx - lean), dy + height / 2
    shape = np.full(np.broadcast_shapes(u.shape, v.shape), -1.0)
    for reach in (-0.12, -0.085, 0.085, 0.12):
        along = np.clip(u / reach, 0, 1)
        droop = -0.05 * np.sin(along * 2.2) + (0.075 if abs(reach) > 0.1 else 0.02) * along**2
        shape = np.maximum(
            shape, np.where((u / reach > 0) & (u / reach < 1), 0.016 * (1.05 - along) - np.abs(v - droop), -1)
        )
    canvas.stamp((rows, columns), rgb(34, 104, 50) * light.ambient, shape * canvas.height + 0.5)


def _city(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    lit = {"day": 0.1, "dawn": 0.25, "sunset": 0.5, "storm": 0.4}.get(scene.time, 0.6)
    lamp = rgb(255, 214, 122)
    pane = mix(light.sky, WHITE, 0.25)
    for place in range(3):
        colour = mix(light.sky, rgb(46, 52, 74) * mix(light.ambient, WHITE, 0.12), 0.4 + 0.26 * place)
        x = -float(random.uniform(0, 0.1))
        while x < 4:
            wide, tall = float(random.uniform(0.07, 0.15)), float(random.uniform(0.04, 0.3) * (1.1 - 0.1 * place))
            spire, shade, seed = random.random(), random.uniform(0.9, 1.1), int(random.integers(2**32))
            if x < canvas.aspect:
                top = light.horizon - tall + 0.13 * place
                if light.source and abs(light.source[0] - x - wide / 2) < wide / 2 + 0.05:
                    top = max(top, light.source[1] + 0.05)
                _block(canvas, x, wide, top, colour * shade)
                if spire < 0.15:
                    _block(canvas, x + wide * 0.46, wide * 0.08, top - 0.06, colour * shade)
                if place:
                    windows = np.random.default_rng(seed)
                    _windows(
                        canvas,
                        windows,
                        x,
                        wide,
                        top,
                        (0.016, 0.024) if place == 1 else (0.02, 0.03),
                        (lit, lamp, pane, colour),
                    )
            x += wide + float(random.choice((0.0, 0.004, 0.02)))


def _block(canvas: Canvas, x: float, wide: float, top: float, colour: Array) -> None:
    rows = slice(canvas.row(top), canvas.height)
    left, right = (int(round(float(np.clip(edge * canvas.height, 0, canvas.width)))) for edge in (x, x + wide))
    canvas.pixels[rows, left:right] = colour


def _windows(
    canvas: Canvas, random: Random, x: float, wide: float, top: float, pitch: tuple[float, float], paint: Any
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


def _forest(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    for place in range(3):
        colour = mix(light.sky, rgb(28, 78, 50) * light.ambient, 0.45 + 0.25 * place)
        base = light.horizon + 0.04 + 0.13 * place
        _pines(canvas, random, base, 0.16 + 0.06 * place, 0.055 + 0.012 * place, colour)


def _pines(
    canvas: Canvas, random: Random, base: float, tall: float, pitch: float, colour: Array, share: float = 1.0
) -> None:
    """A row of conifers, standing on ground of their own colour when there is no gap (`share` 1)."""
    line = np.full(canvas.width, base + (0.0 if share == 1 else 9.0), np.float32)
    count = int(4 / pitch)
    spots = (np.arange(count) + random.uniform(-0.4, 0.4, count)) * pitch
    heights, shown = tall * random.uniform(0.55, 1.1, count), random.random(count) < share
    for spot, height in zip(spots[shown], heights[shown], strict=True):
        if spot - pitch > canvas.aspect:
            continue
        left, right = (int(np.clip((spot + side * height * 0.3) * canvas.height, 0, canvas.width)) for side in (-1, 1))
        away = np.abs(canvas.x[left:right] - spot) / (height * 0.26)
        saw = away + 0.16 * (away * 4 % 1)  # branches: the outline steps outwards four times
        outline = np.where(saw < 1, base + 0.02 - height * (1 - saw), 9)
        line[left:right] = np.minimum(line[left:right], outline)
    if share == 1:
        canvas.below(line, colour, shade=0.25, depth=0.4)
    else:
        top = canvas.row(base - tall * 1.2)
        y = canvas.y[top:, None]
        weight = np.clip((y - line) * canvas.height + 0.5, 0, 1) * np.clip((base + 0.02 - y) * canvas.height, 0, 1)
        canvas.blend(colour, weight, top=top)


def _lake(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    shore = light.horizon + 0.07
    if random.random() < 0.65:
        _ridges(canvas, light, random, snow=bool(random.random() < 0.4))
    else:
        for place in range(2):
            noise = Noise1(random, frequency=1.1, octaves=2)
            line = light.horizon - 0.02 + 0.03 * place - 0.1 * np.abs(noise(canvas.x, round_off=True))
            canvas.below(
                _valley(canvas, line, light), mix(light.sky, rgb(70, 110, 70) * light.ambient, 0.5 + 0.3 * place)
            )
    if scene.trees:
        _pines(canvas, random, shore - 0.02, 0.12, 0.04, rgb(26, 62, 44) * light.ambient, share=0.6)
    line = shore + 0.008 * Noise1(random, frequency=3, octaves=3)(canvas.x) - 0.012
    canvas.below(line, rgb(46, 58, 48) * light.ambient)
    _mirror(canvas, light, random, shore)
    if scene.boat:
        _boat(canvas, light, random, shore + float(random.uniform(0.1, 0.2)))


def _mirror(canvas: Canvas, light: Light, random: Random, shore: float) -> None:
    """What is above the shore, upside down, rippled and a little darker."""
    top = canvas.row(shore)
    count = canvas.height - top
    source = np.clip(top - 1 - (np.arange(count) * 1.05).astype(int), 0, top)
    depth = (np.arange(count) / canvas.height)[:, None]
    sway = 0.012 * np.sin(depth * 190 / (1 + 3 * depth) + random.uniform(0, 6.3)) * smooth(depth * 6)
    columns = np.clip(((canvas.x[None, :] + sway) * canvas.height).astype(int), 0, canvas.width - 1)
    reflected = canvas.pixels[source[:, None], columns]
    tone = mix(rgb(24, 52, 78) * light.ambient, light.zenith * 0.5, 0.4)
    canvas.pixels[top:] = mix(reflected, tone, (0.22 + 0.35 * np.clip(depth / 0.4, 0, 1))[..., None])


def _hills(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _rolling(canvas, light, random, rgb(134, 186, 92), rgb(50, 122, 54))
    if scene.trees:
        _round_trees(canvas, light, random)


def _rolling(canvas: Canvas, light: Light, random: Random, far: Array, near: Array) -> None:
    for place in range(4):
        rate, phase = random.uniform(1.6, 4.2), random.uniform(0, 6.3)
        wave = np.sin(canvas.x * rate + phase) + 0.3 * np.sin(canvas.x * rate * 2.3 + phase * 2)
        line = light.horizon - 0.02 + 0.105 * place + 0.05 * wave
        colour = mix(light.sky, mix(far, near, place / 3) * light.ambient, 0.5 + 0.17 * place)
        canvas.below(line.astype(np.float32), colour * 1.08, shade=0.38, depth=0.2)


def _round_trees(canvas: Canvas, light: Light, random: Random) -> None:
    for _ in range(int(random.integers(2, 6))):
        x, foot = float(canvas.aspect * random.uniform(0.08, 0.92)), float(light.horizon + random.uniform(0.16, 0.3))
        size = float(random.uniform(0.035, 0.06))
        rows, columns, dx, dy = canvas.patch(x, foot - size * 2, size * 2, size * 2.2)
        trunk = np.minimum(size * 0.16 - np.abs(dx), np.minimum(dy + size * 0.5, size * 2 - dy))
        canvas.stamp((rows, columns), rgb(70, 50, 38) * light.ambient, trunk * canvas.height + 0.5)
        for side, up, part in ((-0.5, 0.0, 0.75), (0.5, 0.05, 0.72), (0.0, 0.5, 0.85)):
            crown = size * part - np.hypot(dx - side * size, dy + up * size)
            tone = rgb(42, 100, 48) * (1 + 0.12 * side) * light.ambient
            canvas.stamp((rows, columns), tone, crown * canvas.height + 0.5)


def _snow(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _rolling(canvas, light, random, rgb(216, 226, 240), rgb(246, 250, 255))
    if scene.trees:
        for place in range(2):
            base = light.horizon + 0.13 + 0.12 * place
            colour = mix(light.sky, rgb(44, 82, 74) * light.ambient, 0.7 + 0.2 * place)
            _pines(canvas, random, base, 0.11 + 0.05 * place, 0.07, colour, share=0.45)


def _canyon(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    """Red walls in steps on both sides, nearer ones higher and darker, and a floor between them."""
    warm = mix(light.ambient, np.full(3, light.brightness, np.float32), 0.45)
    centre = float(canvas.aspect * random.uniform(0.4, 0.6))
    floor = light.horizon + 0.16
    canvas.below(np.full(canvas.width, floor, np.float32), rgb(196, 122, 76) * warm, shade=0.35)
    strata = Noise1(random, frequency=10, octaves=2)(canvas.y)[:, None]
    for place in range(3):
        away = np.abs(canvas.x - centre) / (canvas.aspect / 2) + 0.14 * Noise1(random, frequency=3, octaves=4)(canvas.x)
        gap = 0.12 + 0.24 * place
        rise = np.clip((away - gap) / 0.3, 0, 1) * 2.0
        step = np.floor(rise * 2) / 2 + smooth((rise * 2 % 1) * 2.6 - 1.0) / 2  # terraces with steep faces
        line = floor + 0.09 * place - (0.2 + 0.1 * place) * step * 0.75
        wall = mix(rgb(222, 134, 84), rgb(150, 66, 44), place / 2) * warm
        top = canvas.row(float(line.min()))
        banded = mix(light.sky, wall, 0.55 + 0.22 * place) * (1 + 0.13 * strata[top:, :, None])
        under = canvas.y[top:, None] - line[None, :]
        weight = np.clip(under * canvas.height + 0.5, 0, 1) * (step > 0.01)
        canvas.blend(banded * (1 - 0.35 * smooth(under / 0.3))[..., None], weight, top=top)


Painter = Callable[[Canvas, Labels, Light, Random], None]
PAINTERS: dict[str, Painter] = {
    "mountains": _mountains,
    "desert": _desert,
    "ocean": _ocean,
    "city": _city,
    "forest": _forest,
    "lake": _lake,
    "hills": _hills,
    "snow": _snow,
    "canyon": _canyon,
    "island": _island,
}
