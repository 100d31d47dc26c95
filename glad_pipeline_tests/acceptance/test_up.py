"""`glad up`: the daemon's sensor publishes by itself, and the web UI shows and starts it."""

import json
import re

import httpx2
import psycopg
import pytest

from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres
from glad_pipeline_tests.acceptance.conftest import running_up, soon


@pytest.fixture(scope="module")
def web(machine, tmp_path_factory):
    yield from running_up(machine, tmp_path_factory.mktemp("up"))


@pytest.fixture(scope="module")
def published(machine, web):
    """One post that the sensor has published by itself, from a row inserted by plain SQL."""
    (row,) = machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at night', 'Night bay') RETURNING id")
    machine.wait_until_published(row["id"], seconds=300)
    (post,) = machine.sql("SELECT * FROM posts WHERE title = 'Night bay'")
    return post


def test_a_row_inserted_by_plain_sql_becomes_a_post_by_itself(published):
    assert published["status"] == "published"
    assert published["featured_image_url"].startswith("http://127.0.0.1:")


def test_status_says_what_runs(machine, web):
    told = machine.glad("status")
    assert web in told
    assert "PostgreSQL" in told
    assert re.search(r"^gateway +running +http://127\.0\.0\.1:\d+", told, re.MULTILINE)
    assert "database: answers\nstore: answers\nqueue: " in told


def test_the_gateway_is_ready_and_knows_a_key_that_the_terminal_has_made(machine, web):
    address = describe(Home(machine.home))["gateway"]
    assert httpx2.get(f"{address}/readyz").json() == {"status": "ready"}
    key = json.loads(machine.glad("keys", "make", "site", "--scope", "read", "--json"))["key"]
    answer = httpx2.get(f"{address}/api/caller", headers={"Authorization": f"Bearer {key}"})
    assert answer.json() == {"data": {"name": "site", "scopes": ["read"]}}


def test_a_second_up_says_where_the_first_is(machine, web):
    assert web in machine.glad("up", code=1)


def test_the_web_ui_shows_the_materialized_graph_and_the_pictures(web, published, page):
    page.goto(f"{web}/asset-groups")
    for name in ("prompts", "generated_images", "s3_objects", "published_posts"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.goto(f"{web}/assets/generated_images")
    page.get_by_text("contact_sheet", exact=True).first.wait_for()
    sheet = page.locator("img[alt='picture']").first
    sheet.or_(page.get_by_text("[Show Markdown]")).first.wait_for()
    if not sheet.is_visible():  # a large sheet is behind a click, a small one in the table
        page.get_by_text("[Show Markdown]").first.click()
    sheet.wait_for()
    assert sheet.evaluate("image => image.complete && image.naturalWidth") > 50


def test_a_row_that_is_worked_on_while_postgresql_is_killed_becomes_one_post(machine, web):
    (row,) = machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at noon', 'Noon bay') RETURNING id")

    def status():
        try:
            return machine.sql("SELECT status FROM prompts WHERE id = %s", row["id"])[0]["status"]
        except psycopg.OperationalError:
            return None  # it is being started again

    soon(lambda: status() == "claimed", seconds=180)
    killed = Postgres(Home(machine.home)).running()
    killed.kill()
    soon(lambda: status() == "published", seconds=300)
    assert Postgres(Home(machine.home)).running() != killed
    (count,) = machine.sql("SELECT count(*) AS posts FROM posts WHERE title = 'Noon bay'")
    (spent,) = machine.sql("SELECT attempts FROM prompts WHERE id = %s", row["id"])
    assert (count["posts"], spent["attempts"]) == (1, 1)
