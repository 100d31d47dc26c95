"""A stranger's Dagster project with the component, as `examples/dagster_project` has it and its README says."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import psycopg
import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(sys.executable).parent


class Magazine:
    """The project in a folder of its own, with an instance of its own (SQLite)."""

    def __init__(self, folder, database_url, s3):
        self.folder = folder / "a magazine"
        shutil.copytree(ROOT / "examples/dagster_project", self.folder)
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "dagster.yaml").write_text("telemetry: {enabled: false}\nsensors: {use_threads: true}\n")
        self.database_url = database_url
        self.environment = {
            **os.environ,
            **s3,
            "DATABASE_URL": database_url,
            "DAGSTER_HOME": str(self.home),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder / "src")]),
            "PATH": os.pathsep.join([str(PROGRAMS), os.environ["PATH"]]),
        }

    def dg(self, *words, code=0):
        done = subprocess.run(
            ["dg", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        told = done.stdout + done.stderr
        assert done.returncode == code, told
        return told

    def sql(self, statement):
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def made(self, *key):
        """The materializations of an asset, the newest first."""
        with dg.DagsterInstance.from_config(str(self.home)) as instance:
            records = instance.fetch_materializations(dg.AssetKey(key), limit=100).records
            return [record.asset_materialization for record in records]


@pytest.fixture
def magazine(tmp_path, migrated_url, s3):
    return Magazine(tmp_path, migrated_url, s3)


@pytest.mark.deep  # two minutes; test_component.py has its parts
def test_the_readme_s_commands_lead_from_the_plan_to_the_newsletter(magazine):
    assert "glad_pipeline.GladPipeline" in magazine.dg("list", "components", "--json")
    magazine.dg("scaffold", "defs", "glad_pipeline.GladPipeline", "another")
    magazine.dg("check", "defs")
    magazine.dg("launch", "--assets", "editorial_plan")
    magazine.dg("launch", "--job", "blog_publish_prompts")
    assert sorted(magazine.sql("SELECT title FROM posts")) == [("Night in the dunes",), ("The last keeper",)]
    magazine.dg("launch", "--assets", "newsletter")
    [made] = magazine.made("newsletter")
    assert made.metadata["posts"].value == 2
    assert "/generated/" in made.metadata["text"].value
    magazine.dg("launch", "--assets", "editorial_plan")
    magazine.dg("launch", "--job", "blog_publish_prompts")
    assert len(magazine.sql("SELECT id FROM posts")) == 2
    assert len(magazine.made("blog", "published_posts")) == 1


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.5)


@pytest.mark.deep
def test_a_row_of_plain_sql_becomes_a_post_and_then_a_newsletter_once_each(magazine, tmp_path):
    log = tmp_path / "daemon.log"
    with log.open("wb") as out:
        daemon = subprocess.Popen(
            ["dagster-daemon", "run", "-m", "magazine.definitions"],
            cwd=magazine.folder, env=magazine.environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        for number in (1, 2):
            magazine.sql(f"INSERT INTO prompts (prompt, title) VALUES ('a hill', 'Hill {number}')")
            until(lambda n=number: len(magazine.made("newsletter")) == n)
        magazine.dg("launch", "--job", "blog_publish_prompts")  # nothing to do: nobody is woken
        time.sleep(15)  # looks of the automation sensor, every 5 s
        assert [made.metadata["posts"].value for made in magazine.made("newsletter")] == [1, 1]
        assert len(magazine.made("blog", "published_posts")) == len(magazine.sql("SELECT id FROM posts")) == 2
    except BaseException:
        print(log.read_text()[-8_000:])
        raise
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        try:
            daemon.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
