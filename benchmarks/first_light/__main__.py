"""The steps, in the order of what one wants to know first; see the package."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.first_light import runner, same_pixels, speed, stages, training
from benchmarks.first_light.place import Place
from benchmarks.first_light.runner import Case
from benchmarks.first_light.tell import tell

HELD_BACK = 5.0  # seconds, to write and tell


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One process' cases, and its share of the nine minutes. What it leaves is its successors'."""

    name: str
    cases: tuple[str, ...]
    seconds: float
    make: Callable[[Place, float], Mapping[str, Case]]  # from the place and the seconds there are


STEPS = (
    Step(name="same-pixels", cases=same_pixels.CASES, seconds=70, make=lambda place, _: same_pixels.cases(place)),
    Step(name="speed", cases=speed.SPEED, seconds=140, make=lambda place, _: speed.speed(place)),
    Step(name="again", cases=speed.AGAIN, seconds=55, make=lambda place, _: speed.again(place)),
    Step(name="choices", cases=speed.CHOICES, seconds=95, make=lambda place, _: speed.choices(place)),
    Step(name="stages", cases=stages.CASES, seconds=95, make=lambda place, _: stages.cases(place)),
    Step(name="presets", cases=speed.PRESETS, seconds=65, make=lambda place, _: speed.presets(place)),
    Step(name="demo-model", cases=training.CASES, seconds=10, make=training.cases),
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="first_light", description="All that only a GPU can show.")
    parser.add_argument("--minutes", type=float, default=9.0, help="for all of it")
    parser.add_argument("--only", nargs="+", metavar="STEP", choices=[step.name for step in STEPS], help="just these")
    parser.add_argument("--again", action="store_true", help="also what has been measured before")
    parser.add_argument("--shrunken", action="store_true", help="a rehearsal: a tiny configuration, on a CPU too")
    parser.add_argument("--device", choices=("cuda", "cpu"), help="absent: the GPU")
    parser.add_argument("--out", type=Path, default=report.RESULTS, help="folder for first_light.json and its log")
    parser.add_argument("--work", help=argparse.SUPPRESS)  # a step's name: this is its process
    parser.add_argument("--seconds", type=float, help=argparse.SUPPRESS)
    parser.add_argument("cases", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    import torch

    started = time.monotonic()
    device = args.device or ("cpu" if args.shrunken and not torch.cuda.is_available() else "cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise SystemExit(
            f"first_light: torch {torch.__version__} finds no GPU here. `--shrunken` rehearses the script on the CPU"
        )
    if device == "cpu" and not args.shrunken:
        raise SystemExit("first_light: at full size only a GPU is fast enough: leave --device out, or add --shrunken")
    folder = Path(tempfile.gettempdir()) / f"glad-first-light-{'shrunken' if args.shrunken else 'full'}"
    folder.mkdir(exist_ok=True)
    place = Place(device=device, shrunken=args.shrunken, folder=folder)
    if args.work:
        [step] = [step for step in STEPS if step.name == args.work]
        made = step.make(place, args.seconds)
        runner.work({name: made[name] for name in args.cases})
        return
    args.out.mkdir(parents=True, exist_ok=True)
    name = "first_light_shrunken" if args.shrunken else "first_light"
    record = Record(args.out, name, torch.cuda.get_device_name() if device == "cuda" else "cpu", again=args.again)
    record.told["torch"] = str(torch.__version__)
    run(record, place, args.only, until=started + args.minutes * 60 - HELD_BACK)
    tell(record.told)


class Record:
    """What has been measured so far, on disk after every case."""

    def __init__(self, out: Path, name: str, device: str, *, again: bool) -> None:
        self.file, self.log = out / f"{name}.json", out / f"{name}.log"
        known = {} if again or not self.file.exists() else json.loads(self.file.read_text(encoding="utf-8"))
        same = known.get("device") == device
        self.told: dict[str, Any] = {"device": device, "steps": known["steps"] if same else {}}

    def missing(self, step: Step) -> list[str]:
        """Its cases that have no figures yet."""
        known = self.told["steps"].get(step.name, {})
        return [name for name in step.cases if "error" in known.get(name, {"error": ""})]

    def add(self, step: Step, case: str, figures: dict[str, Any]) -> None:
        self.told["steps"].setdefault(step.name, {})[case] = figures
        report.write_to(self.file, self.told)


def run(record: Record, place: Place, only: list[str] | None, *, until: float) -> None:
    steps = [step for step in STEPS if (not only or step.name in only) and record.missing(step)]
    for place_in_line, step in enumerate(steps):
        later = sum(each.seconds for each in steps[place_in_line + 1 :])
        left = until - time.monotonic()
        end = until if later == 0 else max(time.monotonic() + min(step.seconds, left), until - later)
        end = min(end, until)
        if left < 10:
            break
        seconds = end - time.monotonic()
        if step.make is training.cases and seconds < training.LEAST_SECONDS and not place.shrunken:
            print(f"{step.name}: left out, {seconds:.0f} s are too few", flush=True)
            break
        print(f"== {step.name}: at most {seconds:.0f} s", flush=True)
        command = [sys.executable, "-m", "benchmarks.first_light", "--device", place.device, "--work", step.name]
        command += ["--seconds", f"{seconds:.0f}", *(["--shrunken"] if place.shrunken else [])]
        for case, figures in runner.run(command, record.missing(step), until=end, log=record.log):
            record.add(step, case, figures)
            print(f"{step.name}/{case}: {json.dumps(figures)}", flush=True)


if __name__ == "__main__":
    main()
