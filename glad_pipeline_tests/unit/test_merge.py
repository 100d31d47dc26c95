"""Two ordered streams side by side: the audit's heart, without servers."""

import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing import get_context

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glad_pipeline.errors import GladError
from glad_pipeline.operations.audit.merge import in_order, merge


@dataclass(frozen=True, slots=True)
class Key:
    key: str


keys = st.sets(st.text(max_size=3), max_size=30)


def by_bytes(some):
    return [Key(key) for key in sorted(some, key=lambda key: key.encode("utf-8", "surrogatepass"))]


@given(keys, keys)
def test_each_key_of_either_stream_comes_once_and_with_its_like(left, right):
    merged = list(merge(in_order(by_bytes(left), "left"), in_order(by_bytes(right), "right")))
    assert {a.key for a, b in merged if b is None} == left - right
    assert {b.key for a, b in merged if a is None} == right - left
    assert {a.key for a, b in merged if a and b} == left & right
    assert all(a is None or b is None or a.key == b.key for a, b in merged)
    assert len(merged) == len(left | right)


@given(st.lists(st.text(max_size=2), max_size=10))
def test_a_stream_out_of_order_is_said_at_the_first_key_that_is(some):
    first = next((place for place in range(1, len(some)) if some[place] <= some[place - 1]), None)
    given = []
    told = nullcontext() if first is None else pytest.raises(GladError, match="not the order of the keys' bytes")
    with told:
        for item in in_order(map(Key, some), "the listing"):
            given.append(item.key)
    assert given == some[:first]


def merged_a_million_of_each():
    """Keys in both, in one alone, and the peak of the heap in the last tenth, in bytes.

    What had been kept of the first nine tenths would still grow in the last.
    """
    million = 1_000_000

    def numbered(numbers):
        return map(Key, map("generated/%032x".__mod__, numbers))

    def objects():
        yield from numbered(range(0, 1_800_000, 2))
        tracemalloc.start()
        yield from numbered(range(1_800_000, 2 * million, 2))

    both = only_objects = only_rows = peak = 0
    for stored, row in merge(in_order(objects(), "the listing"), numbered(range(0, 3 * million, 3))):
        if row is None:
            only_objects += 1
        elif stored is None:
            only_rows += 1
        else:
            both += 1
        if row is not None and row.key == f"generated/{2_000_001:032x}":
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    return both, only_objects, only_rows, peak


def test_a_million_of_each_are_merged_in_flat_memory():
    million = 1_000_000
    # In a process of its own: the heap of this one is also that of other tests' threads.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        both, only_objects, only_rows, peak = alone.submit(merged_a_million_of_each).result()
    assert both == (2 * million + 5) // 6
    assert (only_objects, only_rows) == (million - both, million - both)
    assert 0 < peak < 1e5, peak
