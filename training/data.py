"""Pictures with captions in any number, each decided by (seed, split, place) alone, drawn by several processes.

No torch here: the worker processes start fast.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.captions import caption
from training.scenes import Scene, render, sample

SPLITS = {"vae": 0, "denoiser": 1, "classifier": 2, "held-out": 3}  # no scene is in two of them
Shape = tuple[int, int]  # height, width in pixels


@dataclass(frozen=True, slots=True)
class Example:
    """A picture, its caption and its labels."""

    pixels: NDArray[np.uint8]
    caption: str
    scene: Scene


def example(seed: int, split: str, place: int, shape: Shape) -> Example:
    """The picture number `place` of a split: always the same."""
    random = np.random.default_rng((seed, SPLITS[split], place))
    scene = sample(random)
    text = caption(scene, random)
    return Example(render(scene, shape[1], shape[0]), text, scene)


def examples(seed: int, split: str, count: int, shape: Shape, *, first: int = 0, workers: int = 1) -> Iterator[Example]:
    """`count` pictures in order, from number `first` on."""
    jobs = ((seed, split, first + place, shape) for place in range(count))
    if workers < 2:
        yield from (example(*job) for job in jobs)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_example, jobs, chunksize=16)


def _example(job: tuple[int, str, int, Shape]) -> Example:
    return example(*job)
