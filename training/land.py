"""Dry places: mountains, desert, forest, hills, snow, canyon; and the ridges and pines that others borrow."""

from __future__ import annotations

import numpy as np

from training.canvas import WHITE, Array, Canvas, Noise1, Random, mix, rgb, smooth
from training.light import Labels, Light


def mountains(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    ridges(canvas, light, random, snow=bool(random.random() < 0.6))
    foot = light.horizon + 0.2 + 0.05 * Noise1(random, frequency=1.5, octaves=5)(canvas.x)
    canvas.below(foot, rgb(48, 66, 54) * light.ambient, shade=0.4)


def desert(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
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


def forest(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    for place in range(3):
        colour = mix(light.sky, rgb(28, 78, 50) * light.ambient, 0.45 + 0.25 * place)
        base = light.horizon + 0.04 + 0.13 * place
        pines(canvas, random, base=base, tall=0.19 + 0.075 * place, pitch=0.075 + 0.018 * place, colour=colour)


def hills(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _rolling(canvas, light, random, rgb(134, 186, 92), rgb(50, 122, 54))
    if scene.trees:
        _round_trees(canvas, light, random)


def snow(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _rolling(canvas, light, random, rgb(216, 226, 240), rgb(246, 250, 255))
    if scene.trees:
        for place in range(2):
            base = light.horizon + 0.13 + 0.12 * place
            colour = mix(light.sky, rgb(44, 82, 74) * light.ambient, 0.7 + 0.2 * place)
            pines(canvas, random, base=base, tall=0.14 + 0.06 * place, pitch=0.09, colour=colour, share=0.45)


def canyon(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
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


def ridges(canvas: Canvas, light: Light, random: Random, *, snow: bool) -> None:
    """Three mountain chains, each nearer one darker and lower; the last may carry snow."""
    for place in range(3):
        noise = Noise1(random, frequency=1.6 + 0.5 * place, octaves=6, decay=0.46)
        line: Array = light.horizon - 0.1 + 0.09 * place - (0.24 - 0.03 * place) * np.abs(noise(canvas.x))
        line = valley(canvas, line, light)
        colour = mix(light.sky, rgb(74, 78, 102) * light.ambient, 0.34 + 0.29 * place)
        canvas.below(line, colour, shade=-0.12, depth=0.3)
        if snow and place:
            peak = float(line.min())
            limit = peak + 0.075 + 0.035 * Noise1(random, frequency=11, octaves=3)(canvas.x)
            top = canvas.row(peak - 0.01)
            y = canvas.y[top:, None]
            weight = np.clip((y - line) * canvas.height + 0.5, 0, 1) * np.clip((limit - y) * canvas.height, 0, 1)
            canvas.blend(mix(light.sky, WHITE * light.ambient * 1.1, 0.4 + 0.25 * place), weight, top=top)


def valley(canvas: Canvas, line: Array, light: Light) -> Array:
    """The line, lowered where it would hide the sun or the moon."""
    if not light.source:
        return line
    x, y, _ = light.source
    hidden = float(y + 0.07 - np.interp(x, canvas.x, line))
    dip: Array = line + max(0.0, hidden) * np.exp(-(((canvas.x - x) / 0.17) ** 2))
    return dip


def pines(
    canvas: Canvas, random: Random, *, base: float, tall: float, pitch: float, colour: Array, share: float = 1.0
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
        size = float(random.uniform(0.045, 0.07))
        rows, columns, dx, dy = canvas.patch(x, foot - size * 2, size * 2, size * 2.2)
        trunk = np.minimum(size * 0.16 - np.abs(dx), np.minimum(dy + size * 0.5, size * 2 - dy))
        canvas.stamp((rows, columns), rgb(70, 50, 38) * light.ambient, trunk * canvas.height + 0.5)
        for side, up, part in ((-0.5, 0.0, 0.75), (0.5, 0.05, 0.72), (0.0, 0.5, 0.85)):
            crown = size * part - np.hypot(dx - side * size, dy + up * size)
            tone = rgb(42, 100, 48) * (1 + 0.12 * side) * light.ambient
            canvas.stamp((rows, columns), tone, crown * canvas.height + 0.5)


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
