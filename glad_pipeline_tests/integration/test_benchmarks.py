"""Benchmarks and the rig of faults, started where the environment names a database and a bucket: neither is touched."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from test_graph import World

from glad_pipeline_tests.own import THEIRS, forget_the_persons, own_settings, require_no_env_file

ROOT = Path(__file__).parents[2]
OWN_WORLD = """
from benchmarks import job
from glad_pipeline.testing import InstantSdxl
with job.own_world() as store:
    job.add_hills(2)
    job.run(InstantSdxl(), claim=2)
    print(store.bucket, store.place, len(list(store.listing("generated/"))))
"""
SOAK = """
import sys
from benchmarks import report, soak
report.write = lambda *_: None
sys.argv = ["soak", "--minutes", "0.02", "--prompts", "3", "--workers", "1", "--seed", "1", "--finish-minutes", "2"]
soak.PER_MINUTE = {"run killed": 1}
soak.main()
"""


def everything(world, database_url):
    pages = world.store.client.get_paginator("list_objects_v2").paginate(Bucket=world.store.bucket)
    with psycopg.connect(database_url) as connection:
        databases = connection.execute("SELECT datname FROM pg_database ORDER BY 1").fetchall()
    return [item["Key"] for page in pages for item in page.get("Contents", [])], world.prompts(), databases


def started(program, world, database_url, **environment):
    """The program's answer; fails if it touched anything of what the environment names."""
    world.add("the person's own", title="Mine")
    before = everything(world, database_url)
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name != "GLAD_ENV_FILE"} | environment,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert everything(world, database_url) == before
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def test_a_benchmark_makes_its_own_servers(world: World, database_url, tmp_path):
    told = started(OWN_WORLD, world, database_url, GLAD_HOME=str(tmp_path / "home")).split()[-3:]
    assert (told[0], told[2]) == ("glad", "2")
    assert told[1] != world.store.place
    assert not (tmp_path / "home").exists()


@pytest.mark.deep
@pytest.mark.parametrize("store", ["s3", "supabase"])
def test_the_soak_ends_and_leaves_the_person_s_own_queue_alone(world: World, database_url, store):
    assert "published: 3" in started(SOAK.replace('"soak",', f'"soak", "--store", "{store}",'), world, database_url)


def test_no_variable_of_the_person_s_own_is_left(monkeypatch, tmp_path):
    for name in ("DATABASE_URL", "GLAD_REVALIDATE_SECRET", "AWS_PROFILE", "AWS_S3_BUCKET", "DAGSTER_HOME", "PGSERVICE"):
        monkeypatch.setenv(name, "theirs")
    assert own_settings(tmp_path).database_url is own_settings(tmp_path).s3_bucket is None
    forget_the_persons()
    assert "theirs" not in {value for name, value in os.environ.items() if name.startswith(THEIRS)}
    assert os.environ["GLAD_ENV_FILE"] == os.devnull


def test_where_the_repository_names_servers_of_the_person_s_own_no_dagster_is_started_in_it(tmp_path):
    require_no_env_file(tmp_path)
    (tmp_path / ".env").write_text("OTHER=1\n")
    require_no_env_file(tmp_path)
    (tmp_path / ".env").write_text("DATABASE_URL=postgresql://theirs\n")
    with pytest.raises(SystemExit, match="sets DATABASE_URL"):
        require_no_env_file(tmp_path)
