"""One `glad up` for all tests of this folder, with everything that it serves, and a browser whose user is logged in.

A `glad up` takes half a minute: what needs one that simply runs asks for it here, and puts it back as it was. One
process runs all files of this folder (`TOGETHER` in `glad_pipeline_tests/conftest.py`).
"""

import re
import subprocess
import sys
import time
from pathlib import Path

import boto3
import psycopg
import pytest

from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.node import OLDEST, find_node
from glad_pipeline.local.postgres import Postgres
from glad_pipeline_tests.acceptance.conftest import Machine, chromium, interrupted, soon
from glad_pipeline_tests.leftovers import left_running

PASSWORD = "correct horse battery staple"
PORT = "24700"  # another `glad up` that begins at this moment looks from its own port on
SITE = find_node(Path(sys.prefix)) is not None


@pytest.fixture(scope="package")
def machine(tmp_path_factory):
    """Its state directory. Nothing is asked for by the clock: a test may fall on a full hour."""
    ports = dict.fromkeys(("GLAD_WEB_PORT", "GLAD_GATEWAY_PORT", "GLAD_SITE_PORT"), PORT)  # each has the next
    settings = ports | {
        "GLAD_SCHEDULE": "false",
        "GLAD_AUDIT": "false",
        "GLAD_SENSOR_SECONDS": "2",  # whoever switches the sensor off waits for the end of its look
        "GLAD_SITE": "on",
        "GLAD_RENDITIONS": "webp",
        "GLAD_WEB_PASSWORD": PASSWORD,
        "GLAD_WEB_HOSTS": "glad.example",
        "GLAD_WEB_PROXIES": "127.0.0.1",
    }
    return Machine(tmp_path_factory.mktemp("a machine"), settings)


@pytest.fixture(scope="package")
def web(machine, tmp_path_factory):
    """`glad up`: the address of its web UI. `glad down` ends it, and nothing is left."""
    log = tmp_path_factory.mktemp("up") / "up.out"
    with log.open("w") as out:
        process = machine.start("up", stdout=out, stderr=subprocess.STDOUT)
    try:
        found = soon(lambda: re.search(r"Dagster +(http://\S+)", log.read_text()) or process.poll(), seconds=300)
        assert process.poll() is None, log.read_text()
        yield found[1]
        assert machine.glad("down").startswith("stopped: glad up")
        assert process.wait(60) == 0, log.read_text()
        assert left_running(machine.home) == []
    finally:
        if process.poll() is None:
            interrupted(process)


@pytest.fixture(scope="package")
def up(machine, web):
    """Where it says that its parts are."""
    return describe(Home(machine.home))


@pytest.fixture(scope="package")
def blog(up):
    """The address of the site."""
    if not SITE:
        pytest.skip(f"no Node.js {'.'.join(map(str, OLDEST))} or newer on this machine: the site was not started")
    return up["site"]


@pytest.fixture(scope="package")
def browser():
    with chromium() as browser:
        yield browser


def logged_in(page):
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_text("Deployment", exact=True).wait_for()


@pytest.fixture(scope="package")
def owner(browser, web):
    """A browser whose user has logged in with the password, and in which they visit other pages as well."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000}, ignore_https_errors=True)
    page = context.new_page()
    page.goto(f"{web}/runs")
    logged_in(page)
    assert page.url == f"{web}/runs"
    page.close()
    yield context
    context.close()


@pytest.fixture
def page(owner):
    page = owner.new_page()
    page.set_default_timeout(30_000)
    yield page
    page.close()


@pytest.fixture(scope="package")
def killed(machine, web):
    """What the sensor has published by itself, from a row inserted by plain SQL, though PostgreSQL was killed while it
    was worked on: the row, and the server that was killed."""
    (row,) = machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at night', 'Night bay') RETURNING id")

    def status():
        try:
            return machine.sql("SELECT status FROM prompts WHERE id = %s", row["id"])[0]["status"]
        except psycopg.OperationalError:
            return None  # it is being started again

    soon(lambda: status() == "claimed", seconds=180)
    server = Postgres(Home(machine.home)).running()
    server.kill()
    soon(lambda: status() == "published", seconds=300)
    (row,) = machine.sql("SELECT * FROM prompts WHERE id = %s", row["id"])
    return row, server


@pytest.fixture(scope="package")
def published(machine, killed):
    """The post of it."""
    (post,) = machine.sql("SELECT * FROM posts WHERE title = 'Night bay'")
    return post


@pytest.fixture(scope="package")
def quiet(machine, web, published, owner):
    """The sensor is switched off and no run is under way: whatever changes from now on, a test has done."""
    page = owner.new_page()
    page.set_default_timeout(30_000)
    soon(lambda: not running(machine), seconds=120)
    switch_the_sensor(machine, web, page, on=False)
    page.close()
    assert not running(machine)


def running(machine):
    """The runs that have not ended."""
    ended = "('SUCCESS', 'FAILURE', 'CANCELED')"
    return machine.sql(f"SELECT run_id FROM runs WHERE status NOT IN {ended}", database="DAGSTER_DATABASE_URL")


def switch_the_sensor(machine, web, page, *, on):
    """By the switch in the web UI; off, once its last look has ended."""

    def status():
        rows = machine.sql(
            "SELECT status FROM jobs WHERE job_body LIKE %s", "%new_prompts%", database="DAGSTER_DATABASE_URL"
        )
        return rows and rows[0]["status"]

    def looks():
        return machine.sql("SELECT 1 FROM job_ticks WHERE status = 'STARTED'", database="DAGSTER_DATABASE_URL")

    page.goto(f"{web}/locations/glad_pipeline/sensors/new_prompts")
    page.locator("label:has(input[type=checkbox])").click()
    soon(lambda: status() == ("RUNNING" if on else "STOPPED"), seconds=30)
    if not on:
        time.sleep(1)  # the daemon may just have read the old state
        soon(lambda: not looks(), seconds=60)


def client_of(machine, **options):
    """The machine's S3, with its keys, or for a stranger with these options."""
    told = machine.exports
    keys = {"aws_access_key_id": told["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": told["AWS_SECRET_ACCESS_KEY"]}
    return boto3.client(
        "s3", endpoint_url=told["AWS_ENDPOINT_URL_S3"], region_name="us-east-1", **({} if options else keys), **options
    )
