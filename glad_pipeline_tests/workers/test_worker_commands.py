"""`glad workers` by hand, and what it refuses; the pool that follows the workers; every socket of theirs."""

import importlib.util
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra `ray` is not installed: warm workers are left out", allow_module_level=True)

import dagster as dg

from glad_pipeline import cli
from glad_pipeline.defs.pool_limit import pool_limit
from glad_pipeline.defs.sensors import drawing_at_once, fit_the_pool
from glad_pipeline.errors import UsageError
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import session_members
from glad_pipeline.local.stack import project_root
from glad_pipeline.settings import Settings
from glad_pipeline.workers.cluster import TLS, Cluster
from glad_pipeline_tests.strangers import (
    another_user_connects,
    called,
    documented,
    is_ours_alone,
    listening,
    request,
    self_made,
    spoken,
)
from glad_pipeline_tests.workers.grpc_reflection import methods

CALLS = {
    "Ray's control server (GCS)": "/ray.rpc.InternalKVGcsService/InternalKVPut",
    "Ray's node, manager": "/ray.rpc.NodeManagerService/RequestWorkerLease",
    "Ray's node, objects": "/ray.rpc.ObjectManagerService/Pull",
    "Ray's workers": "/ray.rpc.CoreWorkerService/PushTask",
    "Ray's client server": "/ray.rpc.RayletDriver/Init",
}
AGENT, LOCAL = "Ray's environment agent", ("Ray's node, local", "Ray's object store, local")
FATAL = "/ray.rpc.syncer.RaySyncer/StartSync"  # ends Ray 2.60 before it has looked for a token


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("glad home of workers")


def glad(home, *words, code=0, **values):
    """What the command said; it must end with `code`."""
    own = {"GLAD_HOME": str(home), "GLAD_WORKERS": "2", "GLAD_WORKER_CPUS": "0.1", **values}
    done = subprocess.run(
        [sys.executable, "-m", "glad_pipeline.cli", *words],
        env={**os.environ, **own},
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def glad_here(monkeypatch, capsys):
    """As `glad`, in this process: for what needs no Ray."""

    def run(home, *words, code=0, **values):
        for name, value in {"GLAD_HOME": str(home), **values}.items():
            monkeypatch.setenv(name, value)
        assert cli.main([*words]) == code
        said = capsys.readouterr()
        return said.out + said.err

    return run


@pytest.fixture(scope="module")
def up(home):
    yield glad(home, "workers", "up")
    glad(home, "workers", "down")


def test_up_loads_the_model_everywhere_and_says_so(up):
    assert "2 workers are warm, at 127.0.0.1:" in up
    assert "demo base 256 × 256, 20" in up
    assert "Traceback" not in up


@pytest.mark.deep  # half a minute, on workers of its own
def test_up_again_changes_nothing(home, up):
    before = Cluster(Settings(GLAD_HOME=home).engine).describe()
    twice = [threading.Thread(target=glad, args=(home, "workers", "up")) for _ in range(2)]
    for one in twice:
        one.start()
    for one in twice:
        one.join()
    assert Cluster(Settings(GLAD_HOME=home).engine).describe() == before


@pytest.mark.deep
def test_two_that_start_it_at_once_start_one(tmp_path):
    program = (  # in processes of their own: importing Ray reads the certificates of this home for good
        "from glad_pipeline.settings import load_settings\n"
        "from glad_pipeline.workers.cluster import Cluster\n"
        "print(Cluster(load_settings().engine).start(cpus=1))\n"
    )
    environment = {**os.environ, "GLAD_HOME": str(tmp_path / "home")}
    two = [
        subprocess.Popen([sys.executable, "-c", program], env=environment, cwd=project_root(), stdout=-1, text=True)
        for _ in range(2)
    ]
    started = [one.communicate(timeout=120)[0] for one in two]
    Cluster(Settings(GLAD_HOME=tmp_path / "home").engine).stop()
    assert sorted(started) == ["False\n", "True\n"]


def test_status_tells_of_each_worker(home, up):
    states = json.loads(glad(home, "workers", "status", "--json"))
    assert [state["worker"] for state in states] == ["worker-0", "worker-1"]
    for state in states:
        assert state["models"] == ["demo"]
        assert state["device"] == "cpu"
        assert state["memory_mb"] > 100
        assert (state["drawn"], state["waiting"], state["busy_seconds"]) == (0, 0, None)
    told = glad(home, "workers", "status")
    assert "warm shapes" in told
    assert "worker-1" in told
    assert "workers" in glad(home, "status", AWS_S3_BUCKET="none", DATABASE_URL="postgresql://u:p@127.0.0.1:9/none")


LOOK = """
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.of_drawing import workers
from glad_pipeline.settings import load_settings
for each in workers(Deployment(settings=load_settings())):
    print(each.level.value, each.text, each.cure)
"""


@pytest.mark.deep
def test_the_doctor_names_a_worker_that_does_not_answer(home, up):
    def looked():
        own = {"GLAD_HOME": str(home), "GLAD_WORKERS": "2", "GLAD_WORKER_CPUS": "0.1"}
        command = [sys.executable, "-c", LOOK]
        return subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, check=True).stdout

    assert looked().startswith("ok 2 answer at 127.0.0.1:")
    silent = json.loads(glad(home, "workers", "status", "--json"))[0]
    os.kill(silent["pid"], signal.SIGSTOP)
    try:
        (told,) = looked().splitlines()
    finally:
        os.kill(silent["pid"], signal.SIGCONT)
    assert told.startswith(f"warning {silent['worker']} has not answered for 5 s")
    assert told.endswith("./glad workers down, then up")


def test_nobody_else_reads_or_changes_what_ray_has_on_the_disk(home, up):
    folder = Home(home).sockets()  # Ray opens its own to everybody
    assert folder.stat().st_mode & 0o077 == 0
    assert {path.name for path in folder.iterdir()} <= {"ray", "python"}


@contextmanager
def as_after_down(home):
    described = (home / "workers.json").read_text()
    (home / "workers.json").unlink()
    try:
        yield
    finally:
        (home / "workers.json").write_text(described)


def limits(instance):
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_the_pool_lets_in_a_run_for_each_worker_and_one_that_prepares_and_then_as_many_as_before(home, up):
    settings = Settings(GLAD_HOME=home, GLAD_POOL_FOLLOWS_WORKERS=True, _env_file=None)
    with dg.DagsterInstance.ephemeral() as instance:
        fit_the_pool(instance, settings, "gpu")
        assert limits(instance) == {"gpu": 3}
        fit_the_pool(instance, settings, "gpu")
        Cluster(settings.engine).note(workers=3)
        fit_the_pool(instance, settings, "gpu")
        assert limits(instance) == {"gpu": 4}
        assert drawing_at_once(instance, settings, "gpu") == 3
        Cluster(settings.engine).note(workers=2)
        with as_after_down(home):
            fit_the_pool(instance, settings, "gpu")
            assert limits(instance) == {}
            assert pool_limit(instance, "gpu") == 1
            assert drawing_at_once(instance, settings, "gpu") == 1


@pytest.mark.parametrize("when", ["before", "since"])
def test_a_limit_that_a_person_has_set_is_theirs(home, up, when):
    settings = Settings(GLAD_HOME=home, GLAD_POOL_FOLLOWS_WORKERS=True, _env_file=None)
    with dg.DagsterInstance.ephemeral() as instance:
        if when == "since":
            fit_the_pool(instance, settings, "gpu")
        instance.event_log_storage.set_concurrency_slots("gpu", 7)
        fit_the_pool(instance, settings, "gpu")
        with as_after_down(home):
            fit_the_pool(instance, settings, "gpu")
        assert limits(instance) == {"gpu": 7}


def test_a_limit_that_workers_had_before_is_a_person_s_too(home, up):
    settings = Settings(GLAD_HOME=home, GLAD_POOL_FOLLOWS_WORKERS=True, _env_file=None)
    with dg.DagsterInstance.ephemeral() as instance:
        for workers in (3, 2):
            Cluster(settings.engine).note(workers=workers)
            fit_the_pool(instance, settings, "gpu")
        instance.event_log_storage.set_concurrency_slots("gpu", 3)
        fit_the_pool(instance, settings, "gpu")
        assert limits(instance) == {"gpu": 3}


def test_a_pool_of_runs_that_draw_by_themselves_has_nothing_to_do_with_workers(home, up):
    with dg.DagsterInstance.ephemeral() as instance:
        alone = Settings(GLAD_HOME=home, GLAD_BACKEND="process", GLAD_POOL_FOLLOWS_WORKERS=True, _env_file=None)
        fit_the_pool(instance, alone, "gpu")
        assert limits(instance) == {}


@pytest.mark.deep
def test_up_with_other_settings_says_that_they_do_not_hold(home, up):
    told = glad(home, "workers", "up", code=1, GLAD_WORKER_IDLE_SECONDS="900")
    assert "was started with other settings than now: ./glad workers down, then ./glad workers up" in told
    assert "2 workers are warm" in glad(home, "workers", "up")


# --- every socket, tried by somebody who has no token: no program runs, nothing is read --------------------------------


@pytest.fixture(scope="module")
def sockets(home, up):
    """What listens, by the names that the documentation has for it; of workers there may be several."""
    found = {}
    for each in listening(session_members(Cluster(Settings(GLAD_HOME=home).engine).describe()["pid"])):
        name = name_of(each, home)
        assert name is not None, f"{each} is in no table"
        found.setdefault(name, []).append(each)
    return found


def name_of(found, home):
    if found.place.startswith("/"):
        ours = re.match(
            re.escape(str(Home(home).sockets())) + r"/ray/session_[^/]+/sockets/(raylet|plasma_store)$", found.place
        )
        return {"raylet": LOCAL[0], "plasma_store": LOCAL[1]}[ours[1]] if ours else None
    assert re.match(r"(::ffff:)?127\.0\.0\.1:", found.place), found
    if "RuntimeEnvAgent" in found.command:
        return AGENT
    offered = " ".join(methods(found.port, home / TLS))
    names = {name: call for name, call in CALLS.items() if call in offered}
    if not names and "ray.util.client.server" in found.command:
        return "Ray's client server"
    return next(iter(names), None)


def test_the_documentation_names_every_socket_and_no_other(sockets):
    assert set(sockets) == {*CALLS, AGENT, *LOCAL}
    assert set(documented()) >= set(sockets)


def test_keys_and_token_are_for_their_owner_alone(home, up):
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*(home / TLS).iterdir(), home / "ray-token"]} == {0o600}


@pytest.mark.parametrize("name", CALLS)
def test_nobody_else_may_call(home, sockets, name, tmp_path):
    ours, theirs = home / TLS, self_made(tmp_path / "tls")
    for each in sockets[name]:
        for keys in (None, {"ca": ours}, {"ca": ours, "own": theirs}):
            for call in (CALLS[name], FATAL, "/grpc.health.v1.Health/Check"):
                assert called(each.port, call, keys=keys) == "UNAVAILABLE"


@pytest.mark.parametrize("name", CALLS)
def test_who_has_stolen_the_certificate_but_not_the_token_may_not_call_either(home, sockets, name):
    keys, token = {"ca": home / TLS, "own": home / TLS}, (home / "ray-token").read_text().strip()
    for each in sockets[name]:
        assert called(each.port, CALLS[name], keys=keys) == "UNAUTHENTICATED"
        assert called(each.port, CALLS[name], keys=keys, token="another-one") == "UNAUTHENTICATED"
        assert called(each.port, CALLS[name], keys=keys, token=token) != "UNAUTHENTICATED"


def test_the_agent_that_may_install_programs_asks_for_the_token(sockets):
    (agent,) = sockets[AGENT]
    for path in ("/get_or_create_runtime_env", "/delete_runtime_env_if_possible", "/get_runtime_envs_info", "/metrics"):
        assert spoken(agent.port, request("POST", path)).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("name", LOCAL)
def test_nobody_else_gets_to_the_local_ones(home, sockets, name):
    (each,) = sockets[name]
    assert is_ours_alone(Home(home).sockets() / "ray")
    if os.geteuid() == 0:
        assert not another_user_connects(Path(each.place))


def test_whatever_was_tried_the_workers_are_there(home, sockets):
    assert set(listening(session_members(Cluster(Settings(GLAD_HOME=home).engine).describe()["pid"]))) >= {
        each for found in sockets.values() for each in found if "IDLE" not in each.command
    }
    assert "worker-0" in glad(home, "workers", "status")


# --- without workers ----------------------------------------------------------------------------------------------------


def test_status_and_down_without_workers(glad_here, tmp_path):
    told = glad_here(tmp_path / "home", "workers", "status", code=1)
    assert "no workers run on this machine: start them with ./glad workers up" in told
    assert "no workers ran" in glad_here(tmp_path / "home", "workers", "down")


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.7", "::"])
def test_an_address_that_others_can_reach_is_refused(glad_here, tmp_path, host):
    told = glad_here(tmp_path / "home", "workers", "up", code=2, GLAD_RAY_HOST=host)
    assert f"GLAD_RAY_HOST is {host}: whoever reaches Ray's ports there may run any program as you" in told
    assert "GLAD_RAY_EXPOSED=true" in told


@pytest.mark.deep  # half a minute, on workers of its own
def test_a_gpu_that_is_not_there(tmp_path):
    told = glad(tmp_path / "home", "workers", "up", code=1, GLAD_WORKER_GPUS="1")
    assert "Ray finds none on this machine" in told
    assert "no workers ran" in glad(tmp_path / "home", "workers", "down")


def test_no_cluster_at_the_address(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        told = glad(tmp_path / "home", "workers", "status", code=1, GLAD_RAY_ADDRESS=address)
    assert f"no Ray cluster answers at {address}. Check GLAD_RAY_ADDRESS" in told


def test_something_else_at_the_address(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        threading.Thread(target=lambda: [other.accept() for _ in range(99)], daemon=True).start()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        told = connecting("cluster.CONNECT_SECONDS = 3.0", GLAD_HOME=str(tmp_path / "home"), GLAD_RAY_ADDRESS=address)
    assert f"what listens at {address} does not let us in as a Ray cluster (no answer in 3 s)" in told


def connecting(change, **environment):
    """What a process of its own, with something changed, says when it connects: a failed try leaves Ray's threads."""
    program = (
        "import ray\n"
        "from glad_pipeline.settings import load_settings\n"
        "from glad_pipeline.workers import cluster\n"
        f"{change}\n"
        "cluster.Cluster(load_settings().engine).connect()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    return done.stderr


@pytest.mark.deep
def test_another_version_of_ray(home, up):
    own = Cluster(Settings(GLAD_HOME=home).engine)._environment()
    told = connecting("ray.__version__ = '2.0.0'", GLAD_HOME=str(home), **own)
    assert "runs other versions than this machine" in told
    assert "Install the same Ray and Python on both" in told


@pytest.mark.deep  # Ray's client server starts a process for each client, and on a busy machine not within its time
def test_a_machine_that_is_no_node_draws_and_looks_through_ray_s_client(home, up):
    known = json.loads((home / "state.json").read_text())
    own = Cluster(Settings(GLAD_HOME=home).engine)._environment()
    address = f"ray://127.0.0.1:{known['port ray client']}"
    told = glad(home, "workers", "status", GLAD_RAY_ADDRESS=address, **own)
    assert f"Ray at {address}" in told
    assert "worker-1" in told
    program = (
        "from glad_pipeline.defs.wiring import build_resources\n"
        "from glad_pipeline.settings import load_settings\n"
        "from glad_pipeline.workers import cluster\n"
        "cluster.CONNECT_SECONDS = 0.01\n"  # not what bounds this: the head has to start a process first
        "from glad_pipeline_tests.workers.conftest import recipes\n"
        "sdxl = build_resources(load_settings())['sdxl']\n"
        "sdxl.sdxl.profile()\n"
        "print(sum(d.pixels is not None for d in sdxl.generate(recipes(6))))\n"
    )
    environment = {
        "GLAD_HOME": str(home),
        "GLAD_RAY_ADDRESS": address,
        "GLAD_WORKERS": "2",
        "GLAD_BACKEND": "ray",
        "GLAD_WORKER_GPUS": "0",
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **own, **environment},
        cwd=project_root(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout == "6\n", done.stderr


@pytest.mark.parametrize("address", ["somewhere", "http://x:1", "host:port", "a:1/b"])
def test_an_address_that_can_be_none_is_refused(glad_here, tmp_path, address):
    assert "GLAD_RAY_ADDRESS" in glad_here(tmp_path / "home", "workers", "status", code=2, GLAD_RAY_ADDRESS=address)


@pytest.mark.deep
def test_loopback_by_its_names(tmp_path):
    for host in ("127.0.0.1", "localhost"):
        Cluster(Settings(GLAD_HOME=tmp_path, GLAD_RAY_HOST=host, _env_file=None).engine)._refuse_to_be_reached()
    with pytest.raises(UsageError):
        Cluster(Settings(GLAD_HOME=tmp_path, GLAD_RAY_HOST="my.host", _env_file=None).engine)._refuse_to_be_reached()
