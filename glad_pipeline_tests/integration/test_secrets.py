"""No secret is in anything that is written, however a run ends: seeded, then everything searched for them."""

import json
import os
import secrets
import subprocess
import sys
import urllib.parse
from pathlib import Path

import psycopg
import pytest

from glad_pipeline.database.migrations import migrate
from glad_pipeline.local.home import Home
from glad_pipeline_tests.integration.test_graph import World
from glad_pipeline_tests.unit.test_database import closed_port

ROOT = Path(__file__).parents[2]
# A run in each state of the deployment, in one process: each takes its settings from the environment anew.
RUNS = """
import json, logging, os, sys
import dagster as dg
logging.basicConfig(level=logging.DEBUG)
from glad_pipeline.definitions import build_defs
from glad_pipeline.testing import InstantSdxl
with dg.DagsterInstance.get() as instance:
    for changed in json.loads(sys.argv[1]):
        os.environ.update(changed)
        job = build_defs(resource_overrides={"sdxl": InstantSdxl()}).resolve_job_def("publish_prompts")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
        print("ended", result.success, flush=True)
"""


@pytest.fixture
def owned(database_url):
    """The database's URL for a role whose password a URL cannot hold as it is."""
    role, password = f"owner_{secrets.token_hex(4)}", f"p%40ss/{secrets.token_hex(8)}:§"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{password}'")
        connection.execute(f"ALTER DATABASE {connection.info.dbname} OWNER TO {role}")
    parts = urllib.parse.urlsplit(database_url)
    netloc = f"{role}:{urllib.parse.quote(password, safe='')}@{parts.hostname}:{parts.port}"
    yield urllib.parse.urlunsplit(parts._replace(netloc=netloc)), password
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
        connection.execute(f"DROP OWNED BY {role}")
        connection.execute(f"DROP ROLE {role}")


def test_no_secret_is_in_anything_that_is_written(owned, s3, tmp_path, monkeypatch):
    url, password = owned
    migrate(url)
    wrong = {name: f"{name}-{secrets.token_hex(8)}" for name in ("db", "s3", "hub", "site")}
    sought = {password, *wrong.values(), s3["AWS_SECRET_ACCESS_KEY"]}
    sought |= {urllib.parse.quote(secret, safe="") for secret in sought}
    wrong_url = url.replace(urllib.parse.quote(password, safe=""), wrong["db"])
    nowhere = f"127.0.0.1:{closed_port()}"
    right = {"DATABASE_URL": url, **s3}
    away = urllib.parse.urlsplit(url)
    states = [
        {"DATABASE_URL": wrong_url},
        {"DATABASE_URL": urllib.parse.urlunsplit(away._replace(netloc=away.netloc.rpartition("@")[0] + f"@{nowhere}"))},
        {"DATABASE_URL": url + "?sslmode=nonsense"},
        {**right, "AWS_SECRET_ACCESS_KEY": wrong["s3"]},
        {**right, "AWS_ENDPOINT_URL_S3": f"http://{nowhere}"},
        right,
    ]
    environment = {
        **os.environ,
        **right,
        "GLAD_HOME": str(tmp_path / "glad home"),
        "DAGSTER_HOME": str(tmp_path / "dagster home"),
        "GLAD_DATABASE_PATIENCE_SECONDS": "0",
        "GLAD_STORE_PATIENCE_SECONDS": "0",
        "GLAD_SITE_URL": f"http://{nowhere}",
        "GLAD_REVALIDATE_SECRET": wrong["site"],
        "HF_TOKEN": wrong["hub"],
        "HF_HOME": str(tmp_path / "hub"),
        "HF_ENDPOINT": f"http://{nowhere}",
        "HF_DEBUG": "1",
    }
    Home(tmp_path / "glad home").prepare()
    (tmp_path / "dagster home").mkdir()

    def ran(name, *command, **changed):
        with (tmp_path / f"{name}.out").open("w") as output:
            subprocess.run(
                [sys.executable, *command],
                cwd=ROOT,
                env={**environment, **changed},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=180,
                check=False,
            )
        return (tmp_path / f"{name}.out").read_text()

    for name, value in right.items():
        monkeypatch.setenv(name, value)
    world = World(url)
    world.add("a hill", title="Hill")
    world.add("UNDRAWABLE")
    world.add("BLANK")

    told = ran("runs", "-c", RUNS, json.dumps(states))
    assert [line for line in told.splitlines() if line.startswith("ended")] == ["ended False"] * 5 + ["ended True"], (
        told
    )
    assert "password authentication failed" in told
    assert "AWS_SECRET_ACCESS_KEY does not fit" in told or "credentials" in told
    cli = ("-m", "glad_pipeline.cli")
    assert "password authentication failed" in ran("list", *cli, "prompts", "list", DATABASE_URL=wrong_url)
    assert "could not be fetched" in ran(
        "pull", *cli, "model", "pull", GLAD_MODEL="owner/name", GLAD_MODEL_REVISION="1" * 40, GLAD_VAE="none"
    )
    written = {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert any("dagster home" in name for name in written)
    tables = world.sql("SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'")
    for table in tables:
        written[table["name"]] = str(world.sql(f'SELECT * FROM "{table["name"]}"')).encode()
    assert b"published" in written["prompts"]
    for key in world.objects():
        answer = world.store.client.get_object(Bucket=world.store.bucket, Key=key)
        written[key] = answer["Body"].read() + str(answer["Metadata"]).encode()
    world.connection.close()
    found = [(name, secret) for name, body in written.items() for secret in sought if secret.encode() in body]
    assert found == []
