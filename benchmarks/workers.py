"""Warm workers: do pictures per second grow with their number, and how soon is a row a post with and without them?

    .venv/bin/python -m benchmarks.workers [--turns 3] [--batches 12] [--rows 10] [--rounds 2]

Scaling: a GPU of fixed speed, 1 s for a batch of 4, in 1, 2 and 8 workers with a tenth of a core each, on a Ray of its
own: pictures per second through `RemoteEngine.generate`, all workers warm, the sizes in turn.

A row to its post: `glad up` on servers of its own, with the demo model and every setting's default. A row is inserted
by SQL at a random moment at which no run is under way; the clock runs from its commit until its post is published.
Rounds without and with `glad workers up` in turn. Where the seconds go is read from the events of Dagster's run.

Prints the figures last and writes them to `benchmarks/results/workers.json`. Everything is in temporary directories,
and ended and removed again.
"""

from __future__ import annotations

import argparse
import random
import signal
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks import report
from benchmarks.site import PATIENCE, Site, own_site
from glad_pipeline.database import Connection
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.workers.cluster import Cluster
from glad_pipeline.workers.pool import Pool
from glad_pipeline.workers.remote import RemoteEngine
from glad_pipeline_tests.engines import TIMED

SIZES = (1, 2, 8)
GOALS = {2: 1.9, 8: 7.0}  # × one worker
BATCH, BATCH_SECONDS = 4, 1.0
DEMO = resolve_model(EngineOptions())

GOAL_SECONDS = 10.0
LOOK_EVERY = 0.02  # seconds: how exactly a post's moment is known
MARKS = {  # events of a run that end a stage: its name, the event, the step
    "sensor": ("PIPELINE_ENQUEUED", None),
    "queue": ("PIPELINE_STARTING", None),
    "process and imports": ("PIPELINE_START", None),
    "prompts": ("STEP_SUCCESS", "prompts"),
    "generated_images": ("STEP_SUCCESS", "generated_images"),
    "s3_objects": ("STEP_SUCCESS", "s3_objects"),
}
PUBLISHED = "published_posts"  # the last stage, which the post itself ends


# scaling


def recipes(count: int) -> list[Recipe]:
    """Recipes that TIMED takes BATCH_SECONDS a batch for."""
    return [
        Recipe(
            prompt=f"a hill for {BATCH_SECONDS} s",
            seed=seed,
            width=64,
            height=64,
            num_inference_steps=1,
            guidance_scale=3.0,
            scheduler="euler",
            model=DEMO.name,
            model_revision=DEMO.revision,
        )
        for seed in range(count)
    ]


def draw(pool: Pool, count: int) -> tuple[float, Counter[int]]:
    """Pictures per second over `count` of them, and how many each worker has drawn."""
    engine = RemoteEngine(DEMO, pool)
    by_worker: Counter[int] = Counter()
    began = time.perf_counter()
    for drawn in engine.generate(recipes(count)):
        assert drawn.pixels is not None, drawn.error
        by_worker[drawn.provenance["pid"]] += 1
    seconds = time.perf_counter() - began
    assert by_worker.total() == count
    return count / seconds, by_worker


def watch_scaling(turns: int, batches: int) -> dict[str, Any]:
    """Each size `turns` times, in turn, with so many batches for each worker."""
    with tempfile.TemporaryDirectory(prefix="glad-workers-") as home:

        def options(workers: int) -> EngineOptions:
            small = {"workers": workers, "worker_gpus": 0, "worker_cpus": 0.1}
            return EngineOptions(home=home, engine=TIMED, gpu_batch=BATCH, device="cpu", **small)  # type: ignore[arg-type]

        pools = {size: Pool(options(size)) for size in SIZES}
        rates: dict[int, list[float]] = {size: [] for size in SIZES}
        cluster = Cluster(options(max(SIZES)))
        try:
            cluster.start(cpus=max(SIZES) * 0.1)
            for _ in range(10):  # until the last one has come up
                if len(draw(pools[max(SIZES)], 2 * BATCH * max(SIZES))[1]) == max(SIZES):
                    break
            for _ in range(turns):
                for size in SIZES:
                    rate, by_worker = draw(pools[size], size * batches * BATCH)
                    assert len(by_worker) == size, f"{len(by_worker)} of {size} workers drew"
                    rates[size].append(round(rate, 3))
                    shares = sorted(by_worker.values())
                    print(f"{size} workers: {rate:.2f} pictures/s, each {shares[0]} to {shares[-1]}", flush=True)
        finally:
            cluster.disconnect()
            cluster.stop()
    medians = {size: statistics.median(some) for size, some in rates.items()}
    return {
        "bucket": BATCH,
        "bucket_seconds": BATCH_SECONDS,
        "buckets_a_worker": batches,
        "pictures_per_second": medians,
        "ratios": {size: round(medians[size] / medians[1], 3) for size in GOALS},
        "goals": GOALS,
        "turns": rates,
    }


# a row to its post


def post(rows: Connection, runs: Connection, number: int) -> dict[str, float]:
    """Seconds from the commit of a row to its published post, and of each stage on the way; waits for the run's end."""
    title = f"Row {number} of {time.time_ns()}"
    rows.execute("INSERT INTO prompts (prompt, title) VALUES ('a bay at night', %s)", [title])
    began = time.time()
    published = "SELECT 1 FROM posts WHERE title = %s AND status = 'published'"
    while not rows.execute(published, [title]).fetchone():
        assert time.time() - began < PATIENCE, f"{title} is not published after {PATIENCE:.0f} s"
        time.sleep(LOOK_EVERY)
    ended = time.time()
    while runs.execute("SELECT 1 FROM runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')").fetchone():
        time.sleep(LOOK_EVERY)
    return {"seconds": ended - began, **stages(runs, began, ended)}


def stages(runs: Connection, began: float, ended: float) -> dict[str, float]:
    """Seconds of each stage between the two moments, by the events of the first run asked for since."""
    events = runs.execute(
        "SELECT dagster_event_type AS event, step_key AS step, extract(epoch FROM timestamp AT TIME ZONE 'UTC') AS at"
        " FROM event_logs WHERE run_id = (SELECT run_id FROM runs WHERE pipeline_name = 'publish_prompts'"
        " AND create_timestamp >= to_timestamp(%s) AT TIME ZONE 'UTC' ORDER BY id LIMIT 1)",
        [began],
    ).fetchall()
    found, since = {}, began
    for name, (event, step) in MARKS.items():
        [at] = [float(row["at"]) for row in events if (row["event"], row["step"]) == (event, step)]
        found[name], since = at - since, at
    return {**found, PUBLISHED: ended - since}


def some_posts(site: Site, rows: int) -> list[dict[str, float]]:
    """Rows one after another, each at a random moment within two looks of the sensor."""
    seen = []
    with site.connect("DATABASE_URL") as queue, site.connect("DAGSTER_DATABASE_URL") as runs:
        for number in range(rows):
            time.sleep(random.uniform(0, 10))  # noqa: S311
            seen.append(post(queue, runs, number))
            print("  ".join(f"{name} {seconds:.2f}" for name, seconds in seen[-1].items()), flush=True)
    return seen


def watch_posts(rows: int, rounds: int) -> dict[str, Any]:
    """`rows` posts with and as many without workers, in so many rounds of both."""
    shares = [rows // rounds + (place < rows % rounds) for place in range(rounds)]
    without: list[dict[str, float]] = []
    with_workers: list[dict[str, float]] = []
    with own_site() as site:
        for share in shares:
            print("without workers", flush=True)
            without += some_posts(site, share)
            print(site.glad("workers", "up"), flush=True)
            with_workers += some_posts(site, share)
            site.glad("workers", "down")
    return {
        "goal_seconds": GOAL_SECONDS,
        "with_workers": summary(with_workers),
        "without_workers": summary(without),
    }


def summary(seen: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Median, least and most of the seconds; each stage's median; and all of them."""
    seconds = [round(one["seconds"], 2) for one in seen]
    return {
        "median": round(statistics.median(seconds), 2),
        "min": min(seconds),
        "max": max(seconds),
        "stages": {name: round(statistics.median(one[name] for one in seen), 2) for name in (*MARKS, PUBLISHED)},
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3, help="of each number of workers; 0: no scaling")
    parser.add_argument("--batches", type=int, default=12, help="for each worker")
    parser.add_argument("--rows", type=int, default=10, help="with and as many without workers; 0: none")
    parser.add_argument("--rounds", type=int, default=2, help="of both in turn")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is ended
    if args.turns:
        report.write("workers", report.read("workers") | {"scaling": watch_scaling(args.turns, args.batches)})
    if args.rows:
        report.write("workers", report.read("workers") | {"row_to_post": watch_posts(args.rows, args.rounds)})
    told = report.read("workers")
    for way, goal in (("without_workers", ""), ("with_workers", f"; goal ≤ {GOAL_SECONDS:g}")):
        if found := told.get("row_to_post", {}).get(way):
            print(
                f"row to post {way.replace('_', ' ')}: {found['median']:.1f} s, the median of {len(found['seconds'])} "
                f"({found['min']:.1f} to {found['max']:.1f}{goal})"
            )
    for size, ratio in told.get("scaling", {}).get("ratios", {}).items():
        print(f"workers: {size} draw {ratio:.2f} × as fast as one (goal ≥ {told['scaling']['goals'][size]:g})")


if __name__ == "__main__":
    main()
