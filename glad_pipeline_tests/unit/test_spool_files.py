"""The spool's files: whole or not at all, private, bounded; and a store that is away, asked again for so long."""

import errno
import os
import socket
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from glad_pipeline.storage import spool as spool_room
from glad_pipeline.storage.s3 import Outage, S3Store, StoreError, _hex, _may_pass
from glad_pipeline.storage.spool import Spool, SpoolDamaged, SpoolFull

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
    def full(descriptor):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as fault:
        fault.setattr(spool_room.os, "fsync", full)
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


def store_at(endpoint, **given):
    return S3Store(bucket="b", endpoint_url=endpoint, access_key_id="a", secret_access_key="b", **given)


def test_a_store_that_is_away_is_asked_again_for_so_long_and_the_reason_is_told():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    store, told = store_at(f"http://127.0.0.1:{port}", patience=0.5), []
    store.outage.tell = told.append
    with pytest.raises(
        StoreError, match=r"the store has not answered for \d+ s: could not list objects .*network"
    ) as e:
        store.check()
    assert e.value.transient
    assert len(told) == 1  # one line in five seconds


def test_a_host_that_does_not_exist_is_a_mistake_and_not_waited_for():
    with pytest.raises(StoreError, match="AWS_ENDPOINT_URL_S3") as error:
        store_at("http://no-such-host.invalid:9", patience=1_000).check()
    assert not error.value.transient


@pytest.mark.parametrize(("status", "passes"), [(501, False), (500, True), (503, True), (507, True)])
def test_what_a_store_cannot_do_at_all_is_not_waited_for(status, passes):
    answer = {"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert _may_pass(ClientError(answer, "PutObject")) is passes


def test_nobody_waits_for_a_store_once_the_run_ends():
    outage = Outage(1_000)
    outage.give_up()
    with pytest.raises(StoreError, match="away"):
        outage.wait(StoreError("away", transient=True), time.monotonic())


def test_a_request_that_is_never_answered_is_given_up_although_others_are():
    outage, tries = Outage(0.2), []

    def always_refused(began):
        for _ in range(50):
            outage.wait(StoreError("500 for this key", transient=True), began)
            outage.over()  # somebody else was answered
            tries.append(1)

    with pytest.raises(StoreError, match="500 for this key"):
        always_refused(time.monotonic())
    assert tries


@pytest.mark.parametrize(
    ("checksum", "digits"),
    [(None, None), ("", None), ("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=-3", None), ("AAAA", None)],
)
def test_a_checksum_of_parts_or_of_nothing_is_no_sha256(checksum, digits):
    assert _hex(checksum) == digits
    assert _hex("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")[:8] == "2cf24dba"
