"""How soon pictures are posts: while a run draws on, and, in its place, by short runs that follow one another.

    .venv/bin/python -m benchmarks.first_post [--prompts 256] [--seconds 0.4] [--batch 8] [--many 1024] [--slice 64]

Runs the job `publish_prompts` in this process on the real PostgreSQL and the real S3 server, in a database and under
keys of its own. First one run with a generator that takes `--seconds` a picture, in batches: from the moment at which
the first batch begins to the first post, and from each picture drawn to its post. Then `--many` pictures that take no
time, in one run and in runs of `--slice`: what a run of its own for every slice costs. Prints the figures last and
writes them to `benchmarks/results/first_post.json`.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median, quantiles

from benchmarks import job, report
from glad_pipeline.database import connect
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.generation.batches import Recipes, backlog_of
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.testing import InstantSdxl

GOAL = 5.0  # seconds after the first batch


@dataclass
class Seen:
    """When the generator did what, by the wall clock. Not in the resource: a run works with a copy of that."""

    began: float = 0.0
    drawn: dict[int, float] = field(default_factory=dict)  # by seed


seen = Seen()


class BatchedSdxl(SdxlResource):
    """Gives a batch of pictures at once, as a GPU does."""

    model: str = "demo"
    seconds_each: float
    batch: int

    def generate(
        self, recipes: Recipes, *, on_batch_start: Callable[[Sequence[Recipe]], None] = lambda recipes: None
    ) -> Iterator[Drawn]:
        import numpy as np

        backlog = backlog_of(recipes)
        while batch := backlog.take(lambda recipe: self.batch):
            on_batch_start(batch)
            seen.began = seen.began or time.time()
            time.sleep(self.seconds_each * self.batch)
            seen.drawn.update(dict.fromkeys([recipe.seed for recipe in batch], time.time()))
            for recipe in batch:
                pixels = np.random.default_rng(recipe.seed).integers(0, 256, (256, 256, 3), dtype=np.uint8)
                yield Drawn(recipe=recipe, pixels=pixels, seconds=self.seconds_each, provenance={"device": "none"})


def first_posts(prompts: int, seconds: float, batch: int) -> dict[str, float]:
    """One run: seconds from its first batch to the first post, and from each picture to its own."""
    job.add_hills(prompts)
    job.run(BatchedSdxl(seconds_each=seconds, batch=batch), claim=prompts)
    with connect(os.environ["DATABASE_URL"]) as connection:
        found = connection.execute("SELECT seed, extract(epoch FROM published_at)::float AS at FROM prompts").fetchall()
    posted = {row["seed"]: row["at"] for row in found}
    waited = sorted(posted[seed] - drawn for seed, drawn in seen.drawn.items())
    return {
        "first_post": round(min(posted.values()) - seen.began, 2),
        "picture_to_post_median": round(median(waited), 2),
        "picture_to_post_p95": round(quantiles(waited, n=20)[-1], 2),
        "picture_to_post_most": round(waited[-1], 2),
    }


def of_many(prompts: int, slice_: int) -> float:
    """Milliseconds a prompt in runs of so many."""
    job.add_hills(prompts)
    started = time.perf_counter()
    for _ in range(0, prompts, slice_):
        job.run(InstantSdxl(), claim=slice_, left=True)
    return (time.perf_counter() - started) / prompts * 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=0.4, help="a picture takes")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--many", type=int, default=1_024)
    parser.add_argument("--slice", type=int, default=64)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    with job.own_world():
        job.add_hills(8)
        job.run(InstantSdxl(), claim=8)  # imports and first connections are the process's
        runs = [(of_many(args.many, args.many), of_many(args.many, args.slice)) for _ in range(args.repeat)]
        with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("TRUNCATE prompts RESTART IDENTITY CASCADE")
        posts = first_posts(args.prompts, args.seconds, args.batch)
    one, short = median(one for one, _ in runs), median(short for _, short in runs)
    figures = {**vars(args), **posts, "ms_in_one_run": round(one, 2), "ms_in_short_runs": round(short, 2)}
    report.write("first_post", figures)
    print(f"in one run: {one:.2f} ms a prompt at {args.many:,}; in runs of {args.slice}: {short:.2f}")
    print(f"picture to post: {posts['picture_to_post_median']} s, 95 % within {posts['picture_to_post_p95']} s")
    print(
        f"first post {posts['first_post']} s after the first batch of {args.seconds * args.batch:.1f} s began "
        f"(goal ≤ that + {GOAL:g})"
    )


if __name__ == "__main__":
    main()
