"""Real servers for the tests: one private stack a run, a fresh database and a fresh bucket a test.

Nothing of the person's own is ever touched: their settings are taken out of the environment before any import.
"""

import copy
import functools
import gc
import os
import signal
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from botocore.exceptions import ClientError

from glad_pipeline_tests.own import forget_the_persons

forget_the_persons()

from glad_pipeline import redaction  # noqa: E402
from glad_pipeline_tests import ray_once  # noqa: E402
from glad_pipeline_tests.dagster_in_memory import remember_what_dagster_works_out  # noqa: E402
from glad_pipeline_tests.leftovers import left_running  # noqa: E402

if TYPE_CHECKING:
    from glad_pipeline.local.object_store import S3Server

ray_once.refuse()
_nowhere = tempfile.TemporaryDirectory(prefix="glad-test-")  # where a test that names no GLAD_HOME ends up
os.environ["GLAD_HOME"] = _nowhere.name
os.environ["GLAD_RENDITIONS"] = "none"  # those cost more than all else that a test does: tests of them ask for them
os.environ["GLAD_SITE"] = "off"  # so does a Node.js for each `glad up`


# Files that take minutes, or most of one, the longest first: what begins last should be short, since one half of the
# tests would else wait for the other. Those of `workers/` come last all the same: the Ray that they start stays.
LONG = (
    "up",
    "faults/test_failpoints",
    "acceptance/test_demo",
    "web/test_web_studio",
    "unit/test_code",
    "faults/test_kills",
    "web/test_web_site",
    "web/test_web_blog",
    "faults/test_outages",
)
TOGETHER = ("up",)  # folders whose files run in one process, one after the other: they share what takes long to start


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--deep", action="store_true", help="also run the tests that are marked deep")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files first. Without --deep the deep tests are deselected, which pytest counts in its last line."""
    items.sort(key=_place)
    if config.getoption("--deep"):
        return
    if deep := [item for item in items if item.get_closest_marker("deep")] + _beyond_few(items):
        config.hook.pytest_deselected(items=deep)
        beyond = set(deep)
        items[:] = [item for item in items if item not in beyond]


def pytest_collection_finish() -> None:
    """What was imported and collected lives to the end: the garbage collector need not walk a million objects again and
    again. It has found Dagster by now, if there is a test of it."""
    remember_what_dagster_works_out()
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Of `--dist loadfile`, one that takes a folder of `TOGETHER` for one file."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _unit(super()._split_scope(nodeid))

    return Scheduling(config, log)


def _unit(name: str) -> str:
    """What one process runs: the file of this name, or its folder where that is in `TOGETHER`."""
    folder = Path(name).parent.name
    return folder if folder in TOGETHER else name


def _place(item: pytest.Item) -> int:
    unit = _unit(item.path.relative_to(Path(__file__).parent).with_suffix("").as_posix())
    return LONG.index(unit) if unit in LONG else len(LONG)


def _beyond_few(items: list[pytest.Item]) -> list[pytest.Item]:
    """Of a test marked `few(n)` all cases but n, which are taken evenly from the first to the last."""
    cases = defaultdict(list)
    for item in items:
        if (few := item.get_closest_marker("few")) and not item.get_closest_marker("deep"):
            cases[item.nodeid.partition("[")[0], few.args[0]].append(item)
    beyond = []
    for (_, number), found in cases.items():
        kept = {index * len(found) // number for index in range(number)}
        beyond += [item for index, item in enumerate(found) if index not in kept]
    return beyond


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """What one test calls a secret is masked in the messages of no other."""
    known = redaction._known
    redaction._known = copy.deepcopy(known)
    try:
        return (yield)
    finally:
        redaction._known = known


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Servers and programs that outlive the tests are a fault of the test that has started them: its folder, in which
    they work or to which their environment leads, names it."""
    yield
    until = time.monotonic() + 10  # what was told to end may be about to
    while left := left_running(tmp_path_factory.getbasetemp(), _nowhere.name):
        assert time.monotonic() < until, "\n".join(left)
        time.sleep(0.5)


@pytest.fixture(autouse=True)
def _no_server_is_nowhere() -> Iterator[None]:
    """A test that starts a store names the GLAD_HOME in which it runs, and ends it there."""
    store = Path(_nowhere.name, "s3")
    before = store.exists()
    yield
    assert before or not store.exists(), "this test has started a store without a GLAD_HOME of its own"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a running embedded stack, in a state directory with spaces in its name."""
    from glad_pipeline.local import stack as local_stack
    from glad_pipeline.settings import Settings

    settings = Settings(GLAD_HOME=tmp_path_factory.mktemp("glad home"), _env_file=None)
    try:
        environment = local_stack.ensure(settings, foreground=True)
        with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
            # a killed server loses nothing by it, only a machine that loses its power; dropping a database waits for it
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        yield environment
    finally:
        local_stack.stop(settings)


@pytest.fixture(autouse=True)
def _own_environment() -> Iterator[None]:
    """A command called in this process exports what its children need, and `glad up` ends deaf to signals: no later
    test, and no process that one starts, is to find that."""
    before = dict(os.environ)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        if handler is not None and signal.getsignal(number) is not handler:
            signal.signal(number, handler)
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update({name: value for name, value in before.items() if os.environ.get(name) != value})


@pytest.fixture(scope="session")
def database_server(stack: dict[str, str]) -> Iterator[psycopg.Connection]:
    """A connection by which databases are made and dropped: one for all tests, since connecting takes a third as long
    as making a database."""
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def migrated_template(stack: dict[str, str], database_server: psycopg.Connection) -> Iterator[str]:
    """The name of a migrated database to copy: that takes a tenth of the time of migrating another one."""
    from glad_pipeline.database.migrations import migrate

    name = f"template_{uuid.uuid4().hex[:12]}"
    database_server.execute(f"CREATE DATABASE {name}")
    migrate(stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}")
    yield name
    database_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database_url(
    stack: dict[str, str], database_server: psycopg.Connection, request: pytest.FixtureRequest
) -> Iterator[str]:
    """A fresh database, dropped afterwards: empty, or migrated where the test or one of its fixtures asks for that."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    migrated = "migrated_url" in request.fixturenames
    template = request.getfixturevalue("migrated_template") if migrated else "template1"
    database_server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}"
    database_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def migrated_url(database_url: str) -> str:
    """`database_url`, with the tables of `glad migrate` in it."""
    return database_url


@pytest.fixture(scope="session")
def s3_server(stack: dict[str, str]) -> "S3Server":
    """The stack's S3 server, with one client for all buckets: to make one takes longer than to make a bucket."""
    from glad_pipeline.local.home import Home
    from glad_pipeline.local.object_store import S3Server

    server = S3Server(Home(Path(stack["GLAD_HOME"])))
    server.client = functools.cache(server.client)  # type: ignore[method-assign]
    return server


@pytest.fixture
def s3(stack: dict[str, str], s3_server: "S3Server") -> Iterator[dict[str, str]]:
    """The settings, by their variables, of a fresh bucket whose `generated/` anyone may read; removed afterwards.

    Each bucket holds a few of the server's volumes, of which there are as many as the disk has room for.
    """
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    s3_server.prepare_bucket(bucket)
    yield {name: value for name, value in stack.items() if name.startswith("AWS_")} | {"AWS_S3_BUCKET": bucket}
    with suppress(ClientError):  # a test may have removed it
        s3_server.client().delete_bucket(Bucket=bucket)
