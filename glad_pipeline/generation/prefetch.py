"""Drawing ahead: what makes the pictures runs on a thread of its own and never waits for what is done with them.

Knows nothing of pictures: any iterator will do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Generic, TypeVar

Made = TypeVar("Made")


class _Waiting(Generic[Made]):
    """What is made and not yet taken: here the maker's thread and the consumer's meet."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[Made] = deque()
        self._change = threading.Condition()
        self._over = False  # the maker has ended, or nobody wants more
        self.failure: BaseException | None = None

    def make(self, items: Iterable[Made]) -> None:
        """On the maker's thread, to the end of `items` or until nobody wants more."""
        try:
            source = iter(items)
            try:
                for item in source:
                    with self._change:
                        self._change.wait_for(lambda: self._over or len(self._items) < self._size)
                        if self._over:
                            break
                        self._items.append(item)
                        self._change.notify_all()
            finally:
                if isinstance(source, Generator):
                    source.close()
        except BaseException as error:  # noqa: BLE001 the consumer gets it
            self.failure = error
        finally:
            self.end()

    def taken(self) -> Generator[Made, None, None]:
        """In order, until the maker has ended and nothing is left."""
        while True:
            with self._change:
                self._change.wait_for(lambda: self._items or self._over)
                if not self._items:
                    return
                item = self._items.popleft()
                self._change.notify_all()
            yield item

    def end(self, *, drop: bool = False) -> None:
        with self._change:
            self._over = True
            if drop:
                self._items.clear()
            self._change.notify_all()


def prefetch(
    items: Iterable[Made], size: int, *, closing: Callable[[], None] = lambda: None
) -> Generator[Made, None, None]:
    """Yield `items` in order while a thread makes the next ones.

    At most `size` (≥ 1) of them wait, and one more is in the maker's hand: then the maker waits, so memory stays flat.
    What the maker raises is raised here, after what came before it. Closed early, it waits until the item being made is
    done, and drops it. Only the maker's thread touches `items`, closing included; it starts with the first `next` and
    has ended when this generator has. `closing` is called before that is waited for: it ends what `items` waits for.
    """
    waiting: _Waiting[Made] = _Waiting(size)
    maker = threading.Thread(target=waiting.make, args=(items,), name="glad-prefetch")
    maker.start()
    try:
        yield from waiting.taken()
        if waiting.failure is not None:
            raise waiting.failure
    finally:
        waiting.end(drop=True)
        closing()
        maker.join()
