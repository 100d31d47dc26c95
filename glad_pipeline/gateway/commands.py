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
from contextlib import suppress
from typing import Any

from glad_pipeline.display import one_line
from glad_pipeline.errors import GladError
from glad_pipeline.gateway.jobs import Tell
from glad_pipeline.local.processes import LAUNCH
from glad_pipeline.redaction import redact
from glad_pipeline.settings import Settings, environment_of

LOOK = 0.2  # seconds between looks at it
LEAVING = 5.0  # seconds that it has to end when it is told to
SHOWN = 500  # characters of what it has said of an error


def run_command(words: Sequence[str], settings: Settings, tell: Tell, *, codes: Collection[int]) -> Any:
    """What `glad WORDS --json` prints, its JSON read; `codes`: exit codes with which it has done its work.

    Raises `GladError` with what it says where it has not, and what `tell` raises, once it is ended.
    """
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
            _end(child)
        out.seek(0)
        said.seek(0)
        text, words_said = out.read().decode("utf-8", "replace"), said.read().decode("utf-8", "replace")
    if child.returncode not in codes:
        lines = [line for line in words_said.strip().splitlines() if line.strip()]
        why = one_line(redact(lines[-1]), SHOWN) if lines else f"it ended with {child.returncode}"
        raise GladError(f"glad {words[0]}: {why}")
    return json.loads(text)


def _end(child: subprocess.Popen[bytes]) -> None:
    """With all that it has started, if it lives."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, number)
            with suppress(subprocess.TimeoutExpired):
                child.wait(LEAVING)
