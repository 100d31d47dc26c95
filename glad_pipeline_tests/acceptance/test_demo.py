"""`glad demo` and what it says to try next, as real processes on servers of their own."""

import csv
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from glad_pipeline.local.processes import gone
from glad_pipeline_tests.acceptance.conftest import ROOT, fetched, soon
from glad_pipeline_tests.leftovers import left_running

JOB = ["run", "--", "dagster", "job", "execute", "-m", "glad_pipeline.definitions", "-j", "publish_prompts"]
MANY = 30  # pictures, of half the model's steps: enough for a run to be in the middle of them
TITLES = [row["title"] for row in csv.DictReader((ROOT / "examples" / "prompts.csv").open(encoding="utf-8"))]


@pytest.fixture(scope="module")
def machine(machine):
    """Draws with half the demo model's steps: nobody looks at these pictures."""
    machine.settings = {"GLAD_STEPS": "10"}
    return machine


@pytest.fixture(scope="module")
def demo(machine):
    return machine.glad("demo")


def test_the_demo_publishes_posts_whose_pictures_anybody_can_fetch(machine, demo):
    rows = machine.sql("SELECT p.title, p.slug, i.* FROM posts p JOIN images i ON i.url = p.featured_image_url")
    assert sorted(row["title"] for row in rows) == sorted(TITLES)
    assert len(rows) >= 12
    for row in rows:
        status, headers, sha256 = fetched(row["url"])
        assert status == 200
        assert headers["Content-Type"] == "image/png"
        assert headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert sha256 == row["sha256"]
        assert row["url"] in demo
    assert f"{len(TITLES)} drawn, {len(TITLES)} published" in demo
    assert "./glad down" in demo
    gallery = (machine.home / "gallery.html").read_text(encoding="utf-8")
    assert gallery.count("<img ") == len(TITLES)


def test_a_second_demo_draws_and_publishes_nothing_and_shows_all_though_a_post_was_edited(machine, demo):
    machine.sql("UPDATE posts SET featured_image_url = NULL WHERE title = %s", TITLES[0])
    again = machine.glad("demo")
    assert "0 drawn, 0 published: everything is already there" in again
    assert len(machine.sql("SELECT 1 FROM posts")) == len(TITLES)
    assert (machine.home / "gallery.html").read_text(encoding="utf-8").count("<img ") == len(TITLES)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    "command",
    [
        ["dagster", "job", "execute", "-m", "glad_pipeline.definitions", "-j", "publish_prompts"],
        ["dg", "launch", "--job", "publish_prompts"],
    ],
    ids=["dagster job execute", "dg launch"],
)
def test_the_job_from_the_command_line_publishes_new_prompts(machine, demo, command):
    title = f"Told by {command[0]}"
    machine.glad("prompts", "add", f"a lighthouse, {command[0]}", "--title", title)
    machine.glad("run", "--", *command)
    (row,) = machine.sql("SELECT * FROM prompts WHERE title = %s", title)
    assert row["status"] == "published", row


def ask_for_many(machine, prompt_and_title):
    machine.sql(
        "INSERT INTO prompts (num_inference_steps, prompt, title)"
        f" SELECT 10, {prompt_and_title} FROM generate_series(1, {MANY}) g"
    )


@pytest.fixture
def halfway(machine, demo, request):
    """A run in the middle of MANY new pictures: its process, how the prompts are called, and what was stored before."""
    name = f"{request.node.callspec.id if hasattr(request.node, 'callspec') else 'dune'}".title()
    before = machine.pictures()
    ask_for_many(machine, f"'{name} ' || g, '{name} ' || g")
    log = (machine.home / "run" / "halfway.log").open("w+")
    process = machine.start(*JOB, stdout=log, stderr=log)
    soon(lambda: len(machine.pictures()) >= len(before) + 8 or process.poll() is not None, seconds=90)
    assert process.poll() is None, Path(log.name).read_text()
    yield process, name, before
    process.kill()
    process.wait()


@pytest.mark.deep  # test_graph.py kills a run of the job in seconds, test_kills.py its servers
def test_a_run_that_is_killed_leaves_nothing_behind_that_the_next_does_not_finish(machine, halfway):
    process, name, before = halfway
    process.send_signal(signal.SIGKILL)
    process.wait()
    soon(lambda: left_running(machine.home, but=("postgres", "weed")) == [], seconds=20)
    stored = machine.pictures()
    assert len(before) < len(stored) < len(before) + MANY
    machine.glad(*JOB)
    after = machine.pictures()
    assert len(after) == len(before) + MANY
    assert {key: after[key] for key in stored} == stored  # what was there was not written again
    states = machine.sql("SELECT status, count(*) AS n FROM prompts WHERE title LIKE %s GROUP BY 1", f"{name} %")
    assert states == [{"status": "published", "n": MANY}]
    assert machine.sql("SELECT count(*) AS n FROM posts WHERE title LIKE %s", f"{name} %") == [{"n": MANY}]


@pytest.mark.deep  # the same by `dg launch`
@pytest.mark.few(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["interrupted", "terminated"])
def test_a_run_that_is_told_to_end_does_so_and_gives_its_prompts_back(machine, halfway, number):
    process, name, _ = halfway
    process.send_signal(number)
    process.wait(timeout=90)  # the bucket being drawn is finished first
    assert process.returncode != 0
    soon(lambda: left_running(machine.home, but=("postgres", "weed")) == [], seconds=10)
    states = machine.sql("SELECT status, count(*) AS n FROM prompts WHERE title LIKE %s GROUP BY 1", f"{name} %")
    counts = {row["status"]: row["n"] for row in states}
    assert counts.keys() == {"pending", "published"}  # what was stored became posts while the rest was drawn
    assert machine.sql("SELECT count(*) AS n FROM posts WHERE title LIKE %s", f"{name} %") == [
        {"n": counts["published"]}
    ]
    machine.sql("UPDATE prompts SET status = 'cancelled' WHERE status = 'pending' AND title LIKE %s", f"{name} %")


@pytest.mark.deep  # a minute; test_up.py and test_kills.py end runs
def test_a_demo_that_is_told_to_end_ends_its_run_and_the_next_one_works_on(machine, demo):
    ask_for_many(machine, "'a moor ' || g, 'Moor'")
    first = machine.start("demo", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    soon(lambda: machine.sql("SELECT 1 FROM prompts WHERE title = 'Moor' AND status = 'claimed'"), seconds=90)
    started = psutil.Process(first.pid).children(recursive=True)
    second = machine.start("demo", stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert any("job execute" in " ".join(process.cmdline()) for process in started)
    assert first.poll() is None  # in the middle of MANY pictures: six may be drawn before it is told
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=90) == 128 + signal.SIGTERM
    assert [process for process in started if not gone(process)] == []
    said, _ = second.communicate(timeout=180)
    assert second.returncode == 0, said
    states = machine.sql("SELECT status, count(*) AS n FROM prompts WHERE title = 'Moor' GROUP BY 1")
    assert states == [{"status": "published", "n": MANY}]


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("DATABASE_URL", "postgresql://nobody:hunter2@127.0.0.1:1/none", ["127.0.0.1:1", "DATABASE_URL"]),
        ("GLAD_WIDTH", "1001", ["GLAD_WIDTH", "1001"]),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9", ["AWS_S3_BUCKET"]),
    ],
)
def test_a_wrong_setting_is_told_without_a_stack_trace(machine, monkeypatch, variable, value, words):
    monkeypatch.setenv(variable, value)
    code = 1 if variable == "DATABASE_URL" else 2
    told = machine.glad("prompts", "list", code=code)
    assert "Traceback" not in told
    assert "hunter2" not in told
    for word in words:
        assert word in told


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("GLAD_MODEL", "/no/such/model", ["/no/such/model", "not a directory"]),
        ("GLAD_DEVICE", "cuda", ["GLAD_DEVICE"]),
    ],
)
def test_a_run_that_cannot_draw_says_why_and_loses_nothing(machine, demo, monkeypatch, variable, value, words):
    machine.sql("DELETE FROM prompts WHERE title = 'Waits'")
    machine.sql("INSERT INTO prompts (prompt, title) VALUES ('a hill', 'Waits')")
    monkeypatch.setenv(variable, value)
    told = machine.glad(*JOB, code=1)
    for word in words:
        assert word in told
    (row,) = machine.sql("SELECT * FROM prompts WHERE title = 'Waits'")
    assert (row["status"], row["attempts"]) == ("pending", 0)
