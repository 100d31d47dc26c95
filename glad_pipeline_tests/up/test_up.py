"""`glad up`: the sensor publishes by itself, the web UI shows and starts it, the site has it seconds later."""

import json
import re
import time

import httpx2
import pytest

from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.local.site_keys import known_keys
from glad_pipeline_tests.acceptance.conftest import soon
from glad_pipeline_tests.up.conftest import running


def test_a_row_of_plain_sql_that_is_worked_on_while_postgresql_is_killed_becomes_one_post_by_itself(machine, killed):
    row, server = killed
    (post,) = machine.sql("SELECT * FROM posts WHERE title = 'Night bay'")
    assert post["status"] == "published"
    assert post["featured_image_url"].startswith("http://127.0.0.1:")
    assert row["attempts"] == 1
    assert Postgres(Home(machine.home)).running() != server


def test_the_row_is_a_post_on_the_site(blog, published):
    soon(lambda: "Night bay" in httpx2.get(blog).text, seconds=10)
    assert "Night bay" in httpx2.get(f"{blog}/posts/{published['slug']}").text
    assert httpx2.get(f"{blog}/studio", follow_redirects=True).status_code == 200


def test_status_says_what_runs(machine, web, up):
    told = machine.glad("status")
    assert web in told
    assert "PostgreSQL" in told
    assert re.search(r"^gateway +running +http://127\.0\.0\.1:\d+", told, re.MULTILINE)
    assert ("site" in up) == bool(re.search(r"^site +running +http://127\.0\.0\.1:\d+", told, re.MULTILINE))
    assert "database: answers\nstore: answers\nqueue: " in told


def test_the_gateway_is_ready_and_knows_a_key_that_the_terminal_has_made(machine, up):
    assert httpx2.get(f"{up['gateway']}/readyz").json() == {"status": "ready"}
    key = json.loads(machine.glad("keys", "make", "site", "--scope", "read", "--json"))["key"]
    answer = httpx2.get(f"{up['gateway']}/api/caller", headers={"Authorization": f"Bearer {key}"})
    assert answer.json() == {"data": {"name": "site", "scopes": ["read"]}}


def test_the_site_s_keys_are_of_its_installation_and_commands_know_its_address(machine, up, blog):
    manifest = (machine.home / "site" / ".next" / "prerender-manifest.json").read_text()
    assert not [key for key in known_keys().values() if key in manifest]
    assert machine.exports["GLAD_SITE_URL"] == blog


@pytest.mark.usefixtures("blog", "quiet")
def test_the_doctor_finds_that_the_sensor_is_off_and_the_site_shows_the_pictures_and_nothing_wrong(machine):
    found = json.loads(machine.glad("doctor", "--quick", "--json", code=3))["checks"]
    assert [each["check"] for each in found if each["level"] not in ("ok", "not tested")] == ["dagster: new_prompts"]
    said = {each["check"]: each for each in found}
    assert {said[name]["level"] for name in ("site: revalidate", "site: secret", "images")} == {"ok"}
    assert "lets pages show pictures of http://127.0.0.1" in said["images"]["text"]


@pytest.fixture(scope="module")
def materialized(machine, web, quiet, owner):
    """The run that a click on *Materialize all* has started, with the sensor off, and what the page heard of it."""
    (before,) = machine.sql("SELECT count(*) FROM runs", database="DAGSTER_DATABASE_URL")
    (row,) = machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at noon', 'Noon bay') RETURNING id")
    until = time.monotonic() + 6  # the sensor would look every 2 s
    page, frames = owner.new_page(), []
    page.on("websocket", lambda made: made.on("framereceived", lambda data: frames.append(made.url)))
    page.goto(f"{web}/asset-groups")
    button = page.get_by_text("Materialize all").first
    button.wait_for()
    page.wait_for_timeout(max(0, until - time.monotonic()) * 1_000)
    assert machine.sql("SELECT count(*) FROM runs", database="DAGSTER_DATABASE_URL") == [before]
    button.click()
    machine.wait_until_published(row["id"], seconds=300)
    soon(lambda: not running(machine))
    page.close()
    [run, *others] = machine.sql("SELECT run_id FROM runs ORDER BY id DESC", database="DAGSTER_DATABASE_URL")
    assert len(others) == before["count"]
    return run["run_id"], frames


def test_with_the_sensor_off_nothing_starts_by_itself_and_materialize_all_is_enough(machine, web, materialized, page):
    run, frames = materialized
    started_by = machine.sql(
        "SELECT * FROM run_tags WHERE run_id = %s AND key IN ('dagster/sensor_name', 'dagster/schedule_name')",
        run,
        database="DAGSTER_DATABASE_URL",
    )
    assert started_by == []
    assert frames
    page.goto(f"{web}/runs")
    page.get_by_text("Manually launched").first.wait_for()


@pytest.mark.usefixtures("materialized")
def test_the_web_ui_shows_the_materialized_graph_and_the_pictures(web, page):
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


def test_what_the_terminal_takes_down_is_gone_from_the_site(machine, blog, published):
    machine.glad("posts", "unpublish", str(published["id"]), "--reason", "a test")
    soon(lambda: "Night bay" not in httpx2.get(blog).text, seconds=10)
    assert httpx2.get(f"{blog}/posts/{published['slug']}").status_code == 410
    messages = machine.sql("SELECT status FROM outbox WHERE kind = 'revalidate'")
    assert {each["status"] for each in messages} == {"delivered"}
