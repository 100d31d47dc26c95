"""How far a long command is, on stderr: one living line on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

REDRAWN_EVERY = 0.2  # seconds, on a terminal


class Progress:
    """A context manager around the work; says nothing before the first `quiet` seconds have passed."""

    def __init__(self, *, every: float, quiet: float = 1.0) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = REDRAWN_EVERY if self._terminal else every
        self._quiet = quiet
        self._bar: Bar | None = None
        self._started = self._reported = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def tell(self, text: Callable[[], str], *, at_once: bool = False) -> None:
        """Show this text if it is time to, or in any case with `at_once`."""
        now = time.monotonic()
        first = self._reported == self._started
        due = now - self._started >= self._quiet and (first or now - self._reported >= self._every)
        if not (due or at_once):
            return
        self._reported = now
        if self._terminal:
            self._redraw(text())
        else:
            print(text(), file=sys.stderr, flush=True)

    def _redraw(self, text: str) -> None:
        from rich.console import Console
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

        if self._bar is None:
            columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
            # what is printed on the way goes above the line only if it goes to the same terminal
            own = sys.stdout.isatty()
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True, redirect_stdout=own)
            self._bar.add_task(text, total=None)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], description=text)
