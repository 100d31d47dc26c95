"""The whole pipeline against what one writes first: a plain diffusers loop, and a handler that does one prompt a time.

    .venv/bin/python -m benchmarks.naive [--pictures 48] [--batch 4] [--repeat 3]

The same demo model, prompts, seeds, size, steps and guidance, on the CPU, against the same S3 server and PostgreSQL:

- loop: `StableDiffusionXLPipeline` from its checkpoint, batched alike; after each batch every picture is saved as PNG
  and put into the bucket. No rows, no posts, nothing to go on with after a crash.
- handler: the same pipeline kept in memory, one prompt at a time and blocking: draw, `image.save` to a temporary file,
  `upload_file`, INSERT.
- pipeline: the job `publish_prompts` in this process, from rows in `prompts` to published posts, checks included.

Each is timed as wall seconds per picture from an unloaded model to the last picture (imports are the process's and are
warm), all of them in turn, `--repeat` times; ratios are taken within a turn, and their medians printed. The product
draws the demo model with one torch thread; loop and handler get the better of one and two, found by a trial before.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import torch
from diffusers import StableDiffusionXLPipeline
from diffusers.utils import logging

from benchmarks import job, report
from glad_pipeline.database import connect
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.protocol import ObjectStore

GOAL = 1.0
PREFIX = "generated/benchmark"
EXAMPLES = Path(__file__).parents[1] / "examples" / "prompts.csv"


@dataclass(frozen=True, kw_only=True)
class Work:
    """What all of them draw."""

    prompts: Sequence[str]
    seeds: Sequence[int]
    batch: int
    store: ObjectStore

    @property
    def keys(self) -> list[str]:
        return [f"{PREFIX}-{seed}.png" for seed in self.seeds]


def loop(work: Work) -> None:
    pipeline, values = _plain()
    client = _client()
    for start in range(0, len(work.seeds), work.batch):
        these = slice(start, start + work.batch)
        images = pipeline(
            list(work.prompts[these]),
            generator=[torch.Generator().manual_seed(seed) for seed in work.seeds[these]],
            **values,
        ).images
        for image, key in zip(images, work.keys[these], strict=True):
            png = io.BytesIO()
            image.save(png, "PNG")
            client.put_object(Bucket=work.store.bucket, Key=key, Body=png.getvalue(), ContentType="image/png")


def handler(work: Work) -> None:
    pipeline, values = _plain()
    client = _client()
    with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TEMPORARY TABLE handled (title text, featured_image_url text)")
        for prompt, seed, key in zip(work.prompts, work.seeds, work.keys, strict=True):
            image = pipeline(prompt, generator=torch.Generator().manual_seed(seed), **values).images[0]
            with tempfile.NamedTemporaryFile(suffix=".png") as file:
                image.save(file.name)
                client.upload_file(file.name, work.store.bucket, key, ExtraArgs={"ContentType": "image/png"})
            connection.execute("INSERT INTO handled VALUES (%s, %s)", [prompt, work.store.url(key)])


def whole_pipeline(work: Work) -> None:
    job.add(work.prompts, work.seeds)
    job.run(SdxlResource(backend="process", gpu_batch=work.batch), claim=len(work.seeds))


def _plain() -> tuple[Any, dict[str, Any]]:
    pipeline = StableDiffusionXLPipeline.from_pretrained(DEMO_CHECKPOINT)
    pipeline.set_progress_bar_config(disable=True)
    demo = resolve_model(EngineOptions())
    return pipeline, {
        "width": demo.width,
        "height": demo.height,
        "num_inference_steps": demo.num_inference_steps,
        "guidance_scale": demo.guidance_scale,
    }


def _client() -> Any:
    """As boto3 comes, for the store that the settings name."""
    settings = load_settings()
    secret = settings.s3_secret_access_key
    return boto3.client(
        "s3",
        region_name=settings.s3_region,
        endpoint_url=settings.s3_endpoint_url,
        aws_access_key_id=settings.s3_access_key_id,
        aws_secret_access_key=secret.get_secret_value() if secret else None,
    )


def seconds_each(way: Callable[[Work], None], work: Work, threads: int = 1) -> float:
    torch.set_num_threads(threads)
    started = time.perf_counter()
    way(work)
    seconds = (time.perf_counter() - started) / len(work.seeds)
    work.store.delete(work.keys)
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=48)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    logging.set_verbosity_error()
    with EXAMPLES.open(encoding="utf-8") as file:
        texts = [row["prompt"] for row in csv.DictReader(file)]

    with job.own_world() as store:

        def some_work(pictures: int, turn: int) -> Work:
            first = time.time_ns() % 2**31 + turn * pictures  # never drawn before: nothing is found in the bucket
            prompts = [texts[place % len(texts)] for place in range(pictures)]
            return Work(prompts=prompts, seeds=range(first, first + pictures), batch=args.batch, store=store)

        whole_pipeline(some_work(args.batch, 0))  # imports and first connections
        threads = {}
        for way in (loop, handler):
            seconds_each(way, some_work(args.batch, 0))
            trial = {n: seconds_each(way, some_work(args.batch, 0), n) for n in (1, 2)}
            threads[way.__name__] = min(trial, key=trial.__getitem__)
            print(f"{way.__name__}: {', '.join(f'{s:.3f} s with {n} thread(s)' for n, s in trial.items())}")
        turns = []
        for turn in range(args.repeat):
            work = some_work(args.pictures, turn)
            turns.append(
                {
                    "loop": round(seconds_each(loop, work, threads["loop"]), 4),
                    "pipeline": round(seconds_each(whole_pipeline, work), 4),
                    "handler": round(seconds_each(handler, work, threads["handler"]), 4),
                }
            )
            print({name: f"{seconds:.3f} s" for name, seconds in turns[-1].items()}, flush=True)

    ratios = {
        name: round(statistics.median(turn[name] / turn["pipeline"] for turn in turns), 3)
        for name in ("handler", "loop")
    }
    middle = {name: statistics.median(turn[name] for turn in turns) for name in ("loop", "handler", "pipeline")}
    report.write(
        "naive",
        {
            "pictures": args.pictures,
            "batch": args.batch,
            "threads": {**threads, "pipeline": 1},
            "seconds_per_picture": middle,
            "times_as_fast_as": ratios,
            "goal_loop": GOAL,
            "turns": turns,
        },
    )
    print(f"naive: the whole pipeline is {ratios['handler']:.2f} × as fast as the one-at-a-time handler")
    print(f"naive: the whole pipeline is {ratios['loop']:.2f} × as fast as the plain loop (goal ≥ {GOAL:g})")


if __name__ == "__main__":
    main()
