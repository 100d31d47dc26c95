"""A command of `glad` in a process of its own, as the work of a job: what draws, or tries everything.

It gets the settings of this process by its environment, and ends with the job.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from typing import Any

from glad_pipeline.display import one_line
from glad_pipeline.errors import GladError
from glad_pipeline.gateway.jobs import Tell
from glad_pipeline.redaction import redact
from glad_pipeline.settings import Settings, environment_of

LOOK = 0.2  # seconds between looks at it
LEAVING = 3.0  # seconds that it has to end when it is told to: fewer than the gateway waits for its jobs
SHOWN = 500  # characters of what it has said of an error


def run_command(words: Sequence[str], settings: Settings, tell: Tell, *, codes: Collection[int]) -> Any:
    """What `glad WORDS --json` prints, its JSON read; `codes`: exit codes with which it has done its work.

    Raises `GladError` with what it says where it has not, and what `tell` raises, once it is ended.
    """
    from glad_pipeline.local.processes import LAUNCH, end_session  # with psutil, for which no start waits

    began = time.monotonic()
    ends_with_us = [sys.executable, "-I", str(LAUNCH), "--die-with", str(os.getpid()), str(int(signal.SIGTERM)), "--"]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            [*ends_with_us, sys.executable, "-m", "glad_pipeline.cli", *words, "--json"],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            env={**os.environ, **environment_of(settings)},
            start_new_session=True,
        )
        try:
            while child.poll() is None:
                tell(lambda: f"under way for {time.monotonic() - began:.0f} s")
                time.sleep(LOOK)
        finally:
            end_session(child, signal.SIGTERM, LEAVING)  # with what it has left behind, too
        out.seek(0)
        said.seek(0)
        text, words_said = out.read().decode("utf-8", "replace"), said.read().decode("utf-8", "replace")
    try:
        if child.returncode in codes:
            return json.loads(text)
    except ValueError:  # the code is that of an error, too, which stands in the other text
        pass
    lines = [line for line in words_said.strip().splitlines() if line.strip()]
    why = one_line(redact(lines[-1]), SHOWN) if lines else f"it ended with {child.returncode}"
    raise GladError(f"glad {words[0]}: {why}")
