"""Processes to be killed: forked from one that has imported everything and opened nothing, so that each starts at once.

What runs in them is a function of a module (never of a test), its arguments and its result pickled.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["glad_pipeline_tests.faults.zygote"])


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended."""

    exitcode: int  # negative: the signal it died of
    result: Any  # what its function returned; None where it did not get so far
    log: str  # the end of what it said

    @property
    def killed(self) -> bool:
        return self.exitcode == -signal.SIGKILL


class Child:
    """One process that calls `function(*args)` with `environment` added to its own; its output goes to the file `log`."""

    def __init__(
        self, function: Callable[..., Any], *args: Any, environment: Mapping[str, str], log: Path, name: str = "child"
    ) -> None:
        self.log = log
        self._theirs, self._ours = None, None
        self._ours, theirs = _context.Pipe(duplex=False)
        self.process = _context.Process(
            target=_run, args=(theirs, function, args, dict(environment), str(log)), name=name, daemon=True
        )
        self.process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    @property
    def running(self) -> bool:
        return self.process.is_alive()

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send it a signal, if it still lives."""
        if self.process.is_alive():
            os.kill(self.pid, number)

    def wait(self, timeout: float = 120) -> Ended:
        """Until it has ended; it is killed, and `TimeoutError` raised, if that takes longer."""
        result = None
        try:
            if not self._ours.poll(timeout):
                raise TimeoutError(f"it did not end in {timeout:.0f} s:\n{self._said()}")
            result = self._ours.recv()
        except EOFError:
            pass  # it died
        finally:
            if result is None and self.process.is_alive():
                self.process.join(2)
                self.kill()
            self.process.join(10)
        assert self.process.exitcode is not None
        ended = Ended(exitcode=self.process.exitcode, result=result, log=self._said())
        self.process.close()
        self._ours.close()
        return ended

    def _said(self) -> str:
        return self.log.read_text(errors="replace")[-6_000:] if self.log.exists() else ""


def call(
    function: Callable[..., Any], *args: Any, environment: Mapping[str, str], log: Path, timeout: float = 120
) -> Any:
    """What `function(*args)` returns in a process of its own, within `timeout` seconds.

    Raises `AssertionError` with its log if it fails.
    """
    ended = Child(function, *args, environment=environment, log=log).wait(timeout)
    assert ended.exitcode == 0, f"exit {ended.exitcode}:\n{ended.log}"
    return ended.result


def eventually(true: Callable[[], object], seconds: float = 30, *, what: str = "it", every: float = 0.02) -> None:
    """Wait until `true()`, which is asked `every` so many seconds. Raises `TimeoutError`."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about in {seconds:.0f} s")
        time.sleep(every)


def _run(connection: Any, function: Callable[..., Any], args: tuple[Any, ...], environment: dict[str, str], log: str):
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.environ.update(environment)
    connection.send(function(*args))
