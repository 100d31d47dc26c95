"""Many uploads while something else makes the next object: a few at a time, in bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Made = TypeVar("Made")
Stored = TypeVar("Stored")

WORKERS = 8


def in_background(
    items: Iterable[Made], store: Callable[[Made], Stored], *, workers: int = WORKERS
) -> Iterator[Stored]:
    """Call `store(item)` on `workers` threads while `items` makes the next one; yield results in order of `items`.

    At most twice `workers` items exist at once: when the store is slow, `items` is not asked for more. The first
    failed upload is raised here and drops those not begun; if `items` fails, what it had made is still stored.
    """
    window: deque[Future[Stored]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="glad-upload")

    def oldest() -> Stored:
        try:
            return window.popleft().result()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise

    try:
        for item in items:
            window.append(pool.submit(store, item))
            while window and (window[0].done() or len(window) >= 2 * workers):
                yield oldest()
        while window:
            yield oldest()
    finally:
        pool.shutdown(wait=True)
