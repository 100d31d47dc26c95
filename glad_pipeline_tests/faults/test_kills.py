"""Killed and stopped: our runs, PostgreSQL, the S3 server; and what else a machine does to a run: full disks, clocks."""

from __future__ import annotations

import signal
import time

import pytest

from glad_pipeline.testing.generator import BATCH
from glad_pipeline_tests.faults.cells import databases, side_by_side
from glad_pipeline_tests.faults.kills import (
    add_hills,
    free_the_disk,
    held_by_the_living,
    lease_is_over,
    recover_and_examine,
    run_and_wait,
    run_on_a_full_disk,
    run_with_a_clock_that_jumps,
)
from glad_pipeline_tests.faults.processes import Child, call, eventually
from glad_pipeline_tests.faults.servers import Servers
from glad_pipeline_tests.faults.stores import buckets
from glad_pipeline_tests.faults.world import DRAW_LOG, emptied

PROMPTS = 30


class Waiting:
    """A run in a process of its own that waits at given moments."""

    def __init__(self, environment, folder, *moments):
        self.folder = folder
        self.child = Child(run_and_wait, list(moments), str(folder), environment=environment, log=folder / "run.log")

    def reached(self, place=0):
        eventually(lambda: (self.folder / f"at {place}").exists() or not self.child.running, 60, what=f"moment {place}")
        assert (self.folder / f"at {place}").exists(), self.child.wait().log

    def go_on(self, place=0):
        (self.folder / f"go {place}").touch()

    def ended(self):
        ended = self.child.wait()
        assert ended.exitcode == 0, ended.log
        return ended.result


def nothing_broken(environment, folder):
    recovery, findings = call(recover_and_examine, environment=environment, log=folder / "recovery.log")
    assert not any(recovery)
    assert not findings.broken
    assert findings.published == PROMPTS
    assert findings.redrawn == 0


# --- runs ------------------------------------------------------------------------------------------------------------

# at which moment a run is stopped, and how far the other one has come when it wakes
STOPS = [
    ("claim.after", 1, "has finished"),
    ("begin_drawing.after", 3, "has claimed"),
    ("begin_drawing.after", 3, "has finished"),
    ("catalogue.begin", 1, "has claimed"),
    ("catalogue.after", 1, "has finished"),
    ("publish.after", 1, "has finished"),
]


@pytest.fixture(scope="module")
def stopped(stack, tmp_path_factory):
    """How a run ended that was stopped at a moment and its rows taken over by another, and what was left."""

    def run(stop, environment, folder):
        at, occurrence, other_run = stop
        call(add_hills, PROMPTS, environment=environment, log=folder / "log")
        waiting = Waiting(environment, folder, (at, occurrence))
        waiting.reached()
        waiting.child.kill(signal.SIGSTOP)
        while not call(lease_is_over, environment=environment, log=folder / "log"):
            waiting.child.kill(signal.SIGCONT)  # another of its threads was in the middle of a transaction
            time.sleep(0.2)
            waiting.child.kill(signal.SIGSTOP)
        waiting.go_on()
        (folder / "other").mkdir()
        other = Waiting(environment, folder / "other", ("claim.after", 1))
        other.reached()
        if other_run == "has finished":
            other.go_on()
            assert other.ended() is None
        waiting.child.kill(signal.SIGCONT)
        ended = waiting.ended()
        if other_run == "has claimed":
            assert call(held_by_the_living, environment=environment, log=folder / "log") == PROMPTS
            other.go_on()
            assert other.ended() is None
        return ended, call(recover_and_examine, environment=environment, log=folder / "log")

    done = side_by_side(stack, tmp_path_factory.mktemp("stops"), STOPS, run)
    return dict(zip(STOPS, done, strict=True))


@pytest.mark.few(1)
@pytest.mark.parametrize("stop", STOPS, ids=lambda stop: f"{stop[0]}, the other {stop[2]}")
def test_a_run_stopped_for_longer_than_its_lease_commits_nothing_when_it_wakes(stop, stopped):
    if isinstance(stopped[stop], Exception):
        raise stopped[stop]
    ended, (recovery, findings) = stopped[stop]
    assert not any(recovery)
    assert not findings.broken
    assert findings.published == PROMPTS
    assert findings.redrawn <= BATCH
    if stop[0] == "begin_drawing.after":
        assert "longer than its lease" in ended
    elif stop[0].startswith(
        ("catalogue", "publish")
    ):  # while it draws: when it wakes it finds that out at its next batch, if any
        assert ended is None or "longer than its lease" in ended
    else:
        assert ended is None


@pytest.fixture
def environment(stack, tmp_path):
    """A fresh database and bucket on the tests' own servers, with PROMPTS prompts."""
    with buckets(stack, 1) as [variables], databases(stack["DATABASE_URL"], 1) as [url]:
        environment = {
            **variables,
            "DATABASE_URL": url,
            "GLAD_HOME": str(tmp_path / "home"),
            DRAW_LOG: str(tmp_path / "draws"),
        }
        call(add_hills, PROMPTS, environment=environment, log=tmp_path / "log")
        yield environment
        call(emptied, environment=environment, log=tmp_path / "log")


@pytest.mark.deep  # one stopped for longer than its lease shows more
def test_a_run_stopped_for_a_moment_goes_on(environment, tmp_path):
    waiting = Waiting(environment, tmp_path, ("begin_drawing.after", 3))
    waiting.reached()
    waiting.child.kill(signal.SIGSTOP)
    time.sleep(1)
    waiting.child.kill(signal.SIGCONT)
    waiting.go_on()
    assert waiting.ended() is None
    nothing_broken(environment, tmp_path)


def test_two_runs_whose_clocks_jump_a_day_apart_share_the_work(environment, tmp_path):
    half = {**environment, "GLAD_BATCH_SIZE": "15"}
    children = [
        Child(run_with_a_clock_that_jumps, jump, environment=half, log=tmp_path / f"{jump}.log")
        for jump in (86_400.0, -86_400.0)
    ]
    assert [child.wait().result for child in children] == [None, None]
    nothing_broken(environment, tmp_path)


def test_a_database_whose_disk_is_full_for_a_moment_costs_nothing(environment, tmp_path):
    patient = {**environment, "GLAD_DATABASE_PATIENCE_SECONDS": "20"}
    assert call(run_on_a_full_disk, 3, environment=patient, log=tmp_path / "log") is None
    nothing_broken(environment, tmp_path)


def test_a_database_whose_disk_stays_full_fails_the_run_with_its_words(environment, tmp_path):
    impatient = {**environment, "GLAD_DATABASE_PATIENCE_SECONDS": "0.3"}
    assert "its disk is full" in call(run_on_a_full_disk, 1_000_000, environment=impatient, log=tmp_path / "log")
    call(free_the_disk, environment=environment, log=tmp_path / "log")
    nothing_broken(environment, tmp_path)


# --- servers ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(tmp_path_factory):
    with Servers(tmp_path_factory.mktemp("killed") / "home") as servers:
        yield servers


@pytest.fixture
def own(servers, tmp_path):
    """As `environment`, on servers that may be killed."""
    with buckets(servers.direct, 1) as [variables], databases(servers.direct["DATABASE_URL"], 1) as [url]:
        own = {**variables, "DATABASE_URL": url, "GLAD_HOME": str(tmp_path / "home"), DRAW_LOG: str(tmp_path / "draws")}
        own["GLAD_DATABASE_PATIENCE_SECONDS"] = "30"
        call(add_hills, PROMPTS, environment=own, log=tmp_path / "log")
        yield own


def test_a_run_lives_through_kill_9_of_postgresql_while_it_draws_and_while_it_publishes(servers, own, tmp_path):
    waiting = Waiting(own, tmp_path, ("begin_drawing.after", 3), ("publish.before", 1))
    for place in range(2):
        waiting.reached(place)
        servers.signal_postgres(signal.SIGKILL)
        waiting.go_on(place)
        servers.start_postgres()
    assert waiting.ended() is None
    nothing_broken(own, tmp_path)


def test_a_run_lives_through_kill_9_of_the_s3_server_while_it_draws_and_while_it_catalogues(servers, own, tmp_path):
    waiting = Waiting(own, tmp_path, ("begin_drawing.after", 3), ("catalogue.before", 1))
    for place in range(2):
        waiting.reached(place)
        servers.signal_store(signal.SIGKILL)
        waiting.go_on(place)
        servers.start_store()
    assert waiting.ended() is None
    nothing_broken(own, tmp_path)


def test_a_run_waits_for_servers_that_are_stopped_for_a_moment(servers, own, tmp_path):
    waiting = Waiting(own, tmp_path, ("begin_drawing.after", 3))
    waiting.reached()
    servers.signal_postgres(signal.SIGSTOP)
    servers.signal_store(signal.SIGSTOP)
    waiting.go_on()
    time.sleep(1.5)
    servers.signal_store(signal.SIGCONT)
    servers.signal_postgres(signal.SIGCONT)
    assert waiting.ended() is None
    nothing_broken(own, tmp_path)
