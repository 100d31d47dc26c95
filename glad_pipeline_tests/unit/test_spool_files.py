"""The spool's files: whole or not at all, private, bounded."""

import errno
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glad_pipeline.storage import spool as spool_room
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.storage.spool import Spool, SpoolDamaged, SpoolFull, spool_of

NAME = "0123456789abcdef" * 2
OTHER = "f" * 32
FACTS = {"recipe": {"prompt": "ein Hügel"}, "seconds": 1.5}
BODY = bytes(range(256)) * 2


@pytest.fixture
def spool(tmp_path):
    return Spool(tmp_path / "spool" / "bucket@aws", limit=10_000)


def test_what_was_put_is_read_back_and_gone_once_removed(spool):
    spool.put(NAME, FACTS, memoryview(BODY))
    again = Spool(spool.folder, limit=0)  # another process
    assert again.waiting() == [NAME]
    found = again.read(NAME)
    assert (found.facts, found.body) == (FACTS, BODY)
    again.remove(NAME)
    again.remove(NAME)  # as another process may have done
    assert (spool.read(NAME), spool.waiting(), spool.total()) == (None, [], (0, 0))


def test_nobody_else_may_read_it(spool):
    spool.put(NAME, FACTS, BODY)
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (spool.folder.parent, spool.folder, spool.folder / NAME)]
    assert modes == [0o700, 0o700, 0o600]


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_file_that_is_not_what_was_written_is_never_taken_for_it(data):
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder), limit=10_000)
        spool.put(NAME, FACTS, BODY)
        file = spool.folder / NAME
        whole = file.read_bytes()
        at = data.draw(st.integers(0, len(whole) - 1))
        damaged = data.draw(
            st.one_of(
                st.just(whole[:at]),
                st.integers(0, 7).map(lambda bit: whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]),
                st.binary(min_size=1, max_size=9).map(lambda extra: whole[:at] + extra + whole[at:]),
                st.just(whole[:at] + bytes(len(whole) - at)),  # as a power cut leaves it
                st.binary(max_size=99),
            )
        )
        file.write_bytes(damaged)
        try:
            found = spool.read(NAME)
        except SpoolDamaged:
            assert damaged != whole
            assert spool.quarantine(NAME).read_bytes() == damaged
            assert spool.waiting() == []
        else:
            assert (found.facts, found.body) == (FACTS, BODY)


def test_no_more_waits_than_may_and_there_is_room_again_after_a_delivery(tmp_path):
    spool = Spool(tmp_path / "spool", limit=700)
    spool.put(NAME, FACTS, BODY)
    spool.put(NAME, FACTS, BODY)  # the same one again takes no more room
    with pytest.raises(SpoolFull, match="may wait"):
        spool.put(OTHER, FACTS, BODY)
    Spool(spool.folder, limit=700).remove(NAME)  # by another process
    spool.put(OTHER, FACTS, BODY)
    assert spool.waiting() == [OTHER]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_no_more_leaves_nothing_half_written(spool, monkeypatch, number):
    def full(descriptor, parts):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as fault:
        fault.setattr(spool_room.os, "writev", full)
        with pytest.raises(OSError, match=os.strerror(number)):
            spool.put(NAME, FACTS, BODY)
    assert list(spool.folder.iterdir()) == []
    assert spool.total() == (0, 0)
    spool.put(NAME, FACTS, BODY)


def test_what_a_dead_process_was_writing_is_removed_and_a_live_ones_is_not_touched(spool):
    spool.put(NAME, FACTS, BODY)
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    (spool.folder / f"{OTHER}.{dead.pid}.new").write_bytes(b"half")
    living = spool.folder / f"{OTHER}.{os.getppid()}.new"
    living.write_bytes(b"half")
    assert spool.waiting() == [NAME]
    assert sorted(spool.folder.iterdir()) == sorted([living, spool.folder / NAME])


def test_what_waits_for_another_store_is_told_and_left_alone(tmp_path):
    other = Spool(tmp_path / "spool" / "old@aws", limit=10_000)
    other.put(NAME, FACTS, BODY)
    spool = Spool(tmp_path / "spool" / "new@aws", limit=10_000)
    assert (spool.waiting(), spool.elsewhere()) == ([], {other.folder: 1})


@pytest.mark.parametrize(
    ("store", "name"),
    [  # what waits from before is found under these names
        (S3Store(bucket="pictures", region="eu-central-1"), "pictures@aws"),
        (S3Store(bucket="pictures", endpoint_url="http://127.0.0.1:8333"), "pictures@127.0.0.1_8333"),
        (S3Store(bucket="pictures", endpoint_url="https://store.example/a/b/"), "pictures@store.example_a_b"),
        (S3Store(bucket="others", endpoint_url="https://store.example/a/b/"), "others@store.example_a_b"),
    ],
)
def test_each_bucket_has_a_folder_of_its_own_that_keeps_its_name(tmp_path, store, name):
    spool = spool_of(tmp_path, store, megabytes=3)
    assert (spool.folder, spool.limit) == (tmp_path / name, 3_000_000)
