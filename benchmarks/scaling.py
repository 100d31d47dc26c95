"""What a prompt costs beside its drawing, in seconds and in memory, from one prompt a run to ten thousand.

    .venv/bin/python -m benchmarks.scaling [--prompts 1 10 100 1000 10000]

Runs the job `publish_prompts` on the real PostgreSQL and the real S3 server with a generator that returns 18 × 18
pictures (about 1 KB) at once; each number of prompts in a process of its own, after a warm-up run of one prompt.
Memory is how far the process's highest resident set rises above what it was after the warm-up.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from typing import Any

import psutil

from benchmarks import job, report
from glad_pipeline.testing import InstantSdxl


def one(prompts: int) -> dict[str, Any]:
    """One run over so many prompts in this process."""
    with job.own_world():
        job.add_hills(1)
        job.run(InstantSdxl(), claim=1)  # imports and first connections are the process's, not the run's
        before = psutil.Process().memory_info().rss
        job.add_hills(prompts)
        ran = job.run(InstantSdxl(), claim=prompts)
    highest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "prompts": prompts,
        "seconds": round(ran.seconds, 3),
        "ms_per_prompt": round(ran.seconds / prompts * 1_000, 2),
        "step_seconds": {name: round(seconds, 3) for name, seconds in ran.steps.items()},
        "highest_mib": round(highest / 2**20, 1),
        "risen_mib": round(max(0, highest - before) / 2**20, 1),
        "risen_kib_per_prompt": round(max(0, highest - before) / 1024 / prompts, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, nargs="+", default=[1, 10, 100, 1_000, 10_000])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(one(args.one)))
        return
    print("| prompts | seconds | ms per prompt | highest MiB | risen MiB | KiB per prompt |")
    print("|---:|---:|---:|---:|---:|---:|")
    rows = []
    for prompts in args.prompts:
        command = [sys.executable, "-m", "benchmarks.scaling", "--one", str(prompts)]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        print(
            f"| {prompts:,} | {row['seconds']:.2f} | {row['ms_per_prompt']:.1f} | {row['highest_mib']:.0f} | "
            f"{row['risen_mib']:.0f} | {row['risen_kib_per_prompt']:.1f} |",
            flush=True,
        )
    first, last = rows[0], rows[-1]
    ratio = last["ms_per_prompt"] / first["ms_per_prompt"]
    report.write("scaling", {"runs": rows, "ratio": round(ratio, 5)})
    print(
        f"scaling: a prompt among {last['prompts']:,} costs {last['ms_per_prompt']:.1f} ms, "
        f"{ratio:.3g} of what it costs alone ({first['ms_per_prompt']:.0f} ms)"
    )


if __name__ == "__main__":
    main()
