"""Drawing slots on a real server: no more runs draw than there are, whoever dies; and who waits for nothing goes."""

import os
import signal
import subprocess
import sys
import threading
import time

import psycopg
import pytest
from test_graph import metadata, world  # noqa: F401  a fixture

from glad_pipeline.database import Database
from glad_pipeline.defs import resources
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.pipeline import slots
from glad_pipeline.pipeline.slots import Slot, slots_of
from glad_pipeline_tests.faults.processes import eventually

HOLD = """
import sys, time
from glad_pipeline.database import Database
from glad_pipeline.pipeline.slots import Slot
slot = Slot(Database(sys.argv[1]), whose="cluster", number=1, run_id="other")
assert slot.take(wanted=lambda connection: True)
print("taken", flush=True)
time.sleep(60)
"""


@pytest.fixture
def database(database_url):
    with Database(database_url) as database:
        yield database


def slot(database, number=1, whose="cluster"):
    return Slot(database, whose=whose, number=number, run_id="this one")


def wants(connection):
    return True


def locks(database_url):
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [slots.FAMILY],
        ).fetchone()[0]


def test_as_many_as_there_are_and_each_takes_one_place(database, database_url):
    held = [slot(database, number=3) for _ in range(3)]
    for count, each in enumerate(held, start=1):
        assert each.take(wanted=wants)
        assert locks(database_url) == count
    assert not slot(database, number=3)._try()
    held[1].free()
    eventually(lambda: locks(database_url) == 2, what="the end of one")
    again = slot(database, number=3)
    assert again.take(wanted=wants)
    for each in (*held, again):
        each.free()


def test_another_cluster_s_slots_are_others(database):
    ours, theirs = slot(database), slot(database, whose="another cluster")
    assert ours.take(wanted=wants)
    assert theirs.take(wanted=wants)
    for each in (ours, theirs):
        each.free()


def test_one_that_is_waited_for_is_had_when_it_is_freed_and_the_run_has_prepared_meanwhile(database):
    first, second, prepared = slot(database), slot(database), []
    assert first.take(wanted=wants, prepare=lambda: prepared.append("first"))
    threading.Timer(0.5, first.free).start()
    began = time.monotonic()
    assert second.take(wanted=wants, prepare=lambda: prepared.append("second"))
    assert 0.4 < time.monotonic() - began < 5
    assert prepared == ["second"]
    second.free()


def test_the_slot_of_a_process_that_is_killed_is_free(database, database_url):
    holder = subprocess.Popen([sys.executable, "-c", HOLD, database_url], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "taken\n"
        ours = slot(database)
        assert not ours._try()
        os.kill(holder.pid, signal.SIGKILL)
        eventually(ours._try, what="the slot of the dead")
        ours.free()
    finally:
        holder.kill()
        holder.wait()


def test_who_waits_for_nothing_goes_and_who_wants_something_stays(database, monkeypatch):
    monkeypatch.setattr(slots, "LOOK", 0.05)
    monkeypatch.setattr(slots, "CALM", 0.5)
    first, second = slot(database), slot(database)
    assert first.take(wanted=wants)
    there_is_work = time.monotonic() + 1.0
    assert not second.take(wanted=lambda connection: time.monotonic() < there_is_work)
    assert time.monotonic() > there_is_work
    first.free()


def test_a_waiting_run_whose_connection_is_cut_goes_on_waiting(database, database_url):
    first, second = slot(database), slot(database)
    assert first.take(wanted=wants)
    done = threading.Thread(target=lambda: second.take(wanted=wants))
    done.start()
    eventually(lambda: second._connection is not None, what="its connection")
    with psycopg.connect(database_url, autocommit=True) as connection:
        cut = "SELECT pg_terminate_backend(%s)"
        connection.execute(cut, [second._connection.info.backend_pid])
    time.sleep(0.5)
    assert done.is_alive()
    first.free()
    done.join(10)
    assert not done.is_alive()
    second.free()


def test_nothing_is_held_open_in_the_database_while_it_waits(database, database_url):
    first, second = slot(database), slot(database)
    assert first.take(wanted=wants)
    waiting = threading.Thread(target=lambda: second.take(wanted=wants))
    waiting.start()
    time.sleep(0.5)

    def states():
        with psycopg.connect(database_url) as connection:
            return connection.execute(
                "SELECT state, backend_xmin FROM pg_stat_activity WHERE application_name = 'glad-slot this one'"
            ).fetchall()

    eventually(lambda: states() == [("idle", None)] * 2, 5, what="both to be idle")
    first.free()
    waiting.join(10)
    second.free()


def test_a_run_that_draws_for_itself_needs_no_slot(tmp_path):
    assert slots_of(EngineOptions(home=str(tmp_path), backend="process")) is None
    assert slots_of(EngineOptions(home=str(tmp_path))) is None  # no workers are up
    assert slots_of(EngineOptions(home=str(tmp_path), ray_address="10.0.0.1:6379")) is None  # nobody knows how many
    named = EngineOptions(home=str(tmp_path), ray_address="10.0.0.1:6379", workers=3)
    assert slots_of(named) == ("10.0.0.1:6379", 3)


def test_a_slot_s_session_is_not_ended_for_its_silence_and_a_vanished_machine_s_is(database, database_url):
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET idle_session_timeout = '500ms'")
    ours = slot(database)
    assert ours.take(wanted=wants)
    time.sleep(1)
    assert locks(database_url) == 1
    shown = [
        ours._connection.execute(f"SHOW tcp_keepalives_{each}").fetchone() for each in ("idle", "interval", "count")
    ]
    if not ours._connection.info.host.startswith("/"):  # a socket of this machine has none
        assert [next(iter(each.values())) for each in shown] == ["10", "5", "3"]
    ours.free()


def test_a_run_that_only_looks_at_the_prompts_takes_no_slot(world, monkeypatch):  # noqa: F811
    asked = []
    monkeypatch.setattr(resources, "slot_for", lambda options, database, *, run_id: asked.append(run_id))
    world.add("a hill", title="Hill")
    assert metadata(world.run("prompts"), "prompts")["claimed"] == 1
    assert asked == []
    result = world.run()
    assert asked == [result.run_id]
