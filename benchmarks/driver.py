"""What one run can take in: pictures a second and CPU per picture, when drawing costs nothing.

    .venv/bin/python -m benchmarks.driver [--pictures 256] [--repeat 3]

Runs the job `publish_prompts` in this process on the real PostgreSQL and the real S3 server with the generator of
`benchmarks.overlap`, which hands over photo-like 1024 × 1024 pictures as fast as they are taken: the run encodes,
spools, uploads, catalogues and publishes them, which is all that is left to it when workers draw. CPU is this
process's, without making the pictures and without the two servers. Prints the medians last and writes
`benchmarks/results/driver.json`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

from benchmarks import job, report
from benchmarks.overlap import PacedSdxl, photo


def _sdxl() -> PacedSdxl:
    return PacedSdxl(width=1_024, height=1_024, seconds_each=0.0, batch=16)


def _turn(pictures: int, making: float) -> dict[str, Any]:
    """One run; `making`: seconds of CPU for a picture that are not the run's."""
    job.add_hills(pictures)
    began = time.process_time()
    ran = job.run(_sdxl(), claim=pictures)
    cpu = (time.process_time() - began) / pictures - making
    drawing = ran.steps["generated_images"]
    return {
        "job_seconds": round(ran.seconds, 2),
        "generated_images_seconds": round(drawing, 2),
        "pictures_per_second": round(pictures / drawing, 1),
        "cpu_ms_per_picture": round(cpu * 1_000, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=256)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    for seed in range(4):
        photo(1_024, seed)
    began = time.process_time()
    for seed in range(32):
        photo(1_024, seed)
    making = (time.process_time() - began) / 32
    with job.own_world():
        job.add_hills(8)
        job.run(_sdxl(), claim=8)  # imports, connections
        turns = [_turn(args.pictures, making) for _ in range(args.repeat)]
    figures = {
        "pictures": args.pictures,
        "pictures_per_second": statistics.median(turn["pictures_per_second"] for turn in turns),
        "cpu_ms_per_picture": statistics.median(turn["cpu_ms_per_picture"] for turn in turns),
        "making_ms_per_picture": round(making * 1_000, 1),
        "turns": turns,
    }
    report.write("driver", figures)
    print(
        f"driver: {figures['pictures_per_second']} pictures/s beside both servers on this machine, "
        f"{figures['cpu_ms_per_picture']} CPU ms of the run for each"
    )


if __name__ == "__main__":
    main()
