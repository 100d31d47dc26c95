"""`glad up`: one at a time, whole or not at all, and nothing left behind however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import psutil
import pytest

from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import gone

GLAD = [sys.executable, "-m", "glad_pipeline.cli"]


def command_of(process):
    """The first words of it; nothing of one that has just ended."""
    try:
        return " ".join(process.cmdline()[:4])
    except psutil.Error:
        return ""


class Up:
    """A `glad up` in a state directory of its own, and every process that ever was its child."""

    def __init__(self, home):
        self.home = Home(home).prepare()
        self.environment = os.environ | {"GLAD_HOME": str(home), "GLAD_SENSOR": "false", "GLAD_WEB_PORT": "23000"}
        self.process = subprocess.Popen(
            [*GLAD, "up"], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for line in self.process.stdout:
            if "Ctrl-C" in line:
                break
        assert self.process.poll() is None, self.process.stderr.read()
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    @property
    def state(self):
        return describe(self.home)

    def glad(self, command):
        return subprocess.run([*GLAD, command], env=self.environment, capture_output=True, text=True, check=False)

    def survivors(self, seconds=15):
        deadline = time.monotonic() + seconds
        while not all(gone(member) for member in self.family) and time.monotonic() < deadline:
            time.sleep(0.1)
        return [member for member in self.family if not gone(member)]


@pytest.fixture
def up(tmp_path):
    running = Up(tmp_path / "glad home")
    yield running
    running.process.kill()
    running.process.communicate()
    running.glad("down")


def test_it_serves_the_web_ui_refuses_a_second_one_and_ends_on_sigint(up):
    assert len(up.family) >= 4
    asked = urllib.request.Request(up.state["url"] + "/server_info")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(asked, timeout=10)
    token = up.home.path / "web-token"
    assert token.stat().st_mode & 0o777 == 0o600
    asked.add_header("Authorization", f"Bearer {token.read_text()}")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 200
    second = up.glad("up")
    assert second.returncode == 1
    assert up.state["url"] in second.stderr
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=60) == 0
    assert up.survivors(seconds=1) == []
    assert up.state is None


def test_down_stops_it_and_a_taken_port_moves_the_web_ui(tmp_path):
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", 23000))
        other.listen()
        up = Up(tmp_path / "home")
        assert not up.state["url"].endswith(":23000")
        assert up.glad("down").stdout.startswith("stopped: glad up")
        out = up.process.communicate()[1]
    assert up.process.returncode == 0
    assert "port 23000 is taken" in out
    assert up.survivors(seconds=1) == []


@pytest.mark.parametrize("victim", ["dagster._daemon", "defs.webserver", "postgres", "weed"])
def test_when_a_part_dies_the_rest_is_stopped_and_the_part_is_named(up, victim):
    next(m for m in up.family if victim in command_of(m)).kill()
    errors = up.process.communicate(timeout=60)[1]
    assert up.process.returncode == 1
    named = {"dagster._daemon": "the daemon ended", "defs.webserver": "the web UI ended"}
    assert named.get(victim, "died. Its log") in errors
    assert up.survivors(seconds=1) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_kill_9_of_it_leaves_nothing_either(up):
    up.process.kill()
    assert up.survivors() == []
