"""How requests to a store are made: again while it is unreachable, many at a time. For stores; knows none of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from glad_pipeline.storage.protocol import CONCURRENCY, Outage, Seen, StoreError


class _Waited(Protocol):
    @property
    def outage(self) -> Outage: ...


Store = TypeVar("Store", bound=_Waited)
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def patiently(ask: Callable[Concatenate[Store, Given], Answer]) -> Callable[Concatenate[Store, Given], Answer]:
    """A request that is made again while the store is unreachable."""

    @wraps(ask)
    def asked(store: Store, /, *args: Given.args, **kwargs: Given.kwargs) -> Answer:
        failing = 0.0  # since when
        while True:
            try:
                answer = ask(store, *args, **kwargs)
            except StoreError as error:
                if not error.transient:
                    raise
                failing = failing or time.monotonic()
                store.outage.wait(error, failing)
            else:
                store.outage.over()
                return answer

    return asked


def each_of(keys: Iterable[str], look: Callable[[str], Seen | None], outage: Outage) -> dict[str, Seen]:
    """`look(key)` for many keys, some at a time; those it finds nothing for are left out."""
    keys = list(keys)
    with ThreadPoolExecutor(CONCURRENCY, thread_name_prefix="glad-look") as pool:
        try:
            return {key: seen for key, seen in zip(keys, pool.map(look, keys), strict=True) if seen is not None}
        except BaseException:  # Ctrl-C, say: the others need not wait for a store that is unreachable
            outage.give_up()
            raise
