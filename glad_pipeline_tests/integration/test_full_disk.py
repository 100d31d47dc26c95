"""The embedded servers on a disk that is really full: a small one of memory, where root may mount it."""

import os
import subprocess

import pytest

from glad_pipeline.database import Database, DatabaseError
from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.settings import Settings
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.protocol import StoreError

MEGABYTE = 1_000_000


@pytest.fixture
def small_home(tmp_path, monkeypatch, request):
    """A GLAD_HOME on a disk of so many megabytes."""
    disk = tmp_path / "small"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={request.param}m", "none"]
    mounted = os.geteuid() == 0 and subprocess.run(["mount", *options, disk], capture_output=True, check=False)
    if not mounted or mounted.returncode != 0:
        pytest.skip("a small disk can be mounted by root alone, where mounting is allowed")
    home = Home(disk / "home").prepare()
    monkeypatch.setenv("GLAD_HOME", str(home.path))
    yield home
    S3Server(home).stop()
    Postgres(home).stop()
    subprocess.run(["umount", disk], check=True)


def fill(home, *, leave):
    """Take all but so many bytes of the disk."""
    stat = os.statvfs(home.path)
    (home.path / "filler").write_bytes(bytes(stat.f_bavail * stat.f_frsize - leave))


@pytest.mark.parametrize("small_home", [20], indirect=True)
def test_a_database_for_which_there_is_no_room_from_the_beginning(small_home):
    with pytest.raises(GladError, match="initdb failed") as error:
        Postgres(small_home).start()
    assert f"the disk of {small_home.path} is full" in str(error.value)


@pytest.mark.parametrize("small_home", [80], indirect=True)
def test_servers_whose_disk_is_full_while_they_run(small_home):
    server = Postgres(small_home)
    server.start()
    fill(small_home, leave=MEGABYTE // 2)
    with Database(server.url(), patience=0) as database, pytest.raises(DatabaseError) as error:
        database.transact("claim", lambda c: c.execute("CREATE TABLE t AS SELECT generate_series(1, 3000000) AS n"))
    assert f"the disk of {small_home.path} is full" in str(error.value)
    assert "DATABASE_URL" not in str(error.value)
    server.stop()
    (small_home.path / "filler").unlink()

    store = S3Server(small_home)
    store.start()
    fill(small_home, leave=MEGABYTE)
    bucket = open_store(Settings(GLAD_HOME=small_home.path, _env_file=None, **store.environment()))
    with pytest.raises(StoreError) as error:
        bucket.put_once("generated/large.png", bytes(4 * MEGABYTE), content_type="image/png", metadata={})
    assert "no space left on device" in str(error.value)
    assert f"the disk of {small_home.path} is full" in str(error.value)
