"""Photo-like pictures, made by rule, and how alike two pictures are: for what compresses pictures.

A picture is of dead leaves: discs of all sizes that cover one another, the sizes distributed as those of things in
photographs are, which gives their edges and their spectrum. Each has its own colour, light and texture (1/f noise);
a part of the picture is out of focus, and a sensor's grain of half a grey level is on it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from glad_pipeline.media.encoding import Pixels

Plane = npt.NDArray[np.float64]
LEAVES = 4_000
SHARPNESS = 7  # pixels: the side of the squares that `ssim` compares


def photo(seed: int, width: int = 1_024, height: int = 1_024) -> Pixels:
    """Another picture for each seed, the same for the same one; its PNG has about 1.8 bytes a pixel."""
    random = np.random.default_rng(seed)
    sharp = _leaves(random, width, height)
    soft = sharp.filter(ImageFilter.GaussianBlur(width / 150))
    depth = _noise(random, width, height, 2.5)
    focus = Image.fromarray((255 * np.clip(depth + 0.8, 0, 1)).astype(np.uint8))
    scene = np.asarray(Image.composite(sharp, soft, focus), np.float64)
    light = 1 + 0.25 * _noise(random, width, height, 2.2)
    texture = 5.0 * _noise(random, width, height, 1.2) * np.clip(depth + 0.8, 0.1, 1)
    grain = random.normal(0, 0.5, scene.shape)
    return (scene * light[..., None] + texture[..., None] + grain).clip(0, 255).round().astype(np.uint8)


def _leaves(random: np.random.Generator, width: int, height: int) -> Image.Image:
    """Drawn at twice the size, so that edges are as soft as a lens makes them."""
    image = Image.new("RGB", (2 * width, 2 * height))
    draw = ImageDraw.Draw(image)
    hue = random.uniform(0, 255, 3)
    smallest, largest = 6.0, 0.5 * max(width, height)
    radii = 1 / np.sqrt(random.uniform(1 / largest**2, 1 / smallest**2, LEAVES))  # density r^-3: any scale looks alike
    for radius in np.concatenate([[4 * largest], radii]):
        x, y = random.uniform(0, 2 * width), random.uniform(0, 2 * height)
        colour = (0.5 * hue + 0.5 * random.uniform(0, 255, 3)).astype(int)
        draw.ellipse((x - 2 * radius, y - 1.4 * radius, x + 2 * radius, y + 1.4 * radius), fill=tuple(map(int, colour)))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _noise(random: np.random.Generator, width: int, height: int, slope: float) -> Plane:
    """1/f^slope noise, mean 0, standard deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    plane = np.fft.irfft2(frequency**-slope * np.exp(2j * np.pi * random.random(frequency.shape)), s=(height, width))
    return np.asarray(plane / plane.std())


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Structural similarity of two pictures of one size, by their luma: 1 is equal (Wang and others, 2004).

    The mean over all squares of 7 × 7 pixels, sample variances: scikit-image's `structural_similarity` as it comes.
    """
    a, b = (np.asarray(image.convert("L"), np.float64) for image in (one, other))
    count = SHARPNESS**2
    mean_a, mean_b = _mean(a), _mean(b)
    sample = count / (count - 1)
    var_a, var_b = sample * (_mean(a * a) - mean_a**2), sample * (_mean(b * b) - mean_b**2)
    covariance = sample * (_mean(a * b) - mean_a * mean_b)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    alike = (2 * mean_a * mean_b + c1) * (2 * covariance + c2)
    return float((alike / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _mean(plane: Plane) -> Plane:
    """The means of all whole squares."""
    sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    side = SHARPNESS
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2
