"""Making ahead: overlapped, bounded, in order, honest about failures, and over when nobody listens."""

import threading
import time

import pytest

from glad_pipeline.generation.prefetch import prefetch

SOON = 5  # seconds; only a failing test waits that long


def makers():
    return [thread for thread in threading.enumerate() if thread.name == "glad-prefetch"]


@pytest.fixture(autouse=True)
def _no_thread_is_left_behind():
    yield
    assert makers() == []


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_items_come_in_order_and_none_is_lost(size):
    assert list(prefetch(range(200), size)) == list(range(200))


def test_nothing_comes_of_nothing():
    assert list(prefetch([], 3)) == []


def test_the_next_item_is_made_while_the_consumer_is_busy():
    made_meanwhile = threading.Event()

    def make():
        yield 1
        made_meanwhile.set()
        yield 2

    stream = prefetch(make(), 1)
    assert next(stream) == 1
    assert made_meanwhile.wait(SOON)
    assert list(stream) == [2]


@pytest.mark.parametrize("size", [1, 4])
def test_a_busy_consumer_holds_the_maker_back(size):
    alive, most = 0, 0
    lock = threading.Lock()

    def make():
        nonlocal alive, most
        for item in range(100):
            with lock:
                alive += 1
                most = max(most, alive)
            yield item

    stream = prefetch(make(), size)
    next(stream)
    with lock:
        alive -= 1
    time.sleep(0.05)  # enough to make too many
    assert most <= size + 2  # those that wait, one in the maker's hand, one in ours
    for _ in stream:
        with lock:
            alive -= 1
    assert most <= size + 2


def test_nothing_is_made_before_it_is_asked_for():
    asked = []
    stream = prefetch(iter(lambda: asked.append(1), None), 3)
    assert asked == makers() == []
    stream.close()
    assert asked == []


def test_what_the_maker_raises_is_raised_after_what_came_before_it():
    class GpuLostError(Exception):
        pass

    def make():
        yield 1
        yield 2
        raise GpuLostError

    stream = prefetch(make(), 5)
    assert [next(stream), next(stream)] == [1, 2]
    with pytest.raises(GpuLostError):
        next(stream)


def test_a_maker_that_cannot_even_begin_says_so():
    with pytest.raises(TypeError, match="not iterable"):
        next(prefetch(3, 1))


@pytest.mark.parametrize("taken", [1, 3])
def test_a_consumer_that_closes_ends_the_maker_at_its_next_item(taken):
    made = []

    def make():
        for item in range(1000):
            made.append(item)
            yield item

    stream = prefetch(make(), 2)
    for _ in range(taken):
        next(stream)
    stream.close()
    assert makers() == []
    assert len(made) <= taken + 3
    assert list(stream) == []


def test_a_consumer_that_fails_ends_the_maker_too():
    def make():
        for _ in range(10_000):
            yield 1

    def consume():
        for item in prefetch(make(), 1):
            raise ValueError(item)

    with pytest.raises(ValueError, match="1"):
        consume()
    # the fixture: no thread is left once the traceback is


def test_a_close_while_an_item_is_being_made_waits_for_it_and_drops_it():
    making, go_on, after = threading.Event(), threading.Event(), []

    def make():
        yield 1
        making.set()
        assert go_on.wait(SOON)
        yield 2
        after.append(3)

    stream = prefetch(make(), 1)
    next(stream)
    assert making.wait(SOON)
    closing = threading.Thread(target=stream.close)
    closing.start()
    assert makers() != []
    go_on.set()
    closing.join(SOON)
    assert (makers(), after) == ([], [])


def test_the_source_lives_and_ends_in_the_makers_thread():
    where = set()

    def make():
        try:
            for _ in range(10_000):
                where.add(threading.current_thread().name)
                yield 1
        finally:
            where.add(f"closed in {threading.current_thread().name}")

    stream = prefetch(make(), 1)
    next(stream)
    stream.close()
    assert where == {"glad-prefetch", "closed in glad-prefetch"}


def test_a_failing_clean_up_of_the_maker_does_not_hide_the_consumers_own_error():
    def make():
        try:
            for _ in range(10_000):
                yield 1
        finally:
            raise OSError("cleaning up failed")

    def consume():
        stream = prefetch(make(), 1)
        try:
            next(stream)
            raise KeyError("mine")
        finally:
            stream.close()

    with pytest.raises(KeyError, match="mine"):
        consume()


def test_many_streams_at_once_do_not_mix():
    streams = [prefetch(range(start, start + 50), 3) for start in range(0, 500, 50)]
    assert [list(each) for each in zip(*streams, strict=True)] == [list(range(k, 500, 50)) for k in range(50)]
