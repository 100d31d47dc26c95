"""What of Dagster is used that it does not promise to keep: in few files, and tried with one version."""

import inspect
import re
from pathlib import Path

import dagster as dg
import uvicorn

ROOT = Path(__file__).parents[2]
TRIED_WITH = "1.13.27"
USED_IN = {
    "defs/doctor.py",  # checks of an asset that do not wait for it
    "defs/fixed_resource.py",  # resources that run config cannot change
    "defs/pool_limit.py",  # reading and setting a pool's limit
    "defs/kept_connections.py",  # SQLite where no database is named; questions about the schema
    "defs/code_server.py",  # the code server as a module, and how often gRPC wakes it
    "defs/daemon.py",  # the daemon as a module; how often code servers are asked whether they are still there
}
PRIVATE = re.compile(
    r"dagster\._|from (?:dagster|grpc) import _|event_log_storage|daemon_cursor_storage|run_op_concurrency|AssetChecksDefinition\.create"
)


def test_private_parts_of_dagster_are_used_in_these_files_only():
    found = {
        str(path.relative_to(ROOT / "glad_pipeline"))
        for path in (ROOT / "glad_pipeline").rglob("*.py")
        if PRIVATE.search(path.read_text(encoding="utf-8"))
    }
    assert found == USED_IN


def test_they_were_tried_with_this_version_of_dagster():
    """After an upgrade: run the tests of what USED_IN names, then change TRIED_WITH."""
    assert dg.__version__ == TRIED_WITH, f"try {', '.join(sorted(USED_IN))} with Dagster {dg.__version__}"


def test_what_is_used_is_there():
    from glad_pipeline.defs import fixed_resource, pool_limit

    with dg.DagsterInstance.ephemeral() as instance:
        assert pool_limit.pool_limit(instance, "gpu") == 1
        pool_limit.follow(instance, "gpu", 3)
        assert pool_limit.pool_limit(instance, "gpu") == 3
        pool_limit.follow(instance, "gpu", None)
        assert pool_limit.pool_limit(instance, "gpu") == 1
    assert fixed_resource.FixedResource


def test_what_wakes_an_idle_program_again_and_again_is_slowed_down(monkeypatch):
    from dagster._daemon import controller
    from dagster._grpc import server_watcher
    from grpc import _common

    from glad_pipeline.defs import code_server, daemon
    from glad_pipeline.local import uvicorn_server

    waits = []
    for module, name, usual in (  # put back afterwards
        (_common, "MAXIMUM_WAIT_TIMEOUT", 0.1),
        (server_watcher, "WATCH_INTERVAL", 1),
        (controller, "RELOAD_WORKSPACE_INTERVAL", 60),
    ):
        assert hasattr(module, name)
        monkeypatch.setattr(module, name, usual)
    code_server.look_less_often()
    daemon.watch_less_often()
    daemon.reload_less_often()
    _common.wait(lambda **given: waits.append(given), lambda: bool(waits))
    assert waits == [{"timeout": code_server.LOOKS_EVERY}]
    assert server_watcher.WATCH_INTERVAL == daemon.WATCH_INTERVAL
    assert controller.RELOAD_WORKSPACE_INTERVAL == daemon.RELOAD_INTERVAL
    assert daemon.RELOAD_INTERVAL < controller.DEFAULT_WORKSPACE_FRESHNESS_TOLERANCE
    for used, name in (
        (server_watcher.watch_grpc_server_thread, "WATCH_INTERVAL"),
        (controller.DagsterDaemonController.check_workspace_freshness, "RELOAD_WORKSPACE_INTERVAL"),
        (uvicorn.Server.main_loop, "sleep(0.1)"),
    ):
        assert name in inspect.getsource(used)
    assert uvicorn_server.Server.main_loop is not uvicorn.Server.main_loop
