"""Calls that may never come back, given up when their time is over. Knows nothing of what is called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def within(seconds: float, work: Callable[[], T]) -> T:
    """What `work` returns or raises; `TimeoutError` if it takes longer.

    It runs on a thread of its own, which is then left behind and holds no process up: Ray tries without end what does
    not answer, time-outs of sockets bound each read but not all of them, and none bounds the search for an address.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001  raised where it is waited for
            done.set_exception(error)

    threading.Thread(target=run, name="glad-within", daemon=True).start()
    try:
        return done.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer in {seconds:g} s") from None
