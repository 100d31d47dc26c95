"""`glad up`: the daemon's sensor publishes by itself, and the web UI shows and starts it."""

import re
import shutil
import subprocess
import time

import pytest

from glad_pipeline_tests.acceptance.conftest import interrupted, left_running

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def web(machine):
    """The address of the web UI of a running `glad up`."""
    log = machine.home / "up.out"
    with log.open("w") as out:
        process = machine.start("up", stdout=out, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 90
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)
    yield found.group()
    assert interrupted(process) == 0, log.read_text()
    assert left_running(machine.home) == []


@pytest.fixture
def page(web):
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


def test_materialize_all_in_the_web_ui_is_enough(machine, web, page):
    page.goto(f"{web}/asset-groups")
    runs = len(machine.sql("SELECT 1 FROM prompts WHERE status = 'published'"))
    page.get_by_text("Materialize all").first.click()
    (row,) = machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a bay at dawn', 'Dawn bay') RETURNING id")
    machine.wait_until_published(row["id"], seconds=90)
    page.goto(f"{web}/runs")
    page.get_by_text("Manually launched").first.wait_for()
    assert len(machine.sql("SELECT 1 FROM prompts WHERE status = 'published'")) == runs + 1
