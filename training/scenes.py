"""Procedural scenes: what a picture shows, drawn from a seed, and the picture itself at any size.

The ground truth of the demo model: it is trained on these pictures and judged by these labels. Colours of the sky and
what hangs in it are here, the land is in `places`, words are in `captions`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training import places
from training.canvas import WHITE, Canvas, Noise1, Noise2, Random, mix, rgb, smooth
from training.light import Light

TIMES = ("sunset", "dawn", "day", "night", "storm", "aurora")
PLACES = tuple(places.PAINTERS)
COLOURS = ("red", "golden", "green", "teal", "blue", "purple", "pink")
STYLES = ("plain", "watercolour", "flat", "noir")
LIGHTS = ("none", "sun", "moon")

# time → the sky's colour at the top, half way down, and at the horizon
SKIES = {
    "sunset": (rgb(56, 42, 110), rgb(226, 88, 92), rgb(255, 190, 96)),
    "dawn": (rgb(112, 134, 204), rgb(234, 172, 194), rgb(255, 226, 196)),
    "day": (rgb(44, 116, 214), rgb(118, 184, 242), rgb(214, 237, 250)),
    "night": (rgb(5, 8, 30), rgb(16, 24, 66), rgb(44, 58, 112)),
    "storm": (rgb(34, 38, 48), rgb(66, 74, 86), rgb(136, 142, 144)),
    "aurora": (rgb(4, 8, 26), rgb(8, 24, 46), rgb(20, 50, 70)),
}
TINTS = {
    "red": rgb(232, 44, 42),
    "golden": rgb(255, 172, 36),
    "green": rgb(74, 196, 92),
    "teal": rgb(36, 190, 188),
    "blue": rgb(40, 96, 232),
    "purple": rgb(146, 62, 206),
    "pink": rgb(255, 112, 182),
}
TINT_WEIGHT = {"sunset": 0.72, "dawn": 0.66, "day": 0.7, "night": 0.6, "storm": 0.5, "aurora": 0.4}
TINT_LIGHT = {"sunset": 1.0, "dawn": 1.08, "day": 1.0, "night": 0.42, "storm": 0.62, "aurora": 0.3}
DARKNESS = {"sunset": 0.5, "dawn": 0.78, "day": 1.0, "night": 0.27, "storm": 0.46, "aurora": 0.26}
SUNS = {"sunset": rgb(255, 226, 150), "dawn": rgb(255, 244, 214), "day": rgb(255, 252, 226)}
CLEARANCE = {
    "forest": 0.18,
    "canyon": 0.16,
    "city": 0.14,
}  # picture heights that a low sun stands above the land's tops
MOON = rgb(234, 238, 246)


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Everything a picture shows; the labels a classifier is taught."""

    time: str  # one of TIMES
    place: str  # one of PLACES
    colour: str | None  # one of COLOURS, tinting the sky (an aurora's curtains); None in noir
    light: str  # one of LIGHTS: what is to be seen in the sky
    crescent: bool  # the moon's form
    stars: bool
    clouds: bool
    birds: bool
    boat: bool
    trees: bool
    style: str  # one of STYLES
    seed: int  # forms and positions


def sample(random: Random) -> Scene:
    """A scene at random: every time of day at every place."""
    time, place = str(random.choice(TIMES)), str(random.choice(PLACES))
    dark = time in ("night", "aurora")
    style = str(random.choice(STYLES, p=(0.8, 0.08, 0.06, 0.06)))
    colour = str(random.choice(COLOURS)) if random.random() < 0.55 and style != "noir" else None
    light = "none"
    if time != "storm" and random.random() < 0.65:
        light = "moon" if dark else "sun"
    return Scene(
        time=time,
        place=place,
        colour=colour,
        light=light,
        crescent=light == "moon" and bool(random.random() < 0.4),
        stars=time == "aurora" or (time == "night" and bool(random.random() < 0.75)),
        clouds=time == "storm" or (time != "aurora" and bool(random.random() < 0.4)),
        birds=time in ("sunset", "dawn", "day") and bool(random.random() < 0.2),
        boat=place in ("ocean", "lake", "island") and bool(random.random() < 0.3),
        trees=place in ("hills", "snow", "lake", "desert") and bool(random.random() < 0.4),
        style=style,
        seed=int(random.integers(2**62)),
    )


def render(scene: Scene, width: int, height: int) -> NDArray[np.uint8]:
    """The picture of a scene, (height, width, 3) RGB: the same forms at any size, crisp at each."""
    canvas = Canvas(width, height)
    random = np.random.default_rng(scene.seed)
    sky_random, land_random, style_random = random.spawn(3)
    horizon = float(random.uniform(0.52, 0.66))
    light = _sky(canvas, scene, horizon, sky_random)
    places.PAINTERS[scene.place](canvas, scene, light, land_random)
    if scene.birds:
        _birds(canvas, light, sky_random)
    _finish(canvas, scene.style, style_random)
    pixels: NDArray[np.uint8] = (np.clip(canvas.pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
    return pixels


def _sky(canvas: Canvas, scene: Scene, horizon: float, random: Random) -> Light:
    top, middle, low = (colour * random.uniform(0.93, 1.07, 3).astype(np.float32) for colour in SKIES[scene.time])
    if scene.colour and scene.time != "aurora":
        weight = TINT_WEIGHT[scene.time]
        tint = TINTS[scene.colour] * TINT_LIGHT[scene.time]
        if scene.time == "dawn":
            tint = mix(tint, WHITE, 0.32)
        # a sunset stays dark above and a day pale below, whatever the colour: the time of day is to be told by that
        top = mix(top, tint * 0.75, weight * (0.4 if scene.time == "sunset" else 0.85))
        middle = mix(middle, tint, weight)
        pale = {"night": tint * 1.25, "sunset": mix(tint, WHITE, 0.22), "day": mix(tint, WHITE, 0.5)}
        low = mix(low, pale.get(scene.time, mix(tint, WHITE, 0.35)), weight * 0.9)
    down = (np.clip(canvas.y / horizon, 0, 1))[:, None]
    if scene.style == "flat":
        down = (np.floor(down * 7) + 0.5) / 7
    bend = 0.56
    column = np.where(down < bend, mix(top, middle, down / bend), mix(middle, low, (down - bend) / (1 - bend)))
    canvas.pixels += column[:, None, :].astype(np.float32)

    fall, drift = random.uniform(size=2)
    x = float(canvas.aspect * (0.18 + 0.64 * fall))
    low_sun = scene.time in ("sunset", "dawn")
    y = float(horizon - 0.03 - CLEARANCE.get(scene.place, 0) - 0.15 * drift if low_sun else 0.16 + 0.16 * drift)
    if scene.place == "canyon":  # to be seen between the walls
        x = float(canvas.aspect * (0.43 + 0.14 * fall))
    radius = float(random.uniform(0.075, 0.115))
    colour = MOON if scene.light == "moon" else SUNS.get(scene.time, MOON)
    if scene.colour and scene.light == "sun":
        colour = mix(colour, TINTS[scene.colour], 0.14 if scene.time == "sunset" else 0.04)
    light = Light(
        horizon=horizon,
        sky=low,
        zenith=middle,
        ambient=mix(np.ones(3, np.float32), low / max(float(low.max()), 0.2), 0.55) * DARKNESS[scene.time],
        brightness=DARKNESS[scene.time],
        source=(x, y, colour) if scene.light != "none" else None,
    )
    if scene.stars:
        _stars(canvas, horizon, random)
    if scene.time == "aurora":
        _aurora(canvas, scene.colour, horizon, random)
    if scene.clouds:
        _clouds(canvas, scene.time, light, random)
    if scene.light != "none":
        strength = {"sunset": 0.36, "dawn": 0.24, "day": 0.34}.get(scene.time, 0.3)
        if scene.style == "flat":
            for ring in (3.4, 2.5, 1.7):
                canvas.disc(x, y, radius * ring, mix(low, colour, 0.75 - 0.15 * ring))
        else:
            canvas.glow(x, y, radius * (3.0 if low_sun else 2.2), colour * colour, strength)
        np.clip(canvas.pixels, 0, 1, out=canvas.pixels)
        bite = 0.55 if scene.crescent else 0.0
        # paler than its own glow, so that it stands out even in a golden sky
        canvas.disc(x, y, radius, mix(colour, WHITE, 0.65), bite=bite)
    return light


def _stars(canvas: Canvas, horizon: float, random: Random) -> None:
    count = int(random.integers(130, 210))
    x, y = random.uniform(0, WIDEST_SKY, count), horizon * random.uniform(0, 1, count) ** 1.2
    canvas.specks(x, y, random.uniform(0.5, 1.3, count) ** 1.5, rgb(240, 244, 255))


WIDEST_SKY = 4.0  # picture heights


def _aurora(canvas: Canvas, named: str | None, horizon: float, random: Random) -> None:
    """Curtains: bright along a wandering foot, fading upwards in rays, and into a second colour if none is named."""
    colour, fade = TINTS[named or "green"], 0.15 if named else 0.6
    second = TINTS[str(random.choice(("green", "teal", "purple", "pink")))]
    for place in range(3):
        wander = Noise1(random, frequency=0.9, octaves=3)
        rays = Noise1(random, frequency=9, octaves=3)
        foot = horizon * (0.38 + 0.2 * place) + 0.17 * wander(canvas.x, round_off=True)
        above = (foot[None, :] - canvas.y[:, None]) / (0.34 + 0.06 * place)
        curtain = np.where(above > 0, np.exp(-3.0 * above), np.exp(22 * above))
        curtain = curtain * (0.62 + 0.38 * rays(canvas.x, round_off=True))[None, :]
        shade = mix(colour, second, np.clip(above * 0.75 - 0.1, 0, fade)[..., None])
        canvas.pixels += (np.clip(curtain, 0, 1) * (0.8 - 0.12 * place))[..., None] * shade
    np.clip(canvas.pixels, 0, 1, out=canvas.pixels)


def _clouds(canvas: Canvas, time: str, light: Light, random: Random) -> None:
    texture = Noise2(random, frequency=3.2, octaves=4, stretch=2.6)(canvas.x, canvas.y)
    if time == "storm":
        fold = Noise2(random, frequency=2.2, octaves=4, stretch=2.2)(canvas.x, canvas.y)
        height = smooth(1.25 - canvas.y / light.horizon)[:, None]
        canvas.blend(mix(light.zenith * 0.45, light.sky * 1.05, smooth(0.5 + 0.7 * fold)[..., None]), 0.9 * height)
        if random.random() < 0.4:
            _lightning(canvas, light.horizon, random)
        return
    thin = float(random.uniform(0.0, 0.3))
    weight = smooth((texture - thin) * 2.4) * smooth(1.3 - canvas.y / light.horizon)[:, None]
    colour = mix(light.sky, WHITE, 0.6) if time != "night" else mix(light.zenith, rgb(120, 128, 160), 0.35)
    shade = mix(colour, mix(light.zenith, light.sky, 0.5), smooth(texture * 1.3 - 0.5)[..., None] * 0.6)
    canvas.blend(shade, 0.85 * weight)


def _lightning(canvas: Canvas, horizon: float, random: Random) -> None:
    x = float(canvas.aspect * random.uniform(0.25, 0.75))
    path = x + 0.07 * Noise1(random, frequency=7, octaves=3)(canvas.y)
    away = np.abs(canvas.x[None, :] - path[:, None])
    shown = ((canvas.y > 0.08) & (canvas.y < horizon))[:, None]
    canvas.pixels += (np.exp(-away / 0.05) * 0.25 * shown)[..., None] * rgb(200, 210, 255)
    canvas.blend(rgb(250, 250, 255), np.clip((0.006 - away) * canvas.height + 0.5, 0, 1) * shown)
    np.clip(canvas.pixels, 0, 1, out=canvas.pixels)


def _birds(canvas: Canvas, light: Light, random: Random) -> None:
    centre_x, centre_y = canvas.aspect * random.uniform(0.25, 0.75), random.uniform(0.15, 0.34)
    for _ in range(int(random.integers(3, 8))):
        size = float(random.uniform(0.028, 0.045))
        x, y = centre_x + random.normal(0, 0.15), centre_y + random.normal(0, 0.06)
        rows, columns, dx, dy = canvas.patch(float(x), float(y), size * 1.2, size)
        wing = np.abs(dx) / size
        arch = -0.75 * size * np.sin(np.clip(wing, 0, 1) * 2.5) * 0.6
        weight = (size * 0.17 - np.abs(dy - arch)) * canvas.height + 0.5
        canvas.stamp((rows, columns), light.ambient * 0.12, np.where(wing < 1, weight, 0))


def _finish(canvas: Canvas, style: str, random: Random) -> None:
    if style == "noir":
        grey = canvas.pixels @ np.array((0.36, 0.5, 0.14), np.float32)
        low, high = np.quantile(grey[::4, ::4], (0.02, 0.98))
        grey = smooth((grey - low) / max(float(high - low), 0.2))
        distance = np.hypot(canvas.x[None, :] / canvas.aspect - 0.5, canvas.y[:, None] - 0.5)
        canvas.pixels = np.repeat((grey * (1.08 - 0.7 * distance**2))[..., None], 3, axis=2).astype(np.float32)
    elif style == "watercolour":
        pigment = Noise2(random, frequency=5, octaves=4, stretch=1)(canvas.x, canvas.y)
        edge = Noise2(random, frequency=7, octaves=3, stretch=1)(canvas.x, canvas.y)
        canvas.pixels = mix(canvas.pixels, WHITE, np.clip(0.2 + 0.2 * pigment, 0, 0.6)[..., None])
        rim = np.minimum(
            np.minimum(canvas.x, canvas.aspect - canvas.x)[None, :], np.minimum(canvas.y, 1 - canvas.y)[:, None]
        )
        paper = 1 - smooth((rim - 0.035 - 0.03 * edge) * 40)
        canvas.blend(rgb(250, 247, 240), paper)
