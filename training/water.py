"""Places with water: the sea, an island in it, a lake that mirrors its shore; boats and palms."""

from __future__ import annotations

import numpy as np

from training.canvas import WHITE, Array, Canvas, Noise1, Random, mix, rgb, smooth
from training.land import pines, ridges, valley
from training.light import Labels, Light


def ocean(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    _water(canvas, light, random, light.horizon)
    if scene.boat:
        _boat(canvas, light, random, light.horizon + float(random.uniform(0.03, 0.14)))


def island(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
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


def lake(canvas: Canvas, scene: Labels, light: Light, random: Random) -> None:
    shore = light.horizon + 0.07
    if random.random() < 0.65:
        ridges(canvas, light, random, snow=bool(random.random() < 0.4))
    else:
        for place in range(2):
            noise = Noise1(random, frequency=1.1, octaves=2)
            line: Array = light.horizon - 0.02 + 0.03 * place - 0.1 * np.abs(noise(canvas.x, round_off=True))
            canvas.below(
                valley(canvas, line, light), mix(light.sky, rgb(70, 110, 70) * light.ambient, 0.5 + 0.3 * place)
            )
    if scene.trees:
        dark = rgb(26, 62, 44) * light.ambient
        pines(canvas, random, base=shore - 0.02, tall=0.15, pitch=0.06, colour=dark, share=0.6)
    line = shore + 0.008 * Noise1(random, frequency=3, octaves=3)(canvas.x) - 0.012
    canvas.below(line, rgb(46, 58, 48) * light.ambient)
    _mirror(canvas, light, random, shore)
    if scene.boat:
        _boat(canvas, light, random, shore + float(random.uniform(0.1, 0.2)))


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


def _boat(canvas: Canvas, light: Light, random: Random, waterline: float) -> None:
    x, size = float(canvas.aspect * random.uniform(0.2, 0.8)), float(random.uniform(0.11, 0.17))
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
