"""Uploads in the background: overlapped, bounded, in order, and honest about failures."""

import threading
import time

import pytest

from glad_pipeline.storage.upload import in_background


def test_results_come_in_order_and_none_is_lost():
    def store(item):
        time.sleep(0.001 * (item % 3))
        return item

    assert list(in_background(range(200), store)) == list(range(200))


def test_the_next_item_is_made_while_the_last_is_stored():
    storing = threading.Event()
    made_meanwhile = threading.Event()

    def make():
        yield 1
        assert storing.wait(5)
        made_meanwhile.set()
        yield 2

    def store(item):
        storing.set()
        assert made_meanwhile.wait(5)
        return item

    assert list(in_background(make(), store)) == [1, 2]


def test_a_slow_store_holds_the_maker_back():
    alive, most = 0, 0
    lock = threading.Lock()

    def make():
        nonlocal alive, most
        for item in range(200):
            with lock:
                alive += 1
                most = max(most, alive)
            yield item

    def store(item):
        nonlocal alive
        time.sleep(0.002)
        with lock:
            alive -= 1
        return item

    assert len(list(in_background(make(), store, workers=4))) == 200
    assert most <= 2 * 4 + 1


def test_a_failed_upload_is_raised_and_what_has_not_begun_is_dropped():
    begun = []

    def store(item):
        begun.append(item)
        if item == 3:
            raise OSError("store down")
        return item

    with pytest.raises(OSError, match="store down"):
        list(in_background(range(1000), store, workers=2))
    assert len(begun) < 20


def test_a_maker_that_fails_does_not_lose_what_it_had_made():
    stored = []

    def make():
        yield 1
        yield 2
        raise RuntimeError("GPU lost")

    with pytest.raises(RuntimeError, match="GPU lost"):
        list(in_background(make(), stored.append))
    assert sorted(stored) == [1, 2]
