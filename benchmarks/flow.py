"""Does the GPU wait between runs, and does an urgent row wait for a bulk import?

    .venv/bin/python -m benchmarks.flow idle [--prompts 2000] [--seconds 0.1] [--batch 8] [--claim 256] [--ways with]
    .venv/bin/python -m benchmarks.flow urgent [--bulk 10000] [--rows 40] [--seconds 0.4] [--batch 8] [--ways with]

A real daemon with its sensor on servers of its own, and an engine that takes a fixed time for each batch
(`benchmarks/paced.py`) and notes when each begins and ends. Prints the figures last and writes them to
`benchmarks/results/flow.json`.

idle: `--prompts` rows are there before the daemon is, and become posts in runs of `--claim`. The idle share is the time
between the first batch's begin and the last one's end in which no batch was drawn, and the gaps are between the last
batch of a run and the first one of the next. With warm workers and without, in turn.

urgent: `--bulk` rows of the lowest priority wait. At random moments one urgent row is inserted, `--rows` in all. It may
wait for the batch in hand and for its own; the excess is how much later than that it is a published post, by the clock
of the database. The throughput is that of all pictures while urgent rows come ÷ that of the same time before. Where
each run draws in a process of its own, the time from one run's last batch to the next one's first is left out of both:
how many of these gaps fall into each, and how long a process takes to start, is chance. How many there were is told.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks import job, report
from benchmarks.paced import BATCH, NOTES, SECONDS, options_of
from glad_pipeline.database import connect
from glad_pipeline.generation.defaults import recipe_of
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.records import Prompt
from glad_pipeline.workers.cluster import Cluster
from glad_pipeline.workers.pool import Pool
from glad_pipeline.workers.remote import RemoteEngine

ROOT = Path(__file__).parents[1]
GOAL_IDLE = 0.02
GOAL_EXCESS = {"with": 3.0, "without": 13.0}  # seconds, for 95 of 100 urgent rows
GOAL_THROUGHPUT = 0.98
URGENT_SEED = 1_000_000  # seeds of urgent rows begin here
START = 120.0  # seconds until the code server listens
PROGRAMS = {
    "code": ["dagster", "code-server", "start", "-m", "benchmarks.paced", "--location-name", "paced"],
    "daemon": ["dagster._daemon", "run"],
}


@dataclass(frozen=True)
class Batch:
    """One batch as its engine has noted it."""

    pid: int
    began: float
    ended: float
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Flow:
    """A running daemon with its servers."""

    folder: Path

    def add(self, count: int, *, first_seed: int = 0, priority: int = 0) -> None:
        """So many rows, in one statement."""
        with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            connection.execute(
                "INSERT INTO prompts (prompt, title, seed, priority) SELECT 'a hill', 'Hill ' || n, n, %s"
                " FROM generate_series(%s::int, %s::int) n",
                [priority, first_seed, first_seed + count - 1],
            )

    def left(self) -> int:
        """Rows that are no posts yet."""
        with connect(os.environ["DATABASE_URL"]) as connection:
            [row] = connection.execute("SELECT count(*) AS n FROM prompts WHERE status <> 'published'")
        return int(row["n"])

    def urgent_left(self) -> int:
        """Urgent rows that are no posts yet."""
        with connect(os.environ["DATABASE_URL"]) as connection:
            [row] = connection.execute("SELECT count(*) AS n FROM prompts WHERE priority = 1 AND status <> 'published'")
        return int(row["n"])

    def urgent_times(self) -> list[tuple[float, float, int]]:
        """When each urgent row was inserted and published, by the database's clock, and its seed."""
        with connect(os.environ["DATABASE_URL"]) as connection:
            rows = connection.execute(
                "SELECT extract(epoch FROM created_at)::float AS inserted,"
                " extract(epoch FROM published_at)::float AS published, seed FROM prompts WHERE priority = 1"
            ).fetchall()
        return [(row["inserted"], row["published"], row["seed"]) for row in rows]

    def batches(self) -> list[Batch]:
        """What was drawn, in the order in which it began."""
        lines = Path(os.environ[NOTES]).read_text().splitlines() if Path(os.environ[NOTES]).exists() else []
        parts = [line.split() for line in lines]
        found = [Batch(int(a), float(b), float(c), tuple(map(int, d.split(",")))) for a, b, c, d in parts]
        return sorted(found, key=lambda batch: batch.began)

    def runs(self) -> list[tuple[float, float]]:
        """Begin and end of each run of the job, as Dagster has them."""
        with connect(os.environ["DAGSTER_DATABASE_URL"]) as connection:
            rows = connection.execute(
                "SELECT start_time AS began, end_time AS ended FROM runs WHERE pipeline_name = 'publish_prompts'"
                " ORDER BY start_time"
            ).fetchall()
        return [(row["began"] or 0.0, row["ended"] or 0.0) for row in rows]


@contextmanager
def flowing(seconds: float, batch: int, *, workers: int = 0, rows: int = 0, **settings: object) -> Iterator[Flow]:
    """A daemon and its servers, with so many rows that are there before it is, and so many warm workers."""
    with ExitStack() as resources:
        resources.enter_context(job.own_world())
        folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="glad-flow-")))
        os.environ |= {SECONDS: str(seconds), BATCH: str(batch), NOTES: str(folder / "notes")}
        os.environ |= {name: str(value) for name, value in settings.items()}
        os.environ |= {"GLAD_POOL_FOLLOWS_WORKERS": "true", "PYTHONPATH": str(ROOT)}
        os.environ |= {"GLAD_WORKERS": str(workers or 1), "GLAD_WORKER_GPUS": "0", "GLAD_WORKER_CPUS": "0.1"}
        if workers:
            resources.enter_context(warm_workers(workers))
        flow = Flow(folder)
        flow.add(rows)
        workspace = folder / "workspace.yaml"
        server = {"grpc_server": {"socket": str(folder / "code.sock"), "location_name": "paced"}}
        workspace.write_text(json.dumps({"load_from": [server]}))
        resources.enter_context(program("code", folder, "--socket", str(folder / "code.sock")))
        until = time.monotonic() + START
        while not (folder / "code.sock").is_socket():
            assert time.monotonic() < until, (folder / "code.log").read_text()[-3_000:]
            time.sleep(0.1)
        resources.enter_context(program("daemon", folder, "-w", str(workspace)))
        yield flow


@contextmanager
def program(name: str, folder: Path, *words: str) -> Iterator[None]:
    """One of Dagster's two, ended with all that it has started."""
    with (folder / f"{name}.log").open("wb") as log:
        command = [sys.executable, "-m", *PROGRAMS[name], *words]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)
    try:
        yield
        assert process.poll() is None, (folder / f"{name}.log").read_text()[-3_000:]
    finally:
        for number, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(process.pid, number)
                process.wait(timeout=patience)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def warm_workers(count: int) -> Iterator[None]:
    """Workers that have the clock for an engine, in a Ray of their own."""
    options = options_of(workers=count)
    cluster = Cluster(options)
    cluster.start(cpus=count * options.worker_cpus)
    pool = Pool(options)
    try:
        profile = resolve_model(options)
        sample = recipe_of(Prompt(id=0, prompt="a hill", seed=0), profile, options)
        RemoteEngine(profile, pool).warm_up(sample)
        cluster.note(workers=count)
        pool.close()
        Path(os.environ[NOTES]).unlink()
        yield
    finally:
        cluster.stop()


# idle


def idle_share(batches: Sequence[Batch]) -> float:
    """Of the time from the first begin to the last end: how much no batch was drawn."""
    covered, end = 0.0, batches[0].began
    for batch in batches:
        covered += max(0.0, batch.ended - max(end, batch.began))
        end = max(end, batch.ended)
    return 1 - covered / (end - batches[0].began)


def gaps(batches: Sequence[Batch]) -> list[float]:
    """Seconds between one batch's end and the next one's begin."""
    return [max(0.0, later.began - earlier.ended) for earlier, later in pairwise(batches)]


def watch_idle(prompts: int, seconds: float, batch: int, claim: int, *, workers: int) -> dict[str, Any]:
    """One way: all rows to posts in consecutive runs."""
    with flowing(seconds, batch, workers=workers, rows=prompts, GLAD_BATCH_SIZE=claim, GLAD_RENDITIONS="none") as flow:
        began = time.time()
        while flow.left():
            assert time.time() - began < 10 * prompts * seconds + 300, f"{flow.left()} rows are no posts"
            time.sleep(1)
        batches, runs = flow.batches(), flow.runs()
    largest = sorted(gaps(batches), reverse=True)[: -(-prompts // claim) - 1]
    assert sum(len(each.seeds) for each in batches) == prompts
    return {
        "idle_share": round(idle_share(batches), 4),
        "gap_median": round(statistics.median(gaps(batches)), 4),
        "largest_gaps": [round(gap, 2) for gap in largest],
        "runs": len(runs),
        "run_times": [[round(at - batches[0].began, 1) for at in run] for run in runs],
        "batches": len(batches),
        "runs_that_drew_nothing": len(runs) - -(-prompts // claim),
        "seconds": round(batches[-1].ended - batches[0].began, 1),
    }


# urgent


def excess(inserted: float, published: float, seed: int, batches: Sequence[Batch]) -> float:
    """How much later a row became a post than the end of the batch in hand and the length of its own batch allow."""
    own = next(each for each in batches if seed in each.seeds)
    in_hand = max((each.ended for each in batches if each.began <= inserted < each.ended), default=inserted)
    return published - in_hand - (own.ended - own.began)


def throughput(batches: Sequence[Batch], began: float, ended: float) -> float:
    """Pictures a second that were drawn between two moments, without the time between two runs."""

    def within(start: float, end: float) -> float:
        return max(0.0, min(end, ended) - max(start, began))

    pictures = sum(within(each.began, each.ended) / (each.ended - each.began) * len(each.seeds) for each in batches)
    return pictures / (ended - began - sum(within(*gap) for gap in between_runs(batches)))


def between_runs(batches: Sequence[Batch]) -> list[tuple[float, float]]:
    """From the last batch of one process to the first of the next; none where warm workers draw for all runs."""
    return [(one.ended, next_one.began) for one, next_one in pairwise(batches) if one.pid != next_one.pid]


def watch_urgent(
    bulk: int, rows: int, seconds: float, batch: int, *, apart: float, workers: int, seed: int
) -> dict[str, Any]:
    """One way: urgent rows at random moments into a bulk import that is being drawn."""
    chance = random.Random(seed)  # noqa: S311
    turn = apart * seconds * batch  # seconds from one urgent row to the next, on average
    with flowing(seconds, batch, workers=workers, GLAD_RENDITIONS="none") as flow:
        flow.add(bulk, priority=-(2**31))
        while len(flow.batches()) < 3:
            time.sleep(0.5)
        began = time.time()
        time.sleep(rows * turn)
        calm = time.time()
        for n in range(rows):
            time.sleep(chance.uniform(0.2, 1.8) * turn)
            flow.add(1, first_seed=URGENT_SEED + n, priority=1)
        ended = time.time()
        while flow.urgent_left():
            assert time.time() - ended < 300, "urgent rows are no posts"
            time.sleep(0.5)
        time.sleep(2 * seconds * batch)  # until the last batch has been noted
        batches, times = flow.batches(), flow.urgent_times()
    late = sorted(excess(*each, batches) for each in times)
    waits = sorted(published - inserted for inserted, published, _ in times)
    return {
        "excess_p50": round(statistics.median(late), 2),
        "excess_p95": round(late[-(-95 * len(late) // 100) - 1], 2),
        "excess_most": round(late[-1], 2),
        "wait_p50": round(statistics.median(waits), 2),
        "wait_most": round(waits[-1], 2),
        "throughput_ratio": round(throughput(batches, calm, ended) / throughput(batches, began, calm), 4),
        "run_gaps": [sum(a <= at < b for at, _ in between_runs(batches)) for a, b in pairwise((began, calm, ended))],
        "rows": len(late),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    idle = parts.add_parser("idle")
    idle.add_argument("--prompts", type=int, default=2_000)
    idle.add_argument("--seconds", type=float, default=0.1, help="a picture")
    idle.add_argument("--batch", type=int, default=8)
    idle.add_argument("--claim", type=int, default=256, help="GLAD_BATCH_SIZE")
    idle.add_argument("--ways", nargs="+", choices=["with", "without"], default=["with", "without"])
    urgent = parts.add_parser("urgent")
    urgent.add_argument("--bulk", type=int, default=10_000)
    urgent.add_argument("--rows", type=int, default=40)
    urgent.add_argument("--seconds", type=float, default=0.4, help="a picture")
    urgent.add_argument("--batch", type=int, default=8)
    urgent.add_argument("--ways", nargs="+", choices=["with", "without"], default=["with", "without"])
    urgent.add_argument("--apart", type=float, default=2.5, help="batches from one urgent row to the next")
    urgent.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything is ended
    given = {name: value for name, value in vars(args).items() if name not in ("part", "ways")}
    watch = watch_idle if args.part == "idle" else watch_urgent
    found = {way: watch(**given, workers=int(way == "with")) for way in args.ways}
    goals = {"goal": GOAL_IDLE} if args.part == "idle" else {"goal": GOAL_EXCESS, "goal_throughput": GOAL_THROUGHPUT}
    report.write("flow", report.read("flow") | {args.part: {**given, **found, **goals}})
    for way, figures in found.items():
        print(told_idle(way, figures) if args.part == "idle" else told_urgent(way, figures))


def told_idle(way: str, figures: dict[str, Any]) -> str:
    return (
        f"idle {way} workers: {figures['idle_share']:.1%} of {figures['seconds']} s in {figures['runs']} runs"
        f"{f' (goal ≤ {GOAL_IDLE:.0%})' if way == 'with' else ''}, the largest gaps {figures['largest_gaps']} s"
    )


def told_urgent(way: str, figures: dict[str, Any]) -> str:
    return (
        f"urgent {way} workers: {figures['excess_p95']} s later than the batch in hand and its own, for 95 of 100 of "
        f"{figures['rows']} (goal ≤ {GOAL_EXCESS[way]:g}); throughput {figures['throughput_ratio']:.3f} "
        f"(goal ≥ {GOAL_THROUGHPUT})"
    )


if __name__ == "__main__":
    main()
