"""`glad up`: one at a time, what dies is started again, and nothing is left behind however it ends."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from glad_pipeline.http_client import local_status
from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.node import find_node
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.processes import gone

PORT = 24_600  # Ray looks for ports of its own from 23,000 to 24,000
GLAD = [sys.executable, "-m", "glad_pipeline.cli"]
SITE = {"next-server": "the site"} if find_node(Path(sys.prefix)) else {}  # as Next calls its process


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
        ports = dict.fromkeys(("GLAD_WEB_PORT", "GLAD_GATEWAY_PORT", "GLAD_SITE_PORT"), str(PORT))  # each has the next
        ports["GLAD_SITE"] = "on" if SITE else "off"
        self.environment = os.environ | {"GLAD_HOME": str(home), "GLAD_SENSOR": "false"} | ports
        self.errors = home.with_name("errors")
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [*GLAD, "up"], env=self.environment, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self.printed = []
        for line in self.process.stdout:
            self.printed.append(line)
            if "Ctrl-C" in line:
                break
        assert self.process.poll() is None, self.said
        self.family = psutil.Process(self.process.pid).children(recursive=True)

    @property
    def said(self):
        return self.errors.read_text()

    def part(self, words):
        """The process of it that such words started, if it lives."""
        for member in psutil.Process(self.process.pid).children(recursive=True):
            if words in command_of(member) and not gone(member):
                return member
        return None

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


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    """Where its first port is taken."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", PORT))
        other.listen()
        running = Up(tmp_path_factory.mktemp("up") / "glad home")
    yield running
    running.process.kill()
    running.process.wait()
    running.glad("down")


def answers(up):
    """The status that the web UI gives to whoever has the token; None: it does not answer."""
    asked = urllib.request.Request(up.state["url"] + "/server_info")
    asked.add_header("Authorization", f"Bearer {(up.home.path / 'web-token').read_text()}")
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status
    except OSError:
        return None


def soon(condition, seconds=120):
    """The first true answer of the condition; fails if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return answer


def test_it_serves_the_web_ui_at_a_free_port_to_whoever_opens_the_address_that_it_prints(up):
    assert len(up.family) >= 4
    urls = up.state["url"], up.state["gateway"]
    assert len({*urls, f"http://127.0.0.1:{PORT}"}) == 3
    assert f"port {PORT} is taken" in up.said
    asked = urllib.request.Request(up.state["url"] + "/server_info")
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(asked, timeout=10)
    assert (up.home.path / "web-token").stat().st_mode & 0o777 == 0o600
    assert answers(up) == 200
    [link] = [line.split()[1] for line in up.printed if line.startswith("Dagster ")]
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    browser.addheaders = [("Sec-Fetch-Site", "same-origin")]
    for address in (link, up.state["url"] + "/server_info"):
        with browser.open(address, timeout=10) as answer:
            assert answer.status == 200


def test_it_refuses_a_second_one(up):
    second = up.glad("up")
    assert second.returncode == 1
    assert up.state["url"] in second.stderr


PARTS = {  # words of the command that is killed: what it is called
    "defs.daemon": "the daemon",
    "defs.webserver": "the web UI",
    "glad_pipeline.gateway": "the gateway",
    "defs.code_server": "the code server",
    "postgres -D": "PostgreSQL",
    "weed": "the S3 server",
    **SITE,
}


def test_what_is_killed_is_started_again_at_its_place_and_told_once(up):
    """All at once: each is an outage of its own."""
    database, store = Postgres(up.home), S3Server(up.home)
    ports = database.port, store.port
    victims = {words: up.part(words) for words in PARTS}
    for victim in victims.values():
        victim.kill()
    for words, name in PARTS.items():
        soon(lambda name=name: f"{name} runs again" in up.said or up.process.poll())
        assert up.process.poll() is None, up.said
        assert soon(lambda words=words: up.part(words)) != victims[words]  # Next names its process a moment later
        assert up.said.count(f"{name} died. Its log") + up.said.count(f"{name} ended (exit") == 1
    assert (database.port, store.port) == ports
    psycopg.connect(database.url()).close()
    assert local_status(store.port, "/healthz") == 200
    soon(lambda: local_status(urlsplit(up.state["gateway"]).port, "/readyz") == 200)
    soon(lambda: answers(up) == 200)
    if SITE:
        soon(lambda: local_status(urlsplit(up.state["site"]).port, "/robots.txt") is not None)


def test_sigint_ends_it_with_what_was_started_again(up):
    up.family = psutil.Process(up.process.pid).children(recursive=True)
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=120) == 0, up.said
    assert up.survivors(seconds=1) == []
    assert up.state is None


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_kill_9_of_it_leaves_nothing_either(tmp_path):
    up = Up(tmp_path / "home")
    up.process.kill()
    assert up.survivors() == []
    up.process.wait()
    up.glad("down")
