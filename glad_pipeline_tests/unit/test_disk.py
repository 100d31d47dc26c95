"""A full disk is named as such wherever it strikes, and an embedded server's trouble by its own log."""

import errno
import json
import logging
import os
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from glad_pipeline import disk, embedded
from glad_pipeline.database import DatabaseError, connect
from glad_pipeline.defs.failures import as_failure
from glad_pipeline.errors import GladError
from glad_pipeline.generation import file_hashes, hub
from glad_pipeline.local import bootstrap, home
from glad_pipeline.local.bootstrap import SetUpFailed
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.s3_errors import explained

LOGS = Path(__file__).parent / "logs"  # of servers whose disk was full


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def really_full():
    """The error of a real device that has no room left."""
    with pytest.raises(OSError, match="No space") as error, Path("/dev/full").open("wb", buffering=0) as device:
        device.write(b"x")
    return error.value


@pytest.mark.parametrize(
    ("error", "is_full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError(errno.EIO, "x"), False),
        (RuntimeError("Data processing error: IO Error: No space left on device (os error 28)"), True),
        (RuntimeError("a prompt about a full disk"), False),
    ],
)
def test_a_full_disk_is_known_by_number_or_words_also_as_the_cause(error, is_full):
    assert disk.is_full(error) is is_full
    outer = ValueError("cannot be kept")
    outer.__cause__ = error
    assert disk.is_full(outer) is is_full


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_device_without_room_is_known():
    assert disk.is_full(really_full())


def test_the_message_has_directory_free_space_and_cure(tmp_path):
    told = disk.full(tmp_path / "not" / "there")
    assert str(tmp_path / "not" / "there") in told
    assert " free): make room there, or set GLAD_HOME" in told
    assert disk.free(tmp_path / "not" / "there") > 0


@pytest.fixture
def no_room(monkeypatch):
    """Of every disk."""
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=4096))


@pytest.mark.parametrize(
    ("total", "free", "words", "is_said"),
    [
        (10**12, 10**10, "no free volumes", True),  # an S3 server keeps a share of the disk free
        (10**12, 10**11, "no free volumes", False),
        (10**10, 10**8, "No space left on device", True),
        (10**12, 10**11, "Disk quota exceeded", True),
    ],
)
def test_old_words_of_a_full_disk_are_not_repeated_of_one_with_room(monkeypatch, tmp_path, total, free, words, is_said):
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _: SimpleNamespace(total=total, free=free))
    assert bool(disk.full_by(words, tmp_path)) is is_said


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("postgres_full.log", "ERROR: could not write blocks 10..10"),
        ("initdb_full.log", 'FATAL: could not extend file "base/1/2691": wrote only 4096 of 8192'),
        ("s3_full.log", "write glad_1.dat: no space left on device"),
    ],
)
def test_a_server_s_log_tells_why_and_that_its_disk_is_full(log, line, tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / log).write_bytes((LOGS / log).read_bytes())
    report = embedded.report(tmp_path / "logs" / log)
    assert line in report
    assert "CREATE TABLE" not in report  # the statement
    assert "TLS handshake" not in report
    assert f"By this log the disk of {tmp_path} is full" in report
    assert len(report.splitlines()) <= embedded.LINES + 2


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize(
    ("part", "today"),
    [
        (
            "postgres",
            ["[1] LOG:  starting PostgreSQL 18.6", "[1] LOG:  server process (PID 7) was terminated by signal 9"],
        ),
        (
            "s3",
            [
                "I1129 04:48:52.572924 master.go:209 Start Seaweed Master 8000GB 4.48 pypi at 127.0.0.1:18302",
                "F1129 04:48:52.573279 master.go:250 master failed to listen: signal 9",
                "I1129 04:48:52.648102 master.go:279 Start Seaweed Master 8000GB 4.48 pypi grpc server at 127.0.0.1:28302",
            ],
        ),
    ],
)
def test_trouble_of_an_earlier_start_is_not_reported(tmp_path, part, today):
    log = tmp_path / "logs" / f"{part}.log"
    log.parent.mkdir()
    log.write_bytes((LOGS / f"{part}_full.log").read_bytes())
    with log.open("a") as file:
        file.write("\n" + "\n".join(today) + "\n")
    report = embedded.report(log)
    assert "signal 9" in report
    assert "full" not in report.removeprefix(str(log))
    assert "no space" not in report


@pytest.fixture
def embedded_servers(tmp_path, monkeypatch, no_room):
    """A GLAD_HOME whose servers are gone and have said why."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "state.json").write_text(json.dumps({"port postgres": 15001, "port s3": 15002}))
    for part in embedded.SERVERS:
        (tmp_path / "logs" / f"{part}.log").write_bytes((LOGS / f"{part}_full.log").read_bytes())
    monkeypatch.setenv("GLAD_HOME", str(tmp_path))
    return tmp_path


def test_an_embedded_database_that_is_gone_is_explained_by_its_log_and_no_setting_is_to_be_checked(embedded_servers):
    with pytest.raises(DatabaseError) as error:
        connect("postgresql://glad:hidden@127.0.0.1:15001/glad")
    assert "the embedded PostgreSQL" in str(error.value)
    assert f"the disk of {embedded_servers} is full" in str(error.value)
    assert "Check DATABASE_URL" not in str(error.value)
    with pytest.raises(DatabaseError, match="Check DATABASE_URL"):
        connect("postgresql://me:hidden@127.0.0.1:1/blog")


def test_a_step_whose_connection_was_cut_says_the_same(embedded_servers, monkeypatch):
    import psycopg

    monkeypatch.setenv("DATABASE_URL", "postgresql://glad:hidden@127.0.0.1:15001/glad")
    with pytest.raises(dg.Failure) as error, as_failure():
        raise psycopg.OperationalError("server closed the connection unexpectedly")
    assert f"the disk of {embedded_servers} is full" in error.value.description
    assert "hidden" not in error.value.description


def test_an_embedded_store_that_fails_is_explained_by_its_log(embedded_servers):
    from botocore.exceptions import ClientError, EndpointConnectionError

    answer = {"Error": {"Code": "InternalError"}, "ResponseMetadata": {"HTTPStatusCode": 500}}
    for raised in (ClientError(answer, "PutObject"), EndpointConnectionError(endpoint_url="http://127.0.0.1:15002")):
        with pytest.raises(StoreError) as error, explained("store x", "bucket 'glad' at http://127.0.0.1:15002"):
            raise raised
        assert "no space left on device" in str(error.value)
        assert f"the disk of {embedded_servers} is full" in str(error.value)
        assert "Check AWS_ENDPOINT" not in str(error.value)


@pytest.mark.parametrize("after", ["", " (attempt 3)", f" while writing {'y' * 900}"])
@pytest.mark.parametrize("path", [10, 220, 900])
def test_a_long_line_of_a_log_is_cut_where_it_does_not_say_the_cause(tmp_path, path, after):
    (tmp_path / "s3.log").write_text(
        f"E1129 08:00:00.000000 store.go:1 write /{'x' * path}/glad_1.dat: no space left on device{after}\n"
    )
    (line,) = embedded.telling(tmp_path / "s3.log")
    assert line.startswith("E1129 08:00:00.000000 store.go:1 write /xxx")
    assert "no space left on device" in line
    assert len(line) <= embedded.LONGEST


def test_a_step_that_finds_the_disk_full_says_where(tmp_path):
    with pytest.raises(dg.Failure) as error, as_failure():
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "compiled"))
    assert f"the disk of {tmp_path / 'compiled'} is full (" in error.value.description


def test_hashes_that_cannot_be_remembered_cost_a_warning_and_leave_nothing(tmp_path, monkeypatch, caplog):
    (tmp_path / "weights").write_bytes(b"x")
    hashes = file_hashes.FileHashes(tmp_path / "home" / "model-hashes.json")
    hashes.sha256(tmp_path / "weights")
    with monkeypatch.context() as fault, caplog.at_level(logging.WARNING):
        fault.setattr(file_hashes.json, "dump", full)
        hashes.save()
    assert f"the disk of {tmp_path / 'home'} is full" in caplog.text
    assert list((tmp_path / "home").iterdir()) == []
    hashes.save()
    assert (tmp_path / "home" / "model-hashes.json").exists()


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "x"), RuntimeError("Data processing error: No space left on device (os error 28)")]
)
def test_a_pull_that_fills_the_disk_names_the_cache_and_no_network(error):
    with pytest.raises(GladError) as told, hub._explained("someone/model", "0" * 40):
        raise error
    assert "make room there, or set HF_HOME" in str(told.value)
    assert "is full (" in str(told.value)
    assert "network" not in str(told.value)


def test_an_installation_that_fills_the_disk_says_so(tmp_path):
    command = [
        "sh",
        "-c",
        "echo 'ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device'; exit 1",
    ]
    with pytest.raises(SetUpFailed) as error:
        bootstrap.step("Installing", command, tmp_path / "log")
    assert "is full (" in str(error.value)
    assert "TMPDIR" in str(error.value)
    assert "Check the network" not in str(error.value)


def test_a_state_directory_on_a_full_disk_is_named_and_its_files_stay_as_they_were(tmp_path, monkeypatch):
    home.write_atomically(tmp_path / "state.json", "{}")
    with monkeypatch.context() as fault:
        fault.setattr(home.os, "fsync", full)
        with pytest.raises(OSError, match=r"state\.json"):
            home.write_atomically(tmp_path / "state.json", '{"a": 1}')
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"state.json": "{}"}
    with monkeypatch.context() as fault:
        fault.setattr(Path, "touch", full)
        with pytest.raises(GladError, match=r"GLAD_HOME .* the disk of .* is full"):
            home.Home(tmp_path / "home").prepare()
