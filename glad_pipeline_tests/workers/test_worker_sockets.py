"""Every socket of warm workers, tried by somebody who has no token: no program runs, nothing is read."""

import importlib.util
import os
import re
import stat
from pathlib import Path

import pytest

if importlib.util.find_spec("ray") is None:
    pytest.skip("the extra `ray` is not installed: warm workers are left out", allow_module_level=True)

from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import session_members
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
from glad_pipeline_tests.workers.test_worker_commands import glad

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
    """A state directory whose `glad workers up` has just come back."""
    home = tmp_path_factory.mktemp("glad home of workers")
    glad(home, "workers", "up", GLAD_WORKERS="1")
    yield Home(home)
    glad(home, "workers", "down")


@pytest.fixture(scope="module")
def sockets(home):
    """What listens, by the names that the documentation has for it; of workers there may be several."""
    found = {}
    for each in listening(session_members(Cluster(Settings(GLAD_HOME=home.path).engine).describe()["pid"])):
        name = name_of(each, home)
        assert name is not None, f"{each} is in no table"
        found.setdefault(name, []).append(each)
    return found


def name_of(found, home):
    if found.place.startswith("/"):
        ours = re.match(
            re.escape(str(home.sockets())) + r"/ray/session_[^/]+/sockets/(raylet|plasma_store)$", found.place
        )
        return {"raylet": LOCAL[0], "plasma_store": LOCAL[1]}[ours[1]] if ours else None
    assert re.match(r"(::ffff:)?127\.0\.0\.1:", found.place), found
    if "RuntimeEnvAgent" in found.command:
        return AGENT
    offered = " ".join(methods(found.port, home.path / TLS))
    names = {name: call for name, call in CALLS.items() if call in offered}
    if not names and "ray.util.client.server" in found.command:
        return "Ray's client server"
    return next(iter(names), None)


def test_the_documentation_names_every_socket_and_no_other(sockets):
    assert set(sockets) == {*CALLS, AGENT, *LOCAL}
    assert set(documented()) >= set(sockets)


def test_the_keys_are_for_their_owner_alone(home):
    assert {stat.S_IMODE(path.stat().st_mode) for path in (home.path / TLS).iterdir()} == {0o600}


@pytest.mark.parametrize("name", CALLS)
def test_nobody_else_may_call(home, sockets, name, tmp_path):
    ours, theirs = home.path / TLS, self_made(tmp_path / "tls")
    for each in sockets[name]:
        for keys in (None, {"ca": ours}, {"ca": ours, "own": theirs}):
            for call in (CALLS[name], FATAL, "/grpc.health.v1.Health/Check"):
                assert called(each.port, call, keys=keys) == "UNAVAILABLE"


@pytest.mark.parametrize("name", CALLS)
def test_who_has_stolen_the_certificate_but_not_the_token_may_not_call_either(home, sockets, name):
    ours = home.path / TLS
    for each in sockets[name]:
        assert called(each.port, CALLS[name], keys={"ca": ours, "own": ours}) == "UNAUTHENTICATED"


def test_the_agent_that_may_install_programs_asks_for_the_token(sockets):
    (agent,) = sockets[AGENT]
    for path in ("/get_or_create_runtime_env", "/delete_runtime_env_if_possible", "/get_runtime_envs_info", "/metrics"):
        assert spoken(agent.port, request("POST", path)).startswith(b"HTTP/1.1 401 ")


@pytest.mark.parametrize("name", LOCAL)
def test_nobody_else_gets_to_the_local_ones(home, sockets, name):
    (each,) = sockets[name]
    assert is_ours_alone(home.sockets() / "ray")
    if os.geteuid() == 0:
        assert not another_user_connects(Path(each.place))


def test_whatever_was_tried_the_workers_are_there(home, sockets):
    assert set(listening(session_members(Cluster(Settings(GLAD_HOME=home.path).engine).describe()["pid"]))) >= {
        each for found in sockets.values() for each in found if "IDLE" not in each.command
    }
    assert "worker-0" in glad(home.path, "workers", "status")
