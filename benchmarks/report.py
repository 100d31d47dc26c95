"""Where a benchmark's figures go: `results/NAME.json`, with the machine, the date and the versions they hold for."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("torch", "diffusers", "transformers", "torchao", "dagster", "boto3", "psycopg", "numpy", "pillow")


def write(name: str, figures: dict[str, Any]) -> Path:
    """Write `results/<name>.json` whole or not at all, and return its path."""
    RESULTS.mkdir(exist_ok=True)
    return write_to(RESULTS / f"{name}.json", figures)


def write_to(file: Path, figures: dict[str, Any]) -> Path:
    """Write `file`, with the machine and the date, whole or not at all."""
    text = json.dumps({**figures, "date": f"{datetime.now(UTC):%Y-%m-%d}", **machine()}, indent=2)
    new = file.with_suffix(".new")
    new.write_text(text + "\n", encoding="utf-8")
    new.replace(file)
    return file


def read(name: str) -> dict[str, Any]:
    """What `write` wrote, {} if nothing: for a benchmark that goes on where it stopped."""
    file = RESULTS / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def machine() -> dict[str, Any]:
    """The processor, memory, load of the last minute, and the versions of what does the work."""
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "processor": _processor(),
            "cores": len(psutil.Process().cpu_affinity())
            if hasattr(psutil.Process, "cpu_affinity")
            else os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "load_before_the_end": round(os.getloadavg()[0], 2),
        },
        "versions": versions,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"
