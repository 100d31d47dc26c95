"""One thread that cuts connections whose time is over, in place of a timer's thread for each statement.

Starting a thread takes two turns at the interpreter, and beside encoders and uploads each may be milliseconds away.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from itertools import count


class Watchdog:
    """Cuts what is not released in time. Its thread ends when there is nothing to watch."""

    def __init__(self) -> None:
        self._lines: dict[int, tuple[float, socket.socket]] = {}  # until when each may take
        self._numbers = count()
        self._change = threading.Condition()
        self._looks_at = 0.0  # when the thread looks next
        self._thread: threading.Thread | None = None

    def watch(self, line: socket.socket, seconds: float) -> int:
        """Cut this line after so many seconds, unless `release` is called with the number before."""
        until = time.monotonic() + seconds
        with self._change:
            number = next(self._numbers)
            self._lines[number] = until, line
            if self._thread is None or not self._thread.is_alive():  # a forked process has none
                self._thread = threading.Thread(target=self._run, name="database-watchdog", daemon=True)
                self._thread.start()
            elif until < self._looks_at:
                self._change.notify()
        return number

    def release(self, number: int) -> None:
        """It was over in time; the line is the caller's to close."""
        with self._change:
            self._lines.pop(number, None)

    def _run(self) -> None:
        with self._change:
            while self._lines:
                now = time.monotonic()
                for number, (until, line) in list(self._lines.items()):
                    if until <= now:
                        del self._lines[number]
                        with suppress(OSError):  # closed already
                            line.shutdown(socket.SHUT_RDWR)
                self._looks_at = min((until for until, _ in self._lines.values()), default=now)
                if self._lines:
                    self._change.wait(self._looks_at - now)
            self._thread = None
