"""SIGTERM and a closed terminal end a command as Ctrl-C does: by an exception, so that it ends what it has started.

Standard library only: the launcher uses it before any install.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class Interrupted(KeyboardInterrupt):
    """A signal has asked for the end."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, the signals raise `Interrupted` on the main thread; one that is ignored (by `nohup`) stays so."""
    if threading.current_thread() is not threading.main_thread():  # only that one may say what a signal does
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number, handler in before.items():
        if handler is not signal.SIG_IGN:
            signal.signal(number, _raise_interrupted)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # None: it was not Python's


def exit_code_of(interruption: KeyboardInterrupt) -> int:
    """What a shell reports of a program that such a signal has ended."""
    return 128 + (interruption.number if isinstance(interruption, Interrupted) else signal.SIGINT)


def _raise_interrupted(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)
