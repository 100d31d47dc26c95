"""A step's cases, one after the other in a process of its own that a parent watches.

The process tells each case's figures as a line as soon as it has them. A case that raises is told as such, and the next
one goes on; where the device itself has failed, or a case takes too long, the parent starts a new process for the rest.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MARK = "figures: "
DEVICE_FAILED = 3  # exit code: what is left needs a new process

Figures = dict[str, Any]
Case = Callable[[], Figures]


def work(cases: Mapping[str, Case]) -> None:
    """Run the cases, here, and tell their figures. Ends the process if the device fails or the parent is gone."""
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    for name, case in cases.items():
        started = time.perf_counter()
        failed = None
        try:
            figures = case()
        except Exception as error:  # noqa: BLE001  it is told, and must not end the others
            failed = error
            traceback.print_exc()
            text = (str(error).strip().splitlines() or [""])[0]
            where = [
                f"{Path(frame.filename).name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)
            ]
            figures = {"error": f"{type(error).__name__}: {text}"[:500], "where": where[-4:]}
        figures["case_seconds"] = round(time.perf_counter() - started, 2)
        print(MARK + json.dumps({"case": name, **figures}), flush=True)
        if failed is not None and _is_the_devices(failed):
            os._exit(DEVICE_FAILED)


def _end_with_the_parent() -> None:
    sys.stdin.read()  # its end of the pipe closes with it
    os._exit(1)


def _is_the_devices(error: Exception) -> bool:
    import torch

    return isinstance(error, torch.AcceleratorError) or "CUDA error" in str(error)


def run(command: Sequence[str], names: Sequence[str], *, until: float, log: Path) -> Iterator[tuple[str, Figures]]:
    """Each case's name and figures, in order, from as many processes of `command NAME…` as it takes.

    `until`: `time.monotonic()` when the last of them is ended. What no time was left for is not told; a case that was
    under way then is told as an error. All that the processes print goes to `log`.
    """
    left = list(names)
    while left and time.monotonic() < until:
        told = False
        for name, figures in _one_process([*command, *left], until=until, log=log):
            left.remove(name)
            told = True
            yield name, figures
        if left and time.monotonic() >= until:
            yield left[0], {"error": "there was no time left for it, or to finish it", "out_of_time": True}
            return
        if left and not told:  # it died in the first of them, without a word
            yield left.pop(0), {"error": f"the process died: see {log.name}"}


def _one_process(command: Sequence[str], *, until: float, log: Path) -> Iterator[tuple[str, Figures]]:
    with log.open("a", encoding="utf-8") as lines:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that it is ended with all that it has started
        )
        try:
            for line in _lines(process, until):
                lines.write(line + "\n")
                lines.flush()
                if line.startswith(MARK):
                    figures = json.loads(line.removeprefix(MARK))
                    yield figures.pop("case"), figures
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _lines(process: subprocess.Popen[bytes], until: float) -> Iterator[str]:
    """What it prints, until it ends or it is time."""
    assert process.stdout is not None
    waiting = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := until - time.monotonic()) > 0:
            if not selector.select(left):
                break
            some = os.read(process.stdout.fileno(), 1 << 16)
            if not some:
                break
            *whole, waiting = (waiting + some).split(b"\n")
            yield from (line.decode("utf-8", "replace") for line in whole)
