"""How fast a file of prompts is imported, and how much memory that takes.

    .venv/bin/python -m benchmarks.intake [--rows 100000] [--repeat 3]

Writes a CSV of that many rows (prompt, negative prompt, title, slug, seed, size), imports it into an empty queue of a
PostgreSQL of its own, and empties the queue again. Prints the medians last and writes `benchmarks/results/intake.json`.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks import job, report
from glad_pipeline.database import Database
from glad_pipeline.prompts.importing import import_file


def write_rows(path: Path, rows: int) -> None:
    with path.open("w", encoding="utf-8") as out:
        out.write("prompt,negative_prompt,title,slug,seed,width,height\n")
        out.writelines(
            f'"a lake number {i} at dawn, photographed on film, soft light, detailed","blurry, low quality, text",'
            f"Lake {i},lake-{i},{i},1024,768\n"
            for i in range(rows)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    seconds, cpu = [], []
    with tempfile.TemporaryDirectory() as folder, job.own_world(), Database(os.environ["DATABASE_URL"]) as database:
        path = Path(folder) / "prompts.csv"
        write_rows(path, args.rows)
        for _ in range(args.repeat):
            began, worked = time.perf_counter(), time.process_time()
            assert import_file(database, path).added == args.rows
            seconds.append(round(time.perf_counter() - began, 2))
            cpu.append(round(time.process_time() - worked, 2))
            with database.transaction() as connection:
                connection.execute("TRUNCATE prompts CASCADE")
    figures = {
        "rows": args.rows,
        "seconds": statistics.median(seconds),
        "cpu_seconds": statistics.median(cpu),  # of this process, without the server's
        "rows_per_second": round(args.rows / statistics.median(seconds)),
        "most_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "turns": [{"seconds": s, "cpu_seconds": c} for s, c in zip(seconds, cpu, strict=True)],
    }
    report.write("intake", figures)
    print(figures)


if __name__ == "__main__":
    main()
