"""The embedded PostgreSQL: killed, adopted, confined, with a stale pid file and with its port taken."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import psycopg
import pytest

from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.processes import gone

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="what is special about root needs root")


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "a home").prepare()


@pytest.fixture
def server(home):
    server = Postgres(home)
    server.start()
    yield server
    server.stop()


def ask(server, statement):
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_it_listens_on_loopback_only_and_wants_its_password(server):
    assert ask(server, "SHOW listen_addresses") == [("127.0.0.1",)]
    assert ask(server, "SHOW unix_socket_directories") == [("",)]
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(server.url().replace(":", ":wrong", 2).replace("postgresql:wrong", "postgresql:", 1))


def test_committed_rows_survive_kill_9(server):
    ask(server, "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    for _ in range(3):
        server.running().send_signal(signal.SIGKILL)
        server.start()
        assert ask(server, "SELECT count(*) FROM t") == [(1000,)]


def test_a_running_server_is_taken_over_by_the_next_process(server, home):
    before = server.running().pid
    program = (
        "from pathlib import Path\nimport sys\nfrom glad_pipeline.local.home import Home\n"
        "from glad_pipeline.local.postgres import Postgres\n"
        "s = Postgres(Home(Path(sys.argv[1])).prepare())\ns.start()\nprint(s.running().pid)"
    )
    told = subprocess.run([sys.executable, "-c", program, home.path], capture_output=True, text=True, check=True)
    assert int(told.stdout) == before
    assert server.running().pid == before


def test_a_pid_file_that_names_another_program_is_no_server(server, home):
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    server.running().send_signal(signal.SIGKILL)
    lines[0] = str(os.getpid())
    pid_file.write_text("\n".join(lines) + "\n")
    assert server.running() is None
    server.start()
    assert ask(server, "SELECT 1") == [(1,)]


def test_a_taken_port_is_replaced(server):
    port = server.port
    server.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        server.start()
    assert server.port != port
    assert ask(server, "SELECT 1") == [(1,)]


def test_another_version_s_data_is_refused_with_the_way_out(server):
    server.stop()
    (server.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(GladError, match=r"is of PostgreSQL 12.*glad reset"):
        server.start()


def test_a_lost_secrets_file_is_named(server, home):
    (home.path / "secrets.json").unlink()
    with pytest.raises(GladError, match=r"secrets\.json is not the one of"):
        server.start()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_in_the_foreground_it_ends_with_its_parent_even_by_kill_9(home):
    program = (
        "from pathlib import Path\nimport sys, time\nfrom glad_pipeline.local.home import Home\n"
        "from glad_pipeline.local.postgres import Postgres\n"
        "s = Postgres(Home(Path(sys.argv[1])).prepare())\ns.start(die_with_us=True)\nprint('up', flush=True)\ntime.sleep(99)"
    )
    with subprocess.Popen([sys.executable, "-c", program, home.path], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "up\n"
        server = Postgres(home).running()
        parent.kill()
    deadline = time.monotonic() + 15
    while not gone(server):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "database system is shut down" in (home.logs / "postgres.log").read_text()


@as_root
@pytest.mark.parametrize("order", [("namespace", "setuid", "namespace"), ("setuid",)])
def test_as_root_it_runs_as_nobody_either_way_and_the_data_can_change_hands(order):
    with tempfile.TemporaryDirectory(prefix="glad test ") as folder:  # pytest's own folders are closed to nobody
        Path(folder).chmod(0o755)
        home = Home(Path(folder) / "home").prepare()
        for number, confinement in enumerate(order):
            server = Postgres(home, confinement=confinement)
            server.start()
            try:
                ask(server, f"CREATE TABLE t{number} ()")
                assert len(ask(server, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'")) == number + 1
                assert psutil.Process(server.running().pid).uids().real == (0 if confinement == "namespace" else 65534)
                assert (home.path / "secrets.json").stat().st_mode & 0o077 == 0
            finally:
                server.stop()


@as_root
def test_where_nobody_may_not_enter_the_message_names_the_folder_and_the_ways_out(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(GladError, match=r"may not enter .*GLAD_HOME.*ordinary user.*DATABASE_URL"):
        Postgres(Home(closed / "home").prepare(), confinement="setuid").start()
