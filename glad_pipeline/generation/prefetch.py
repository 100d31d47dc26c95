"""Drawing ahead: what makes the pictures runs on a thread of its own and never waits for what is done with them.

Knows nothing of pictures: any iterator will do.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

Made = TypeVar("Made")


def prefetch(
    items: Iterable[Made], size: int, *, closing: Callable[[], None] = lambda: None
) -> Generator[Made, None, None]:
    """Yield `items` in order while a thread makes the next ones.

    At most `size` (≥ 1) of them wait, and one more is in the maker's hand: then the maker waits, so memory stays flat.
    What the maker raises is raised here, after what came before it. Closed early, it waits until the item being made is
    done, and drops it. Only the maker's thread touches `items`, closing included; it starts with the first `next` and
    has ended when this generator has. `closing` is called before that is waited for: it ends what `items` waits for.
    """
    waiting: deque[Made] = deque()
    change = threading.Condition()
    over = False  # the maker has ended, or nobody wants more
    failure: BaseException | None = None

    def make() -> None:
        nonlocal over, failure
        try:
            source = iter(items)
            try:
                for item in source:
                    with change:
                        change.wait_for(lambda: over or len(waiting) < size)
                        if over:
                            break
                        waiting.append(item)
                        change.notify_all()
            finally:
                if isinstance(source, Generator):
                    source.close()
        except BaseException as error:  # noqa: BLE001 the consumer is told
            failure = error
        finally:
            with change:
                over = True
                change.notify_all()

    maker = threading.Thread(target=make, name="glad-ahead")
    maker.start()
    try:
        while True:
            with change:
                change.wait_for(lambda: waiting or over)
                if not waiting:
                    break
                item = waiting.popleft()
                change.notify_all()
            yield item
        if failure is not None:
            raise failure
    finally:
        with change:
            over = True
            waiting.clear()
            change.notify_all()
        closing()
        maker.join()
