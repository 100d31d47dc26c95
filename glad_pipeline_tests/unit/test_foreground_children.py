"""The programs of `glad up`: what one that has ended has left is ended while its number is nobody else's."""

import errno
import os
import signal
import subprocess
import tempfile

import psutil
import pytest

from glad_pipeline.errors import GladError
from glad_pipeline.local import children, foreground
from glad_pipeline.local.children import Child, Program
from glad_pipeline.local.foreground import Ports
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import gone, shorten, wait_until
from glad_pipeline.settings import settings_of


def test_what_a_dead_program_has_left_is_ended_before_it_is_reaped_and_never_looked_for_again(tmp_path, monkeypatch):
    left = tmp_path / "left"
    words = ["sh", "-c", f"sleep 1000 & echo $! > {left}; exit 3"]
    log = tmp_path / "program.log"
    log.touch()
    leader = subprocess.Popen(words, start_new_session=True)
    child = Child("program", Program(command=words, environment=dict(os.environ), folder=tmp_path), log, leader)
    wait_until(lambda: gone(psutil.Process(leader.pid)), 30)
    assert leader.returncode is None
    member = psutil.Process(int(left.read_text()))
    assert "ended (exit 3)" in child.death()
    assert gone(member)

    def of_another(session):
        raise AssertionError(f"the session {session} may be another's by now")

    monkeypatch.setattr(children, "session_members", of_another)
    monkeypatch.setattr(children, "end_session", of_another)
    monkeypatch.setattr(children, "spawn", lambda *_, **__: leader)
    assert "ended (exit 3)" in child.death()
    child.start_again()
    child.end()


def test_a_program_that_runs_has_not_ended(tmp_path):
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as leader:
        child = Child("program", Program(command=[], environment={}, folder=tmp_path), tmp_path / "log", leader)
        assert child.death() is None
        child.end()
        assert leader.returncode is not None


def test_the_code_server_is_given_each_option_once(tmp_path):
    words = foreground._programs(tmp_path / "code", tmp_path / "workspace.yaml", Ports(web=3000, gateway=None))[
        "code server"
    ]
    options = [word for word in words if word.startswith("--")]
    assert sorted(options) == sorted(set(options))
    assert {"--location-name", "--socket", "--use-python-environment-entry-point"} <= set(options)


def test_a_log_that_grows_long_is_begun_anew_by_a_writer_that_goes_on(tmp_path):
    log = tmp_path / "program.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 100)
        shorten(log, 100)
        assert log.stat().st_size == 100
        writer.write(b"y")
        shorten(log, 100)
        writer.write(b"z")
    assert log.read_bytes() == b"z"
    assert log.with_name("program.log.1").read_bytes() == b"x" * 100 + b"y"
    shorten(tmp_path / "none.log", 100)


def test_the_way_down_writes_nothing_and_is_walked_to_its_end_on_a_full_disk(tmp_path, monkeypatch):
    home, stopped = Home(tmp_path / "home").prepare(), []
    (home.path / "up.json").touch()

    def is_full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkstemp", is_full)
    monkeypatch.setattr(foreground.stack, "stop", stopped.append)
    settings = settings_of({"GLAD_HOME": str(home.path)})
    before = {number: signal.getsignal(number) for number in foreground.ENDS}
    try:
        foreground._end(settings, home, [], before)
    finally:
        after = {number: signal.signal(number, handler) for number, handler in before.items()}
    assert (stopped, after) == ([settings], before)
    assert not (home.path / "up.json").exists()


def test_a_way_down_that_fails_leaves_the_signals_as_they_were(tmp_path, monkeypatch):
    def fails(_):
        raise GladError("the S3 server does not end")

    monkeypatch.setattr(foreground.stack, "stop", fails)
    before = {number: signal.getsignal(number) for number in foreground.ENDS}
    try:
        with pytest.raises(GladError, match="does not end"):
            foreground._end(settings_of({}), Home(tmp_path / "home").prepare(), [], before)
    finally:
        after = {number: signal.signal(number, handler) for number, handler in before.items()}
    assert after == before
