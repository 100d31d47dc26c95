"""Which bucket belongs to which database, on a real PostgreSQL and a real S3 server: no deployment harms another."""

import json
import threading
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import psycopg
import pytest
from test_graph import World, failures

from glad_pipeline import cli
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.pipeline import identity


@pytest.fixture
def glad(capsys):
    def run(*arguments):
        code = cli.main([str(each) for each in arguments])
        out, error = capsys.readouterr()
        return code, out, "".join(line for line in error.splitlines(keepends=True) if line.startswith("glad: "))

    return run


@pytest.fixture
def other_bucket(stack):
    """The name of another, empty bucket on the same server."""
    name = f"other-{uuid.uuid4().hex[:12]}"
    store = S3Server(Home(Path(stack["GLAD_HOME"])))
    store.prepare_bucket(name)
    yield name
    store.client().delete_bucket(Bucket=name)


@pytest.fixture
def other_database(database_url):
    """The URL of another database on the same server: `copy` makes it one of the first, else it is empty."""
    name = f"other_{uuid.uuid4().hex[:12]}"
    own = database_url.rpartition("/")[2]
    url = database_url.removesuffix(own) + name

    def make(*, copy=False):
        with psycopg.connect(database_url.removesuffix(own) + "postgres", autocommit=True) as connection:
            if copy:  # which nobody may be connected to meanwhile
                connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [own])
            connection.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {own}" if copy else ""))
        migrate(url)
        return url

    yield make
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def told(world):
    """What the bucket says, and what the database says."""
    body = world.store.fetch(identity.KEY)
    rows = world.sql("SELECT * FROM deployments WHERE current")
    return body and json.loads(body), rows and rows[0]


def everything(world):
    tables = {name: world.sql(f"SELECT * FROM {name} ORDER BY 1") for name in ("prompts", "images", "posts", "outbox")}
    pages = world.store.client.get_paginator("list_objects_v2").paginate(Bucket=world.store.bucket)
    return tables, [(item["Key"], item["ETag"], item["LastModified"]) for p in pages for item in p.get("Contents", [])]


def name_of(url):
    return url.rpartition("/")[2]


def test_the_first_run_gives_both_the_same_identity_which_no_visitor_can_read(world, database_url):
    assert told(world) == (None, [])
    world.add("a hill", title="Hill")
    world.run()
    of_bucket, of_database = told(world)
    assert of_bucket["id"] == str(of_database["id"])
    assert of_bucket["database"] == of_database["database"]
    assert (of_database["bucket"], of_database["place"]) == (world.store.bucket, world.store.place)
    assert of_bucket["database_name"].endswith(f"/{name_of(database_url)}")
    (image,) = world.sql("SELECT * FROM images")
    assert image["deployment_id"] == of_database["id"]
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(image["url"].replace(image["key"], identity.KEY), timeout=10)
    world.add("another", title="Another")
    world.run()
    again, row = told(world)
    found = ("probe", "blog_mark")  # what later runs find out of the store and the blog is remembered here too
    assert (again, row | dict.fromkeys(found)) == (of_bucket, of_database | dict.fromkeys(found))


def test_another_database_moves_nothing_in_a_bucket_that_is_not_its_own(world, other_database, monkeypatch, glad):
    world.add("a hill", title="Hill")
    world.run()
    before = everything(world)
    url = other_database()
    monkeypatch.setenv("DATABASE_URL", url)
    other = World(url)
    other.add("a sea", title="Sea")
    rows = other.prompts()
    names = (world.store.bucket, name_of(url), told(world)[0]["database_name"])

    result = other.run(expect_success=False)
    assert all(name in failures(result) for name in names)
    assert other.prompts() == rows
    for command in (
        ("audit",),
        ("audit", "--fix", "--grace", "0"),
        ("catalogue", "rebuild"),
        ("up",),
    ):
        code, out, error = glad(*command)
        assert (code, out) == (1, "")
        assert all(name in error for name in names), error
        assert "./glad migrate --adopt" in error
    assert everything(world) == before
    assert other.sql("SELECT * FROM images") == other.sql("SELECT * FROM deployments") == []


def test_a_database_moves_nothing_in_a_bucket_that_is_not_its_own(world, other_bucket, monkeypatch, glad):
    world.add("a hill", title="Hill")
    world.run()
    first = world.store.bucket
    before = everything(world)
    monkeypatch.setenv("AWS_S3_BUCKET", other_bucket)
    world.add("a sea", title="Sea")
    result = world.run(expect_success=False)
    assert first in failures(result)
    assert other_bucket in failures(result)
    code, _, error = glad("audit", "--fix", "--grace", "0")
    assert code == 1
    assert first in error
    assert other_bucket in error
    assert world.objects() == []
    assert world.statuses() == ["published", "pending"]
    monkeypatch.setenv("AWS_S3_BUCKET", first)
    assert everything(world)[1] == before[1]
    world.run()
    assert world.statuses() == ["published"] * 2


def test_adopting_is_what_makes_them_belong_together_and_stops_the_former_owner(
    world, other_database, monkeypatch, glad
):
    world.add("a hill", title="Hill")
    world.run()
    first, bucket = world.connection.info.dbname, told(world)[0]["id"]
    url = other_database()
    monkeypatch.setenv("DATABASE_URL", url)
    code, out, _ = glad("migrate", "--adopt")
    assert code == 0
    assert f"belongs to the database {told(world)[0]['database_name']} from now on" in out
    other = World(url)
    assert told(other)[0]["id"] == bucket  # it is the same bucket
    other.add("a sea", title="Sea")
    other.run()
    assert glad("catalogue", "rebuild")[0] == 0
    monkeypatch.setenv("DATABASE_URL", url.replace(name_of(url), first))
    code, _, error = glad("audit", "--fix")
    assert code == 1
    assert f"belongs to the database {told(other)[0]['database_name']}" in error


def test_a_copy_of_the_database_is_not_taken_for_the_original(world, other_database, monkeypatch, glad):
    world.add("a hill", title="Hill")
    world.run()
    original = world.connection.info.dbname
    url = other_database(copy=True)
    monkeypatch.setenv("DATABASE_URL", url)
    copy = World(url)
    before = everything(copy)
    code, _, error = glad("audit", "--fix", "--grace", "0")
    assert code == 1
    assert original in error
    assert name_of(url) in error
    assert "is a copy of" in error
    assert everything(copy) == before


@pytest.mark.parametrize("known", [3, 0], ids=["ours", "of a database that was lost"])
def test_a_bucket_with_pictures_and_without_identity_is_adopted_and_told(world, known, glad):
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    world.store.delete([identity.KEY])  # as an earlier version has left them
    world.sql("UPDATE images SET deployment_id = NULL")
    world.sql("DELETE FROM deployments")
    if not known:
        world.sql("DELETE FROM prompts")
        world.sql("DELETE FROM images")
    code, _, error = glad("catalogue", "rebuild")
    assert code == 0, error
    assert f"has pictures already, of the first 3 the database {told(world)[0]['database_name']} knows {known}" in error
    assert told(world)[0]["id"] == str(told(world)[1]["id"])
    assert len(world.sql("SELECT * FROM images")) == 3
    assert glad("catalogue", "rebuild")[2] == ""


def test_an_identity_that_was_lost_on_one_side_is_made_again(world):
    world.add("a hill", title="Hill")
    world.run()
    before = told(world)[0]["id"]
    world.store.delete([identity.KEY])
    world.run()
    assert told(world)[0]["id"] == before
    world.sql("UPDATE images SET deployment_id = NULL")
    world.sql("DELETE FROM deployments")
    world.run()
    assert str(told(world)[1]["id"]) == before


def test_a_bucket_whose_identity_cannot_be_read_is_nobodys_until_it_is_adopted(world, glad):
    world.store.client.put_object(Bucket=world.store.bucket, Key=identity.KEY, Body=b"[]")
    code, _, error = glad("audit", "--fix")
    assert code == 1
    assert "says nothing that can be read" in error
    assert glad("migrate", "--adopt")[0] == 0
    assert glad("audit", "--fix")[0] == 0


def test_who_only_looks_makes_no_identity(world, glad):
    assert glad("audit")[0] == 0
    assert told(world) == (None, [])


def test_first_runs_at_the_same_moment_end_with_one_identity(world, database_url):
    together, faults = threading.Barrier(6), []

    def first():
        with Database(database_url) as database:
            together.wait()
            try:
                identity.settle(database, world.store, tell=faults.append)
            except Exception as error:
                faults.append(error)

    threads = [threading.Thread(target=first) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(world.sql("SELECT * FROM deployments")) == 1
    assert told(world)[0]["id"] == str(told(world)[1]["id"])
