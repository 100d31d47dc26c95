"""Where sockets lie: in a folder that is ours alone, under no name that another user can take first."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from glad_pipeline.local.home import LONGEST_FOLDER, Home


@pytest.fixture
def long_home(tmp_path):
    """A state directory whose path is too long for sockets, and odd."""
    home = Home(tmp_path / "a state directory, of a long name").prepare()
    yield home
    if home.path.exists():
        home.clear()


@pytest.fixture
def short_folder():
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as name:
        yield Path(name)


def test_where_the_path_is_short_sockets_lie_in_the_state_directory(short_folder):
    home = Home(short_folder / "home").prepare()
    assert home.sockets() == home.path / "run"
    assert stat.S_IMODE(home.sockets().stat().st_mode) == 0o700


def test_elsewhere_they_lie_in_a_folder_of_a_random_name_that_is_ours_alone_and_stays_the_same(long_home, tmp_path):
    folder = long_home.sockets()
    assert len(str(folder)) <= LONGEST_FOLDER
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert Home(long_home.path).sockets() == folder
    other = Home(tmp_path / "another state directory").prepare()
    assert other.sockets() not in (folder, other.path / "run")
    other.clear()


def opened(folder):
    folder.chmod(0o755)


def replaced_by_a_link(folder):
    folder.rmdir()
    folder.symlink_to("/")


def removed(folder):
    folder.rmdir()


def taken(folder):
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder to another user")
    os.chown(folder, 65534, 65534)


@pytest.mark.parametrize("happened", [opened, replaced_by_a_link, removed, taken])
def test_a_folder_that_is_no_longer_ours_alone_is_not_used_again(long_home, happened):
    before = long_home.sockets()
    happened(before)
    after = long_home.sockets()
    try:
        assert after != before
        assert stat.S_IMODE(after.lstat().st_mode) == 0o700
    finally:
        if before.is_symlink():
            before.unlink()
        elif before.exists():
            before.rmdir()


def test_it_goes_with_the_rest_and_is_left_while_somebody_is_in_it(long_home):
    folder = long_home.sockets()
    (folder / "ray").mkdir()
    long_home.leave_sockets()
    assert folder.exists()
    (folder / "ray").rmdir()
    long_home.leave_sockets()
    assert not folder.exists()
    folder = long_home.sockets()
    (folder / "ray").mkdir()
    long_home.clear()
    assert not folder.exists()


def test_leaving_sockets_makes_no_folder_and_takes_away_what_is_named(long_home):
    """Else `glad down` could not stop the servers of a full disk."""
    long_home.leave_sockets("code.sock", "tmp")
    assert long_home.recall("sockets") is None
    folder = long_home.sockets()
    (folder / "tmp" / "deep").mkdir(parents=True)
    (folder / "python").symlink_to("/")
    (folder / "another").touch()
    long_home.leave_sockets("code.sock", "tmp", "python")
    assert [each.name for each in folder.iterdir()] == ["another"]
    (folder / "another").unlink()
    long_home.leave_sockets()
    assert not folder.exists()
