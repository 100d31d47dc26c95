"""How much of the generator's speed is left when everything else is done with its pictures, and how much memory.

    .venv/bin/python -m benchmarks.overlap [--shares 0.7] [--pictures 256] [--memory 2000] [--repeat 3]
    .venv/bin/python -m benchmarks.overlap --renditions webp,avif [--seconds 0.36] [--pictures 256] [--repeat 3]

Runs the job `publish_prompts` in this process on the real PostgreSQL and the real S3 server, with a generator that
takes a fixed time for each batch of pictures, as a GPU does, and gives photo-like pictures of full size. That time
is set so that encoding and uploading one picture, measured here one after the other, costs a share of it.

Ratio: the pictures per second of the step `generated_images`, from asking for the first to having stored the last,
÷ those of the same generator with nobody doing anything with its pictures. The whole job's (start of the run, claim,
catalogue, posts, checks) is printed beside it. Memory: this process's resident set after 100 and after `--memory`
pictures of one run with the generator twice as fast, so that it is ahead of the store and has to be held back.

With `--renditions` (GLAD_RENDITIONS) these are made as well, of pictures that cost an encoder what photographs do
(benchmarks/photos.py), and the generator takes `--seconds` a picture: 0.36 is the least that an H200's arithmetic needs
for 20 steps of SDXL. Memory is not watched then.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import psutil
from PIL import Image

from benchmarks import job, photos, report
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.media.encoding import Pixels
from glad_pipeline.pipeline.upload import upload
from glad_pipeline.records import Prompt
from glad_pipeline.storage.protocol import ObjectStore

GOAL = 0.97
GOAL_WITH_RENDITIONS = 0.95
GOAL_MEMORY = 0.10
EARLY = 100  # pictures after which memory has to have found its level


@dataclass
class Seen:
    """What the generator saw of its last run. Not in the resource: a run works with a copy of that."""

    resident: list[int] = field(default_factory=list)  # bytes of this process as each picture is given
    idle: float = 0.0  # seconds between the first picture and the last in which none was drawn


seen = Seen()


class PacedSdxl(SdxlResource):
    """A GPU of fixed speed: `batch` pictures at once, `seconds_each` for each of them."""

    model: str = "demo"
    seconds_each: float
    batch: int = 4
    detailed: bool = False  # pictures of `photos`, which cost an encoder more

    def generate(
        self, recipes: Iterable[Recipe], *, on_batch_start: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        process = psutil.Process()
        waiting = list(recipes)
        seen.resident.clear()
        seen.idle = 0.0
        ended = time.perf_counter()
        for start in range(0, len(waiting), self.batch):
            batch = waiting[start : start + self.batch]
            on_batch_start(batch)
            began = time.perf_counter()
            seen.idle += began - ended
            until = began + self.seconds_each * len(batch)
            pictures = [photo(recipe.width, recipe.seed, detailed=self.detailed) for recipe in batch]
            time.sleep(max(0.0, until - time.perf_counter()))
            ended = until
            for recipe, pixels in zip(batch, pictures, strict=True):
                seen.resident.append(process.memory_info().rss)
                yield Drawn(recipe=recipe, pixels=pixels, seconds=self.seconds_each, provenance={"device": "none"})

    def rate(self, recipes: Iterable[Recipe]) -> float:
        """Pictures per second of the generator alone."""
        started = time.perf_counter()
        count = sum(1 for _ in self.generate(recipes))
        return count / (time.perf_counter() - started)


def photo(side: int, seed: int, *, detailed: bool = False) -> Pixels:
    """A picture that compresses like a photograph (soft shapes, fine grain), another one for each seed."""
    scene = _detailed if detailed else _scene
    return np.roll(scene(side, seed % 4), (seed * 37 % side, seed * 101 % side), axis=(0, 1))


@cache
def _detailed(side: int, seed: int) -> Pixels:
    return photos.photo(seed, side, side)


@cache
def _scene(side: int, seed: int) -> Pixels:
    random = np.random.default_rng(seed)
    scene = random.normal(0.0, 2.5, (side, side, 3)).astype(np.float32) + 128
    for cells, weight in ((4, 40.0), (16, 20.0), (64, 10.0)):
        shapes = Image.fromarray(random.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        scene += weight * (np.asarray(shapes.resize((side, side), Image.Resampling.BICUBIC), np.float32) / 128 - 1)
    return scene.clip(0, 255).astype(np.uint8)


def work_seconds(store: ObjectStore, recipes: Sequence[Recipe]) -> tuple[float, int]:
    """Median seconds for encoding and uploading one picture with nothing beside it, and its size in bytes."""
    seconds, size, keys = [], 0, []
    for recipe in recipes:
        drawn = Drawn(recipe=recipe, pixels=photo(recipe.width, recipe.seed), provenance={"device": "none"})
        started = time.perf_counter()
        done = upload(store, "benchmark", drawn)
        seconds.append(time.perf_counter() - started)
        keys.append(done.key)
        size = done.bytes
    store.delete(keys)
    return statistics.median(seconds[2:]), size  # the first ones connect


def some_recipes(sdxl: SdxlResource, count: int) -> list[Recipe]:
    """Recipes that nobody has drawn before."""
    text = f"a hill at {time.time_ns()}"
    return [sdxl.recipe(Prompt(id=0, prompt=text, seed=seed)) for seed in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.7], help="(encode + upload) ÷ generator")
    parser.add_argument("--pictures", type=int, default=256, help="of one run: GLAD_BATCH_SIZE's default")
    parser.add_argument("--side", type=int, default=1_024)
    parser.add_argument("--batch", type=int, default=4, help="drawn at once")
    parser.add_argument("--repeat", type=int, default=3, help="0: memory only")
    parser.add_argument(
        "--memory", type=int, default=2_000, help="pictures of the run that memory is watched in; 0: none"
    )
    parser.add_argument("--renditions", help="GLAD_RENDITIONS; absent: none are made")
    parser.add_argument("--seconds", type=float, default=0.36, help="a picture of the generator, with --renditions")
    args = parser.parse_args()
    if args.renditions:
        with_renditions(args)
    else:
        without_renditions(args)


def with_renditions(args: argparse.Namespace) -> None:
    for seed in range(4):
        photo(args.side, seed, detailed=True)  # the scenes
    with job.own_world(renditions=args.renditions):
        warm_up(args)
        found = watch_speed(paced(args, args.seconds), args.pictures, args.repeat)
    figures = {"renditions": args.renditions, "pictures": args.pictures, "side": args.side, **found}
    report.write("overlap_renditions", {**figures, "goal": GOAL_WITH_RENDITIONS})
    print(
        f"overlap: {found['ratio']:.3f} of the generator's pictures per second at {args.seconds} s a picture with the "
        f"renditions {args.renditions} (goal ≥ {GOAL_WITH_RENDITIONS}); the whole job {found['whole_job_ratio']:.3f}"
    )


def paced(args: argparse.Namespace, seconds_each: float) -> PacedSdxl:
    return PacedSdxl(
        seconds_each=seconds_each,
        batch=args.batch,
        width=args.side,
        height=args.side,
        detailed=bool(args.renditions),
    )


def warm_up(args: argparse.Namespace) -> None:
    """Imports and first connections are the process's, not the run's."""
    job.add_hills(args.batch)
    job.run(paced(args, 0), claim=args.batch)


def without_renditions(args: argparse.Namespace) -> None:
    """The ratio, and the memory, where originals and thumbnails are all that is made."""
    with job.own_world() as store:
        work, size = work_seconds(store, some_recipes(paced(args, 0), 12))
        print(f"encode + upload of one {args.side} × {args.side} picture ({size / 1e6:.2f} MB): {work * 1e3:.1f} ms")
        warm_up(args)
        if args.repeat:
            shares = {
                str(share): watch_speed(paced(args, work / share), args.pictures, args.repeat) for share in args.shares
            }
            figures = {"pictures": args.pictures, "side": args.side, "bucket": args.batch, "bytes": size, "goal": GOAL}
            figures |= {"encode_and_upload_seconds": round(work, 4), "shares": shares}
            report.write("overlap", report.read("overlap") | figures)
        if args.memory:
            memory = watch_memory(paced(args, work / max(args.shares) / 2), args.memory)
            report.write("overlap", report.read("overlap") | {"memory": memory})
            print(
                f"memory: {memory['early_mib']} MiB after {EARLY} pictures, {memory['late_mib']} MiB after "
                f"{args.memory:,} ({memory['change']:+.1%}, goal within ± {GOAL_MEMORY:.0%})"
            )
    for share, found in report.read("overlap").get("shares", {}).items():
        print(
            f"overlap: {found['ratio']:.3f} of the generator's pictures per second with encode + upload costing "
            f"{float(share):.0%} of its time (goal ≥ {GOAL}); the whole job {found['whole_job_ratio']:.3f}"
        )


def watch_speed(sdxl: PacedSdxl, pictures: int, repeat: int) -> dict[str, Any]:
    """Generator alone and whole job in turn; the medians of their ratios."""
    runs = []
    for _ in range(repeat):
        alone = sdxl.rate(some_recipes(sdxl, max(sdxl.batch, pictures // 4)))
        job.add_hills(pictures)
        cpu = time.process_time()
        ran = job.run(sdxl, claim=pictures)
        runs.append(
            {
                "cpu_seconds_a_picture": round((time.process_time() - cpu) / pictures, 4),  # without the servers
                "alone": round(alone, 4),
                "end_to_end": round(pictures / ran.told["seconds"], 4),
                "ratio": round(pictures / ran.told["seconds"] / alone, 4),
                "generator_busy": round(1 - seen.idle / (seen.idle + pictures * sdxl.seconds_each), 4),
                "whole_job_ratio": round(pictures / ran.seconds / alone, 4),
                "job_seconds": round(ran.seconds, 2),
            }
        )
        print(f"{sdxl.seconds_each:.3f} s a picture: {runs[-1]}", flush=True)
    measured = ("ratio", "generator_busy", "whole_job_ratio")
    middle = {name: statistics.median(run[name] for run in runs) for name in measured}
    return {"seconds_each": round(sdxl.seconds_each, 4), **middle, "runs": runs}


def watch_memory(sdxl: PacedSdxl, pictures: int) -> dict[str, float]:
    """The resident set in one run: around picture 100 and over the last ones, in MiB, and the highest."""
    job.add_hills(pictures)
    ran = job.run(sdxl, claim=pictures)
    resident = [each / 2**20 for each in seen.resident]
    early = statistics.median(resident[EARLY - 20 : EARLY + 20])
    late = statistics.median(resident[-40:])
    marks = sorted({0, EARLY, *range(0, pictures, max(1, pictures // 20)), pictures})
    return {
        "pictures": pictures,
        "ratio": round(pictures / ran.told["seconds"] * sdxl.seconds_each, 4),
        "early_mib": round(early, 1),
        "late_mib": round(late, 1),
        "highest_mib": round(max(resident), 1),
        "change": round(late / early - 1, 4),
        "medians_mib": [round(statistics.median(resident[a:b]), 1) for a, b in pairwise(marks) if a < b],
    }


if __name__ == "__main__":
    main()
