"""Showing a person that something is going on. Standard library only: the launcher uses it before any install."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import TextIO

QUIET_SECONDS = 1.0  # what is quicker than this needs no word
PLAIN_LINE_EVERY = 10.0  # a line in a log file, where nothing can be redrawn


class Step:
    """A context manager around one wait: a living line on a terminal, a line now and then elsewhere.

    `detail` may be changed while it lasts and is shown behind the elapsed seconds.
    """

    def __init__(self, label: str, *, stream: TextIO | None = None, always: bool = False) -> None:
        self.label = label
        self.detail = ""
        self._stream = stream if stream is not None else sys.stderr
        self._always = always
        self._live = self._stream.isatty()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = time.monotonic()
        self._shown = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def __enter__(self) -> Step:
        self._started = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        if self._shown or self._always:
            word = "failed" if kind else "done"
            self._write(f"{self.label}: {word} in {self.seconds:.1f} s", last=True)

    def _run(self) -> None:
        if self._done.wait(QUIET_SECONDS):
            return
        self._shown = True
        while True:
            detail = f", {self.detail}" if self.detail else ""
            self._write(f"{self.label} … {self.seconds:.0f} s{detail}")
            if self._done.wait(0.5 if self._live else PLAIN_LINE_EVERY):
                return

    def _write(self, text: str, *, last: bool = False) -> None:
        if self._live:
            self._stream.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        else:
            self._stream.write(text + "\n")
        self._stream.flush()
