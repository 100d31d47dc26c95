"""`glad up`: the daemon's sensor publishes by itself, and the web UI shows and starts it."""

import re
import shutil
import subprocess

import pytest

from glad_pipeline_tests.acceptance.conftest import Machine, interrupted, left_running, soon

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def running_up(machine, folder):
    """`glad up` on that machine: yields the address of its web UI, then ends it with Ctrl-C."""
    log = folder / "up.out"
    with log.open("w") as out:
        process = machine.start("up", stdout=out, stderr=subprocess.STDOUT)
    try:
        found = soon(lambda: re.search(r"Dagster +(http://\S+)", log.read_text()) or process.poll(), seconds=90)
        assert process.poll() is None, log.read_text()
        yield found[1]
        assert interrupted(process) == 0, log.read_text()
        assert left_running(machine.home) == []
    finally:
        if process.poll() is None:
            interrupted(process)


@pytest.fixture(scope="module")
def web(machine, tmp_path_factory):
    yield from running_up(machine, tmp_path_factory.mktemp("up"))


@pytest.fixture(scope="module")
def quiet_machine(tmp_path_factory):
    """A machine on which nothing starts by itself."""
    return Machine(tmp_path_factory.mktemp("a quiet machine"), {"GLAD_SENSOR": "false", "GLAD_SCHEDULE": "false"})


@pytest.fixture(scope="module")
def quiet_web(quiet_machine, tmp_path_factory):
    yield from running_up(quiet_machine, tmp_path_factory.mktemp("quiet up"))


@pytest.fixture
def page():
    """A page of a real browser."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the web UI was not looked at")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        page = browser.new_page(viewport={"width": 1500, "height": 1000})
        page.set_default_timeout(30_000)
        yield page
        browser.close()


@pytest.fixture(scope="module")
def published(machine, web):
    """One post that the sensor has published by itself, from a row inserted by plain SQL."""
    (row,) = machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at night', 'Night bay') RETURNING id")
    machine.wait_until_published(row["id"], seconds=90)
    (post,) = machine.sql("SELECT * FROM posts WHERE title = 'Night bay'")
    return post


def test_a_row_inserted_by_plain_sql_becomes_a_post_by_itself(published):
    assert published["status"] == "published"
    assert published["featured_image_url"].startswith("http://127.0.0.1:")


def test_status_says_what_runs(machine, web):
    told = machine.glad("status")
    assert web in told
    assert "PostgreSQL" in told


def test_a_second_up_says_where_the_first_is(machine, web):
    assert web in machine.glad("up", code=1)


def test_the_web_ui_shows_the_materialized_graph_and_the_pictures(web, published, page):
    page.goto(f"{web}/asset-groups")
    for name in ("prompts", "generated_images", "s3_objects", "published_posts"):
        page.get_by_text(name, exact=True).first.wait_for()
    page.goto(f"{web}/assets/generated_images")
    page.get_by_text("contact_sheet", exact=True).first.wait_for()
    page.get_by_text("[Show Markdown]").first.click()
    sheet = page.locator("img[alt='contact sheet']")
    sheet.wait_for()
    assert sheet.evaluate("image => image.complete && image.naturalWidth") > 50


def test_materialize_all_in_the_web_ui_is_enough_and_with_the_triggers_off_nothing_starts_before(
    quiet_machine, quiet_web, page
):
    (row,) = quiet_machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at dawn', 'Dawn bay') RETURNING id")
    page.wait_for_timeout(8_000)  # the sensor would look every 5 s
    page.goto(f"{quiet_web}/asset-groups")
    button = page.get_by_text("Materialize all").first
    button.wait_for()
    assert quiet_machine.sql("SELECT 1 FROM runs", database="DAGSTER_DATABASE_URL") == []
    button.click()
    quiet_machine.wait_until_published(row["id"], seconds=90)
    page.goto(f"{quiet_web}/runs")
    page.get_by_text("Manually launched").first.wait_for()
    runs = quiet_machine.sql("SELECT run_id FROM runs", database="DAGSTER_DATABASE_URL")
    started_by = quiet_machine.sql(
        "SELECT * FROM run_tags WHERE key IN ('dagster/sensor_name', 'dagster/schedule_name')",
        database="DAGSTER_DATABASE_URL",
    )
    assert (len(runs), started_by) == (1, [])
