"""What a power cut may cost: the batch drawn last, since the disk is not waited for before the next one."""

import errno
import os
import threading

import dagster as dg
import pytest

from glad_pipeline.pipeline.delivery import Delivery
from glad_pipeline.pipeline.spooled_picture import name_of
from glad_pipeline.records import Prompt
from glad_pipeline.storage import spool as spool_room
from glad_pipeline.storage.memory import Memory
from glad_pipeline.storage.spool import Spool
from glad_pipeline.testing import InstantSdxl

SHORT, LONG = 0.3, 20.0  # seconds in which nothing happens; in which what must happen does


class Disk:
    """`os.fsync` that waits for `works`, and notes which files it was asked for."""

    def __init__(self, monkeypatch):
        self.works, self.failure, self.synced = threading.Event(), None, []
        monkeypatch.setattr(spool_room.os, "fsync", self.fsync)

    def fsync(self, descriptor):
        assert self.works.wait(LONG)
        if self.failure:
            raise self.failure
        self.synced.append(os.fstat(descriptor).st_ino)


@pytest.fixture
def disk(monkeypatch):
    disk = Disk(monkeypatch)
    yield disk
    disk.works.set()


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool" / "bucket", limit=10**6)


@pytest.fixture
def delivery(spool, disk):
    with (
        Memory("bucket") as memory,
        Delivery(memory.store("bucket"), spool, run_id="r", log=dg.get_dagster_logger()) as delivery,
    ):
        yield delivery
        disk.works.set()


def batches(count):
    """So many pictures, each a batch."""
    sdxl = InstantSdxl()
    recipes = [sdxl.recipe(Prompt(id=seed, prompt="a hill", seed=seed)) for seed in range(count)]
    return [list(sdxl.generate([recipe])) for recipe in recipes]


def begins(delivery):
    """An event that is set as soon as the next batch may begin."""
    begun = threading.Event()
    threading.Thread(target=delivery.before_drawing, args=(begun.set,), daemon=True).start()
    return begun


def test_a_batch_waits_for_the_disk_of_the_last_but_one_and_not_of_the_last(delivery, spool, disk):
    first, second = batches(2)
    assert begins(delivery).wait(LONG)
    list(delivery.written_ahead(first))
    assert begins(delivery).wait(LONG)
    assert spool.read(name_of(first[0].recipe)) is not None  # so it outlives this process
    list(delivery.written_ahead(second))
    third = begins(delivery)
    assert not third.wait(SHORT)
    disk.works.set()
    assert third.wait(LONG)
    folder, file = (path.stat().st_ino for path in (spool.folder, spool.folder / name_of(first[0].recipe)))
    assert disk.synced.index(file) < disk.synced.index(folder)


def test_what_the_store_has_is_not_waited_for(delivery, spool, disk):
    for batch in batches(3):
        assert begins(delivery).wait(LONG)
        list(delivery.written_ahead(batch))
        delivery.send(batch[0])
        list(delivery.rest())
    assert begins(delivery).wait(LONG)
    assert (spool.waiting(), disk.synced) == ([], [])


def test_a_disk_that_cannot_sync_is_told_and_holds_nobody_up(delivery, spool, disk, caplog):
    disk.failure = OSError(errno.EIO, "Input/output error")
    disk.works.set()
    for batch in batches(3):
        assert begins(delivery).wait(LONG)
        list(delivery.written_ahead(batch))
    assert begins(delivery).wait(LONG)
    assert "are not safe from a power cut: Input/output error" in caplog.text
    assert len(spool.waiting()) == 3


def test_what_is_gone_needs_no_sync(spool):
    spool.put("a" * 32, {}, b"1")
    spool.sync(["a" * 32, "b" * 32])
    Spool(spool.folder.with_name("never made"), limit=1).sync(["a" * 32])
