"""What everything but drawing costs per prompt: claim, encode, upload, verify, catalogue, publish, Dagster's events.

    .venv/bin/python -m benchmarks.orchestration [--prompts 1000] [--rows 1000000] [--repeat 3]

Runs the job `publish_prompts` in this process on the real PostgreSQL and the real S3 server, in a database and
under keys of its own, with a generator that returns 18 × 18 pictures (about 1 KB) at once. Then times one look
of the sensor at a table of 1,000 and of `--rows` rows. Prints the figures last and writes them to
`benchmarks/results/orchestration.json`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

from benchmarks import job, report
from glad_pipeline.database import connect
from glad_pipeline.prompts.queue_state import readiness
from glad_pipeline.testing import InstantSdxl

GOAL_MS = 10.0
GOAL_RATIO = 1.5


def run_batch(prompts: int) -> dict[str, float]:
    """Seconds for one run over `prompts` fresh rows, from the job's start to its end, and for each of its steps."""
    job.add_hills(prompts)
    ran = job.run(InstantSdxl(), claim=prompts)
    return {"seconds": ran.seconds, **ran.steps}


def look_seconds(rows: int, looks: int = 200) -> float:
    """Median seconds of the sensor's look at a table with `rows` rows, one in a hundred of them pending."""
    with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("TRUNCATE prompts RESTART IDENTITY CASCADE")
        # without triggers: rows begin as pending, and a million events are not what is measured
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO prompts (prompt, title, status)"
            " SELECT 'row ' || g, 'Row ' || g, CASE g %% 100 WHEN 0 THEN 'pending' ELSE 'cancelled' END"
            " FROM generate_series(1, %s) g",
            [rows],
        )
        connection.execute("RESET session_replication_role")
        connection.execute("VACUUM ANALYZE prompts")
        times = []
        for _ in range(looks):
            started = time.perf_counter()
            readiness(connection)
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    with job.own_world():
        run_batch(10)  # imports and first connections are the process's, not the batch's
        runs = [run_batch(args.prompts) for _ in range(args.repeat)]
        for run in runs:
            print({name: round(value, 3) for name, value in run.items()})
        small, large = look_seconds(1_000), look_seconds(args.rows)
    per_prompt = statistics.median(run["seconds"] for run in runs) * 1_000 / args.prompts
    figures: dict[str, Any] = {
        "prompts": args.prompts,
        "ms_per_prompt": round(per_prompt, 2),
        "goal_ms": GOAL_MS,
        "sensor_look_ms": {"1000": round(small * 1_000, 3), str(args.rows): round(large * 1_000, 3)},
        "sensor_ratio": round(large / small, 2),
        "goal_ratio": GOAL_RATIO,
        "runs": runs,
    }
    report.write("orchestration", figures)
    print(f"orchestration: {per_prompt:.2f} ms per prompt at {args.prompts:,} (goal ≤ {GOAL_MS:g})")
    print(f"sensor look: {figures['sensor_ratio']} × from 1,000 to {args.rows:,} rows (goal ≤ {GOAL_RATIO})")


if __name__ == "__main__":
    main()
