"""`glad doctor` on a deployment in which nothing is wrong, and on the same with one thing wrong, each by name."""

import json
import re
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from glad_pipeline import disk
from glad_pipeline.cli.app import invoke
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.defs.instance_look import look_at_dagster, look_at_instance
from glad_pipeline.defs.names import Names
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.generation.models import DEMO_CHECKPOINT
from glad_pipeline.local.home import Home
from glad_pipeline.operations.doctor import (
    examination,
    of_database,
    of_drawing,
    of_machine,
    of_public,
    of_store,
    servers,
)
from glad_pipeline.operations.doctor.checks import CHECKS
from glad_pipeline.operations.doctor.examination import Check, examine, worst_of
from glad_pipeline.outbox.targets import Cdn, Distribution
from glad_pipeline.pipeline import visit
from glad_pipeline.storage.probe import Abilities, Probed
from glad_pipeline.storage.spool import spool_of
from glad_pipeline_tests.doctor_world import SECRET, World, up_json

HTML = {"content-type": "text/html"}


@pytest.fixture(scope="module")
def world(stack, tmp_path_factory):
    """Nothing is wrong in it; who plants a fault takes it out again."""
    from glad_pipeline.local.object_store import S3Server

    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = stack["DATABASE_URL"].removesuffix("/glad") + f"/{name}"
    migrate(url)
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    server = S3Server(Home(Path(stack["GLAD_HOME"])))
    server.prepare_bucket(bucket)
    s3 = {each: stack[each] for each in stack if each.startswith("AWS_")} | {"AWS_S3_BUCKET": bucket}
    world = World(tmp_path_factory.mktemp("doctor"), url, s3, look_at_dagster)
    yield world
    world.close()
    server.client().delete_bucket(Bucket=bucket)
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(autouse=True)
def _surroundings(world, monkeypatch):
    monkeypatch.setenv("DAGSTER_HOME", str(world.dagster))
    monkeypatch.setattr(visit, "PAUSES", ())


# --- the faults: what is planted, which checks see it, and the line that names it ---


@dataclass(frozen=True, kw_only=True)
class Fault:
    plant: object  # a context manager of (world, monkeypatch): the settings that are others, by variable
    checks: tuple  # those that may see it
    about: str  # of the line that names it
    says: str  # a pattern in text and cure
    level: Level = Level.ERROR
    environment: dict = field(default_factory=dict)
    also: tuple = ()  # alarms of a whole examination that are true too: a host that is named is not there, say


FAULTS: dict[str, Fault] = {}


def fault(name, checks, about, says, **more):
    def keep(plant):
        FAULTS[name] = Fault(plant=contextmanager(plant), checks=tuple(checks.split()), about=about, says=says, **more)
        return plant

    return keep


def settings_fault(name, checks, about, says, values=None, **more):
    @fault(name, checks, about, says, **more)
    def plant(world, monkeypatch):
        yield values or {}


WARNING = Level.WARNING

# settings
settings_fault(
    "a misspelt setting",
    "settings",
    "settings: GLAD_BATCHSIZE",
    "GLAD_BATCHSIZE is no setting.*is GLAD_BATCH_SIZE meant",
    environment={"GLAD_BATCHSIZE": "3"},
    level=WARNING,
)
settings_fault(
    "a setting of which none is like",
    "settings",
    "settings: GLAD_QQQQQQQQQQQQQQQQQQ",
    "remove it, or see docs/settings.md",
    environment={"GLAD_QQQQQQQQQQQQQQQQQQ": "3"},
    level=WARNING,
)
settings_fault(
    "an embedded store beside a database elsewhere",
    "settings",
    "settings",
    "nobody else can open. Set AWS_S3_BUCKET",
    {
        "DATABASE_URL": "postgresql://u:Tr0ubador-of-nobody@db.example.com/blog",
        "AWS_S3_BUCKET": None,
        "AWS_ENDPOINT_URL_S3": None,
    },
    also=("database",),
)


@fault("a misspelt bucket", "settings", "settings", "AWS_S3_BUCKTE is no setting, AWS_S3_BUCKET is")
def _(world, monkeypatch):
    monkeypatch.setenv("AWS_S3_BUCKTE", "pictures")
    yield {"AWS_S3_BUCKET": None, "AWS_ENDPOINT_URL_S3": None}


settings_fault(
    "a key without its secret",
    "settings",
    "settings",
    "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not",
    {"AWS_SECRET_ACCESS_KEY": None},
)
settings_fault(
    "an endpoint without a bucket",
    "settings",
    "settings",
    "AWS_ENDPOINT_URL_S3 is set to .* but AWS_S3_BUCKET is not",
    {"AWS_S3_BUCKET": None},
)
settings_fault(
    "no token for a web UI that others reach",
    "web",
    "web",
    "GLAD_WEB_TOKEN is off and GLAD_WEB_HOSTS is set",
    {"GLAD_WEB_TOKEN": "off", "GLAD_WEB_HOSTS": "dagster.example.com"},
)
settings_fault(
    "two CDNs",
    "settings",
    "settings: AWS_CLOUDFRONT_DOMAIN",
    "another host.*unset one of the two",
    {"AWS_CLOUDFRONT_DOMAIN": "d1.cloudfront.net", "AWS_CLOUDFRONT_DISTRIBUTION_ID": "E1"},
    level=WARNING,
    also=("cdn",),
)
settings_fault(
    "a distribution that picture URLs do not lead to",
    "settings",
    "settings: AWS_CLOUDFRONT_DISTRIBUTION_ID",
    "set AWS_CLOUDFRONT_DOMAIN",
    {"GLAD_PUBLIC_BASE_URL": None, "AWS_CLOUDFRONT_DISTRIBUTION_ID": "E1"},
    level=WARNING,
    also=("cdn",),
)
settings_fault(
    "a CDN that is never purged",
    "settings",
    "settings: AWS_CLOUDFRONT_DOMAIN",
    "stay in the CDN's caches.*set AWS_CLOUDFRONT_DISTRIBUTION_ID",
    {"GLAD_PUBLIC_BASE_URL": None, "AWS_CLOUDFRONT_DOMAIN": "d1.cloudfront.net"},
    level=WARNING,
    also=("public: visit",),
)

# this machine


@fault("a GLAD_HOME that others may enter", "home", "home: folder", "chmod 7[01][01] ", level=WARNING)
def _(world, monkeypatch):
    world.home.chmod(0o755)
    yield {}
    world.home.chmod(0o700)


@fault("a GLAD_HOME with other things in it", "home", "home", "must be a directory of its own.*Set it to a new folder")
def _(world, monkeypatch):
    other = world.home.parent / "photos"
    other.mkdir()
    (other / "holiday.jpg").touch()
    yield {"GLAD_HOME": str(other)}
    shutil.rmtree(other)


@fault("a full disk", "home", "home: disk", "9.0 MB are free.*make room there")
def _(world, monkeypatch):
    monkeypatch.setattr(disk, "free", lambda place: 9_000_000)
    yield {}


@fault("a disk that is almost full", "home", "home: disk", "500.0 MB are free.*larger disk", level=WARNING)
def _(world, monkeypatch):
    monkeypatch.setattr(disk, "free", lambda place: 500_000_000)
    yield {}


@fault("a spool that is almost full", "spool", "spool", "drawing stops when it is full.*GLAD_SPOOL_MB", level=WARNING)
def _(world, monkeypatch):
    spool = spool_of(world.home / "spool", world.store, megabytes=1)
    spool.put("ab" * 16, {}, b"x" * 950_000)
    yield {"GLAD_SPOOL_MB": 1}
    spool.remove("ab" * 16)


@fault("pictures that wait for another store", "spool", "spool", "for another store.*drawn anew", level=WARNING)
def _(world, monkeypatch):
    folder = world.home / "spool" / "former@s3.example.com"
    folder.mkdir(parents=True)
    (folder / ("ab" * 16)).touch()
    yield {}
    shutil.rmtree(folder)


@fault("damaged files in the spool", "spool", "spool", "1 damaged files were put aside.*remove", level=WARNING)
def _(world, monkeypatch):
    aside = spool_of(world.home / "spool", world.store, megabytes=1).folder / "quarantine"
    aside.mkdir(parents=True)
    (aside / "broken").touch()
    yield {}
    shutil.rmtree(aside)


@fault("a clock that is 20 minutes ahead", "clock", "clock", "1200 s ahead of the database.*NTP", level=WARNING)
def _(world, monkeypatch):
    monkeypatch.setattr(of_machine, "_now", lambda: datetime.now(UTC) + timedelta(minutes=20))
    yield {}


# the database

settings_fault(
    "a database that is down",
    "database schema queue clock",
    "database",
    r"cannot connect to PostgreSQL at 127.0.0.1:1/blog.*server runs",
    {"DATABASE_URL": "postgresql://glad:Tr0ubador-of-nobody@127.0.0.1:1/blog"},
)


@fault("a wrong password", "database schema", "database", "password authentication failed.*DATABASE_URL")
def _(world, monkeypatch):
    with world.role() as url:
        yield {"DATABASE_URL": url.replace("Tr0ubador-of-this-role", "Tr0ubador-of-another")}


@fault("a database that does not exist", "database schema", "database", "does not exist")
def _(world, monkeypatch):
    yield {"DATABASE_URL": world.url.rpartition("/")[0] + "/no_such_database"}


@fault("a database that is read-only", "database", "database: writable", "RESET default_transaction_read_only")
def _(world, monkeypatch):
    with world.role() as url:
        name = re.search("//([^:]+):", url)[1]
        world.sql(f"ALTER ROLE {name} SET default_transaction_read_only = on")
        yield {"DATABASE_URL": url}


@fault("a database in another encoding", "database", "database: encoding", "SQL_ASCII.*ENCODING 'UTF8'")
def _(world, monkeypatch):
    with world.another_database("ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE 'C'") as url:
        yield {"DATABASE_URL": url}


@fault("a role with few connections", "database", "database: connections", "leaves 3 connections.*raise", level=WARNING)
def _(world, monkeypatch):
    with world.role("CONNECTION LIMIT 3") as url:
        yield {"DATABASE_URL": url}


@fault("a password that expires", "database", "database: password", "expires at.*VALID UNTIL 'infinity'", level=WARNING)
def _(world, monkeypatch):
    with world.role(f"VALID UNTIL '{datetime.now(UTC) + timedelta(days=3)}'") as url:
        yield {"DATABASE_URL": url}


@fault("a database without our tables", "database schema", "schema: migrations", "lacks 0001.*run ./glad migrate")
def _(world, monkeypatch):
    with world.another_database() as url:
        yield {"DATABASE_URL": url}


@fault("a database of a newer release", "database schema", "schema", "migrated by a newer one. Upgrade glad-pipeline")
def _(world, monkeypatch):
    with psycopg.connect(world.url, autocommit=True) as connection:
        (version,) = connection.execute("SELECT version_num FROM glad_alembic_version").fetchone()
    world.sql("UPDATE glad_alembic_version SET version_num = '9999'")
    yield {}
    world.sql("UPDATE glad_alembic_version SET version_num = %s", version)


@fault(
    "a role without rights", "database schema", "schema: rights", "lacks .*UPDATE, DELETE on images.*./glad sql roles"
)
def _(world, monkeypatch):
    name = f"role_{uuid.uuid4().hex[:8]}"
    world.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'Tr0ubador-of-this-role'")
    world.sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
    host = world.url.rpartition("@")[2]
    yield {"DATABASE_URL": f"postgresql://{name}:Tr0ubador-of-this-role@{host}"}
    world.sql(f"DROP OWNED BY {name}")
    world.sql(f"DROP ROLE {name}")


@fault("a trigger that is switched off", "schema", "schema: triggers", "prompts_keep_the_rules.*ENABLE", level=WARNING)
def _(world, monkeypatch):
    world.sql("ALTER TABLE prompts DISABLE TRIGGER prompts_keep_the_rules")
    yield {}
    world.sql("ALTER TABLE prompts ENABLE TRIGGER prompts_keep_the_rules")


@fault("messages that were given up", "queue", "queue: messages", "1 were given up.*outbox retry --dead", level=WARNING)
def _(world, monkeypatch):
    world.sql(
        "INSERT INTO outbox (kind, subject, payload, status, last_error) "
        "VALUES ('revalidate', 'post:1', '{}', 'dead', 'the site is gone')"
    )
    yield {}
    world.sql("DELETE FROM outbox")


@fault("prompts that have failed", "queue", "queue: prompts", "1 have failed.*a reason.*prompts retry", level=WARNING)
def _(world, monkeypatch):
    world.sql("INSERT INTO prompts (prompt) VALUES ('a hill')")
    world.sql("ALTER TABLE prompts DISABLE TRIGGER USER")
    world.sql("UPDATE prompts SET status = 'failed', last_error = 'a reason'")
    world.sql("ALTER TABLE prompts ENABLE TRIGGER USER")
    yield {}
    world.sql("DELETE FROM prompts")


# the blog


def blog_fault(name, about, says, plant, undo, level=Level.ERROR):
    @fault(name, "blog", about, says, level=level)
    def planted(world, monkeypatch):
        world.sql(plant)
        yield {}
        world.sql(undo)


blog_fault(
    "a column that nobody fills",
    "blog: posts.section",
    "section",
    "ALTER TABLE posts ADD section text NOT NULL",
    "ALTER TABLE posts DROP section",
)
blog_fault(
    "posts without a place for the picture",
    "blog: posts.featured_image_url",
    "GLAD_POSTS_COLUMNS|ALTER TABLE",
    "ALTER TABLE posts RENAME featured_image_url TO picture",
    "ALTER TABLE posts RENAME picture TO featured_image_url",
)
blog_fault(
    "many posts without an index for their pages",
    "blog: order",
    "CREATE INDEX CONCURRENTLY ON .posts. .*published_at.*'published'",
    "DROP INDEX glad_posts_by_date; INSERT INTO posts (title, slug, content, status)"
    " SELECT 't', 'many-' || n, 'c', 'published' FROM generate_series(1, 6000) AS n; ANALYZE posts",
    "DELETE FROM posts WHERE slug LIKE 'many-%'; ANALYZE posts; CREATE INDEX glad_posts_by_date ON posts"
    " ((coalesce(published_at, created_at)) DESC, id DESC) WHERE status = 'published'",
    level=WARNING,
)


@fault("a trigger of the blog's that raises", "blog", "blog: posts", "no posts on sundays")
def _(world, monkeypatch):
    world.sql(
        "CREATE FUNCTION no_posts() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'no posts on sundays'; END $$"
    )
    world.sql("CREATE TRIGGER no_posts BEFORE INSERT ON posts FOR EACH ROW EXECUTE FUNCTION no_posts()")
    yield {}
    world.sql("DROP FUNCTION no_posts CASCADE")


# the store

settings_fault(
    "a bucket that does not exist",
    "store together spool public",
    "store",
    "does not exist: create it or correct AWS_S3_BUCKET",
    {"AWS_S3_BUCKET": "no-such-bucket"},
)
settings_fault(
    "a wrong secret key",
    "store together public",
    "store",
    "AWS_SECRET_ACCESS_KEY",
    {"AWS_SECRET_ACCESS_KEY": "a-secret-key-that-is-not-right"},
)
settings_fault(
    "a store that is down",
    "store together public",
    "store",
    "could not list objects",
    {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"},
)


@fault("objects of a look that was ended", "store", "store: left over", "--fix removes them", level=WARNING)
def _(world, monkeypatch):
    monkeypatch.setattr(of_store, "OLD", timedelta(minutes=-5))
    world.store.put_once(".glad/probe-old/a.png", b"x", content_type="image/png", metadata={})
    yield {}
    world.store.delete([".glad/probe-old/a.png"])


@fault("a bucket of another database", "together", "together", "belongs to the database.*glad migrate --adopt")
def _(world, monkeypatch):
    with world.another_database() as url:
        migrate(url)
        yield {"DATABASE_URL": url}


@fault("a table of ours that is gone", "schema", "schema: tables", "lacks takedowns.*restore them from a backup")
def _(world, monkeypatch):
    world.sql("ALTER TABLE takedowns RENAME TO gone")
    yield {}
    world.sql("ALTER TABLE gone RENAME TO takedowns")


@fault("a bucket that is not this database's", "together", "together", "belongs to the bucket.*glad migrate --adopt")
def _(world, monkeypatch):
    name = f"test-{uuid.uuid4().hex[:12]}"
    client = world.store.client
    client.create_bucket(Bucket=name)
    yield {"AWS_S3_BUCKET": name}
    client.delete_bucket(Bucket=name)


# what visitors are given


def answering(name, says, status, headers, body):
    @fault(name, "public", "public: visit", says)
    def plant(world, monkeypatch):
        world.cdn.misbehave = lambda path, right: (status, headers, body)
        yield {}
        world.cdn.misbehave = None


IS_IT = ".*GLAD_PUBLIC_BASE_URL is the address of this bucket"
answering("a CDN that knows no picture", "answers 404" + IS_IT, 404, HTML, b"")
answering("a CDN that forbids", "answers 403" + IS_IT, 403, HTML, b"")
answering("a login page before the CDN", "answers with text/html" + IS_IT, 200, HTML, b"<form>")
answering("a CDN that answers with nothing", "with nothing" + IS_IT, 200, {"content-type": "image/png"}, b"")
answering("a CDN with other bytes", "that are no picture" + IS_IT, 200, {"content-type": "image/png"}, b"x" * 99)
settings_fault(
    "a CDN that nobody runs",
    "public",
    "public: visit",
    "does not answer" + IS_IT,
    {"GLAD_PUBLIC_BASE_URL": "http://127.0.0.1:1"},
)


def without(name, header, about, says):
    @fault(name, "public", about, says, level=WARNING)
    def plant(world, monkeypatch):
        def answer(path, right):
            return right[0], {each: value for each, value in right[1].items() if each != header}, right[2]

        world.cdn.misbehave = answer
        yield {}
        world.cdn.misbehave = None


without("a CDN that drops the cache header", "cache-control", "public: cache", "no Cache-Control.*have the CDN pass on")
without(
    "a CDN that drops CORS headers", "access-control-allow-origin", "public: CORS", "may not read pictures.*CORS rule"
)


@fault("everything in the bucket is public", "public", "public: private", "quarantine.*limit", level=WARNING)
def _(world, monkeypatch):
    def answer(path, right):
        return (200, HTML, b'{"bucket": "pictures"}') if path.startswith("/.glad/") else right

    world.cdn.misbehave = answer
    yield {}
    world.cdn.misbehave = None


@fault("picture URLs without https", "public", "public: https", "pages on https do not show them.*CDN", level=WARNING)
def _(world, monkeypatch):
    from glad_pipeline.operations.doctor import of_public

    monkeypatch.setattr(of_public, "is_loopback", lambda host: False)
    yield {}


@fault("a picture that a doctor left", "public", "public: left over", "--fix removes them", level=WARNING)
def _(world, monkeypatch):
    monkeypatch.setattr(of_store, "OLD", timedelta(minutes=-5))
    world.store.put_once("generated/.glad-doctor-old.png", b"x", content_type="image/png", metadata={})
    yield {}
    world.store.delete(["generated/.glad-doctor-old.png"])


# the site

settings_fault(
    "a site that is down",
    "site",
    "site: revalidate",
    "does not answer.*correct GLAD_SITE_URL, or start the site",
    {"GLAD_SITE_URL": "http://127.0.0.1:1"},
)
settings_fault(
    "a secret that the site does not take",
    "site",
    "site: revalidate",
    "does not take our secret. GLAD_REVALIDATE_SECRET",
    {"GLAD_REVALIDATE_SECRET": "a-secret-of-another-site"},
)


def site_fault(name, attribute, checks, about, says, level=Level.ERROR, is_now=True):
    @fault(name, checks, about, says, level=level)
    def plant(world, monkeypatch):
        monkeypatch.setattr(world.site, attribute, is_now)
        yield {}


site_fault("a site that takes any secret", "takes_any", "site", "site: secret", "takes any secret.*answer 401", WARNING)
site_fault("a site without the route", "has_no_route", "site", "site: revalidate", "no such route. Check GLAD_SITE_URL")
site_fault("a site that has moved", "redirects", "site", "site: revalidate", "set GLAD_SITE_URL to where it leads")
site_fault(
    "a site that does not show our pictures",
    "allows",
    "images",
    "images",
    "add 127.0.0.1 to images.remotePatterns",
    WARNING,
    is_now=False,
)

# what draws

settings_fault("a model that is not there", "model", "model", "/no/such/model", {"GLAD_MODEL": "/no/such/model"})
settings_fault(
    "a model that was not pulled",
    "model",
    "model",
    "is not on this machine.*glad model pull",
    {"GLAD_MODEL": "stabilityai/stable-diffusion-xl-base-1.0"},
)
settings_fault("a model without a commit", "model", "model", "commit", {"GLAD_MODEL": "somebody/some-model"})


@fault("a model that is cut off", "model", "model", "unet.*(copy|fetch|again|truncated)")
def _(world, monkeypatch):
    folder = world.home.parent / "model"
    shutil.copytree(DEMO_CHECKPOINT, folder)
    weights = next((folder / "unet").glob("*.safetensors"))
    with weights.open("r+b") as file:
        file.truncate(1_000_000)
    yield {"GLAD_MODEL": str(folder)}
    shutil.rmtree(folder)


@fault("a process that dies while it draws", "drawing", "drawing: picture", "signal 9.*look at memory")
def _(world, monkeypatch):
    program = world.home.parent / "dies"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o700)
    monkeypatch.setattr(of_drawing.sys, "executable", str(program))
    yield {"draws": True}


settings_fault(
    "no workers where there are to be some",
    "workers",
    "workers",
    "no workers run.*glad workers up",
    {"GLAD_BACKEND": "ray"},
)

# the CDN, by what CloudFront says of a distribution


def cdn_fault(name, says, *, enabled=True):
    @fault(name, "cdn", "cdn: distribution", says)
    def plant(world, monkeypatch):
        served = Distribution(enabled=enabled, status="Deployed", domains=("d1.cloudfront.net",))
        monkeypatch.setattr(Cdn, "look", lambda cdn: served)
        host = world.cdn.url.removeprefix("http://")
        yield {"AWS_CLOUDFRONT_DISTRIBUTION_ID": "E1", "AWS_CLOUDFRONT_DOMAIN": host}


cdn_fault("a distribution that is disabled", "E1 is disabled: it serves nobody.*enable it", enabled=False)
cdn_fault(
    "a distribution of another domain",
    r"E1 serves d1.cloudfront.net, and picture URLs are of 127\.0\.0\.1:.*correct AWS_CLOUDFRONT_DOMAIN",
)

# Dagster


def dagster_fault(name, right, wrong, about, says):
    @fault(name, "dagster", about, says, level=WARNING)
    def plant(world, monkeypatch):
        file = world.dagster / "dagster.yaml"
        before = file.read_text()
        assert right in before
        file.write_text(before.replace(right, wrong))
        yield {}
        file.write_text(before)


dagster_fault("a pool without a limit", ", default_limit: 1", "", "dagster: pool", "concurrency set gpu 1")
dagster_fault(
    "runs that do not queue",
    "class: QueuedRunCoordinator",
    "class: DefaultRunCoordinator",
    "dagster: queue",
    "run_coordinator: QueuedRunCoordinator",
)


@fault("a sensor that is switched off", "dagster", "dagster: new_prompts", "is switched off.*Automation", level=WARNING)
def _(world, monkeypatch):
    with dg.DagsterInstance.get() as instance:
        state = stopped_sensor(instance)
    yield {}
    with dg.DagsterInstance.get() as instance:
        instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)


@fault("a daemon that hangs", "dagster", "dagster: daemon", "no sign of life.*./glad up")
def _(world, monkeypatch):
    up_json(world.home)
    yield {}
    (world.home / "up.json").unlink()


@fault("runs that fail again and again", "dagster", "dagster: runs", "last 3 runs .* failed.*web UI", level=WARNING)
def _(world, monkeypatch):
    ids = [dg.DagsterRun(job_name="publish_prompts", status=dg.DagsterRunStatus.FAILURE) for _ in range(3)]
    with dg.DagsterInstance.get() as instance:
        for each in ids:
            instance.add_run(each)
    yield {}
    with dg.DagsterInstance.get() as instance:
        for each in ids:
            instance.delete_run(each.run_id)


@fault("a dagster.yaml that is wrong", "dagster", "dagster: storage", "concurency.*dagster.yaml in DAGSTER_HOME")
def _(world, monkeypatch):
    file = world.dagster / "dagster.yaml"
    before = file.read_text()
    file.write_text(before.replace("concurrency", "concurency"))
    yield {}
    file.write_text(before)


def stopped_sensor(instance, name="new_prompts", location="glad"):
    from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
    from dagster._core.scheduler.instigation import (
        InstigatorState,
        InstigatorStatus,
        InstigatorType,
        SensorInstigatorData,
    )

    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "repo"), name)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.STOPPED, SensorInstigatorData())
    return instance.add_instigator_state(state)


# --- the tests ---


def line(found):
    return f"{found.level.value}: {found.check}: {found.text} {found.cure}"


def examined(deployment, names=None):
    checks = [each for each in CHECKS if names is None or each.name in names]
    try:
        return list(examine(deployment, checks))
    finally:
        deployment.close()


def require_named(fault, found):
    """That fault with its cure, no other alarm, no traceback, no secret."""
    alarms = [each for each in found if each.level in (Level.WARNING, Level.ERROR) and each.check not in fault.also]
    assert [each.check for each in alarms] == [fault.about], "\n".join(map(line, found))
    (alarm,) = alarms
    assert alarm.level is fault.level
    assert re.search(fault.says, alarm.in_words()), line(alarm)
    text = "\n".join(map(line, found))
    assert "Traceback" not in text
    assert examination.FAULT not in text
    for secret in ("Tr0ubador-of", SECRET, "a-secret-of", "a-secret-key-that"):
        assert secret not in text


def planted(world, fault, monkeypatch, names=None):
    with fault.plant(world, monkeypatch) as values:
        draws = values.pop("draws", False)
        deployment = world.deployment(fault.environment, **values)
        deployment.draws = draws
        return examined(deployment, names)


def test_there_are_at_least_forty_faults():
    assert len(FAULTS) >= 40


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named_with_its_cure_and_nothing_else_is(world, name, monkeypatch):
    fault = FAULTS[name]
    require_named(fault, planted(world, fault, monkeypatch, fault.checks))


def test_where_nothing_is_wrong_nothing_is_said_and_nothing_is_left_behind(world):
    before = [listed.key for listed in world.store.listing("")]
    found = examined(world.deployment())
    assert worst_of(found) in (Level.OK, Level.NOT_TESTED), "\n".join(map(line, found))
    assert {each.check.partition(":")[0] for each in found} == {each.name for each in CHECKS}
    assert [listed.key for listed in world.store.listing("")] == before


def test_without_a_picture_a_tiny_one_is_put_and_removed_again(world):
    world.sql("UPDATE images SET removed_at = now()")
    try:
        found = examined(world.deployment(), ("public",))
        assert worst_of(found) is Level.OK, "\n".join(map(line, found))
        assert world.cdn.visits[-1].startswith("/.glad/")
        assert any(".glad-doctor-" in path for path in world.cdn.visits)
        assert not list(world.store.listing("generated/.glad-doctor-"))
    finally:
        world.sql("UPDATE images SET removed_at = NULL")


def test_fix_mends_what_is_harmless_to_mend(world, monkeypatch):
    names = [
        "a GLAD_HOME that others may enter",
        "objects of a look that was ended",
        "a picture that a doctor left",
    ]
    for name in names:
        fault = FAULTS[name]
        with fault.plant(world, monkeypatch):
            deployment = world.deployment()
            deployment.fix = True
            mended = examined(deployment, fault.checks)
            assert worst_of(mended) in (Level.OK, Level.NOT_TESTED), "\n".join(map(line, mended))
            again = examined(world.deployment(), fault.checks)
            assert worst_of(again) in (Level.OK, Level.NOT_TESTED), "\n".join(map(line, again))


def told(world, names, **values):
    """What these checks find in a deployment with these settings."""
    return examined(world.deployment(**values), names)


def alarms(found):
    return [line(each) for each in found if each.level in (Level.WARNING, Level.ERROR)]


@pytest.mark.parametrize("until", ["infinity", "20000-01-01"])
def test_a_password_that_does_not_expire_is_right(world, until):
    with world.role(f"VALID UNTIL '{until}'") as url:
        assert alarms(told(world, ("database",), DATABASE_URL=url)) == []


def test_what_keeps_dagsters_own_database_from_being_used_is_told(world):
    url = "postgresql://dagster:Tr0ubador-of-nobody@127.0.0.1:1/dagster"
    given = world.deployment(DAGSTER_DATABASE_URL=url).settings
    _, trouble = servers.started(given)
    deployment = world.deployment()
    deployment.trouble = trouble
    found = examined(deployment, ("database", "store", "dagster"))
    assert [each.check for each in found if each.level is Level.ERROR] == ["dagster: storage"]
    assert "cannot connect to PostgreSQL at 127.0.0.1:1/dagster" in found[-1].text
    assert "Tr0ubador" not in str(found)


def test_migrations_of_the_embedded_database_know_the_blogs_names(world, monkeypatch):
    given = world.deployment(DATABASE_URL=None, GLAD_POSTS_TABLE="articles").settings
    monkeypatch.setattr(servers.stack, "ensure", lambda given: {"DATABASE_URL": world.url})
    monkeypatch.setenv("DATABASE_URL", world.url)
    asked = []
    monkeypatch.setattr(servers, "migrate", lambda url, blog: asked.append(blog))
    assert servers.started(given)[1] == {}
    assert asked == [given.blog]


def test_roots_home_may_be_passed_by_the_server_that_runs_as_nobody(world, monkeypatch):
    monkeypatch.setattr(of_machine.os, "geteuid", lambda: 0)
    try:
        for mode in (0o711, 0o755):
            world.home.chmod(mode)
            assert bool(alarms(told(world, ("home",)))) == (mode == 0o755)
            deployment = world.deployment()
            deployment.fix = True
            assert alarms(examined(deployment, ("home",))) == []
            assert world.home.stat().st_mode & 0o777 == 0o711
    finally:
        world.home.chmod(0o700)


def test_what_another_doctor_uses_now_is_left_alone(world):
    keys = [".glad/probe-now/a.png", "generated/.glad-doctor-now.png"]
    for key in keys:
        world.store.put_once(key, b"x", content_type="image/png", metadata={})
    try:
        deployment = world.deployment()
        deployment.fix = True
        assert alarms(examined(deployment, ("store", "public"))) == []
        assert all(world.store.head(key) for key in keys)
    finally:
        world.store.delete(keys)


def test_no_more_is_put_beside_what_the_store_does_not_delete(world, monkeypatch):
    monkeypatch.setattr(of_store, "OLD", timedelta(minutes=-5))
    monkeypatch.setattr(of_store, "MANY", 1)
    keys = [".glad/probe-old/a.png", "generated/.glad-doctor-old.png"]
    for key in keys:
        world.store.put_once(key, b"x", content_type="image/png", metadata={})
    world.sql("UPDATE images SET removed_at = now()")
    monkeypatch.setattr(type(world.store), "put_once", None)
    monkeypatch.setattr(type(world.store), "probe", None)
    try:
        found = told(world, ("store", "public"))
        assert {each.check for each in found if each.level is Level.NOT_TESTED} >= {"store: trial", "public: visit"}
        assert [each.level for each in found if each.check.endswith("left over")] == [WARNING, WARNING]
    finally:
        world.sql("UPDATE images SET removed_at = NULL")
        world.store.delete(keys)


def test_a_store_without_conditional_writes_is_given_the_tiny_picture_under_a_lock(world, monkeypatch):
    locked = []

    def under_a_lock(database):
        return lambda key, work: locked.append(key) or work()

    monkeypatch.setattr(of_public, "under_a_lock", under_a_lock)
    world.sql("UPDATE images SET removed_at = now()")
    try:
        deployment = world.deployment()
        deployment.probed = Probed(able=Abilities(conditional=False), found=())
        assert alarms(examined(deployment, ("public",))) == []
        assert len(locked) == 1
    finally:
        world.sql("UPDATE images SET removed_at = NULL")


def test_no_picture_is_drawn_beside_a_run_that_draws(world, monkeypatch):
    monkeypatch.setattr(of_drawing, "_in_a_process", None)
    deployment = world.deployment()
    deployment.draws = True
    with psycopg.connect(world.url, application_name="glad-hold run-7") as connection:
        connection.execute("SELECT pg_advisory_lock(1735156068, 1)")
        (found,) = examined(deployment, ("drawing",))
    assert (found.level, found.text) == (Level.NOT_TESTED, "the run run-7 is drawing: it has the GPU")


@pytest.mark.parametrize(
    ("domain", "is_right"),
    [("Img.Example.com", True), ("a.cdn.example.com:443", True), ("d1.cloudfront.net", True), ("example.com", False)],
)
def test_a_distribution_is_known_by_each_of_its_domains(world, monkeypatch, domain, is_right):
    domains = ("d1.cloudfront.net", "img.example.com", "*.cdn.Example.com")
    served = Distribution(enabled=True, status="Deployed", domains=domains)
    monkeypatch.setattr(Cdn, "look", lambda cdn: served)
    deployment = world.deployment(AWS_CLOUDFRONT_DISTRIBUTION_ID="E1")
    deployment.settings = deployment.settings.model_copy(update={"cloudfront_domain": domain})
    assert (alarms(examined(deployment, ("cdn",))) == []) is is_right


def test_a_site_that_refuses_in_its_words_alone_takes_no_secret_but_its_own(world, monkeypatch):
    monkeypatch.setattr(world.site, "refuses_in_words", True)
    assert alarms(told(world, ("site",))) == []


def test_a_pipeline_in_a_larger_project_is_known_by_its_own_names_and_place(world):
    with dg.DagsterInstance.get() as instance:
        states = [stopped_sensor(instance, "blog_new_prompts", "ours")]
        states.append(stopped_sensor(instance, "blog_audit_store_daily", "theirs"))
        runs = [
            dg.DagsterRun(
                job_name="blog_publish_prompts",
                status=dg.DagsterRunStatus.FAILURE,
                tags={".dagster/repository": "repo@theirs"},
            )
            for _ in range(3)
        ]
        for each in runs:
            instance.add_run(each)
        found = list(look_at_instance(instance, Names(name="blog"), "repo@ours", world.deployment()))
        for state in states:
            instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)
        for each in runs:
            instance.delete_run(each.run_id)
    assert [each.check for each in found if each.level is WARNING] == ["blog_new_prompts"]


def test_status_and_audit_say_that_visitors_are_not_given_the_newest_picture(world, capsys):
    world.cdn.misbehave = lambda path, right: (404, HTML, b"")
    try:
        runtime = Runtime(world.deployment().settings)
        assert invoke(["status"], runtime) == 0
        assert "pictures: visitors are not given the newest picture at" in capsys.readouterr().out
        assert invoke(["audit", "--json"], runtime) == 1
        assert "answers 404" in json.loads(capsys.readouterr().out)["visitors"]
        invoke(["status", "--json"], Runtime(world.deployment(GLAD_PUBLIC_CHECK="off").settings))
        assert json.loads(capsys.readouterr().out)["visitors"] is None
    finally:
        world.cdn.misbehave = None


def test_a_check_that_raises_or_hangs_is_a_line_and_ends_no_other(world):
    import time

    def raises(deployment):
        yield Diagnosis(check="first", level=Level.OK, text="so far")
        raise ZeroDivisionError(f"with {SECRET}")

    def hangs(deployment):
        time.sleep(30)
        yield

    checks = [
        Check(name="raises", look=raises),
        Check(name="hangs", look=hangs, seconds=0.05),
        Check(name="needs", look=raises, needs=("hangs",)),
        Check(name="last", look=lambda deployment: [Diagnosis(check="last", level=Level.OK, text="fine")]),
    ]
    found = list(examine(world.deployment(), checks))
    assert [(each.check, each.level) for each in found] == [
        ("raises: first", Level.OK),
        ("raises", Level.ERROR),
        ("hangs", Level.ERROR),
        ("needs", Level.NOT_TESTED),
        ("last", Level.OK),
    ]
    assert SECRET not in str(found)
    assert "ZeroDivisionError" in found[1].text


def test_the_command_prints_lines_or_json_and_its_exit_code_tells_how_bad_it_is(world, capsys):
    def run(*words, **values):
        deployment = world.deployment(**values)
        code = invoke(["doctor", "--quick", *words], Runtime(deployment.settings))
        return code, capsys.readouterr().out

    code, out = run()
    assert code == 0
    assert re.search(r"^ok +database: writable: ", out, re.MULTILINE)
    code, out = run("--json", GLAD_SITE_URL="http://127.0.0.1:1")
    told = json.loads(out)
    assert (code, told["level"]) == (1, "error")
    assert [each["check"] for each in told["checks"] if each["level"] == "error"] == ["site: revalidate"]
    world.home.chmod(0o755)
    try:
        assert run()[0] == 3
    finally:
        world.home.chmod(0o700)


def test_settings_that_cannot_be_are_told_as_a_line_too(capsys, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://glad:a-tr@ubador-of-mine@db.example.com/blog")
    assert invoke(["doctor"], Runtime()) == 1
    out = capsys.readouterr().out
    assert re.search("^ERROR +settings: DATABASE_URL: .*%40", out, re.MULTILINE)
    assert "not tested  store: it needs what is wrong above: settings" in out
    assert "ubador-of" not in out


@pytest.mark.deep
@pytest.mark.parametrize("name", FAULTS)
def test_a_whole_examination_names_that_fault_alone(world, name, monkeypatch):
    fault = FAULTS[name]
    require_named(fault, planted(world, fault, monkeypatch))


@pytest.mark.deep
def test_a_picture_is_drawn_and_a_gpu_that_is_not_there_is_named(world):
    deployment = world.deployment()
    deployment.draws = True
    found = examined(deployment, ("drawing",))
    assert [each.level for each in found] == [Level.OK, Level.OK], "\n".join(map(line, found))
    deployment = world.deployment(GLAD_DEVICE="mps")
    deployment.draws = True
    found = examined(deployment, ("drawing",))
    assert "finds no mps device" in found[-1].text


def test_every_trigger_of_ours_on_prompts_is_looked_at(migrated_url):
    with Database(migrated_url) as database, database.transaction() as connection:
        ours = connection.execute(
            "SELECT tgname FROM pg_trigger WHERE tgrelid = 'prompts'::regclass AND NOT tgisinternal"
        )
        named = {row["tgname"] for row in ours}
        connection.execute("ALTER TABLE prompts DISABLE TRIGGER USER")
        assert {row["name"] for row in connection.execute(of_database.SQL["switched_off"])} == named


def test_every_right_that_roles_sql_gives_the_pipeline_on_tables_of_a_run_is_asked_for(migrated_url):
    name = f"role_{uuid.uuid4().hex[:8]}"
    with Database(migrated_url) as database, database.transaction() as connection:
        connection.execute(f"CREATE ROLE {name}")
        connection.execute(f"SET LOCAL ROLE {name}")
        lacks = {(row["relation"], row["privilege"]) for row in connection.execute(of_database.SQL["rights"])}
        connection.execute("RESET ROLE")
        connection.execute(f"DROP ROLE {name}")
    given = {
        (table, right)
        for table, rights in re.findall(r"\(pipeline, '(\w+)', '([A-Z, ]+)'\)", ROLES)
        for right in rights.split(", ")
        if table not in THE_BLOG_S
    }
    assert lacks == given


ROLES = files("glad_pipeline.database").joinpath("roles.sql").read_text()
THE_BLOG_S = {"categories", "authors", "media", "tags", "post_tags", "content_tasks", "glad_alembic_version"}
