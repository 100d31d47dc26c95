"""No row stops the queue: whatever goes wrong with one is told with it, and its neighbours are published by the same run."""

import errno
import os
import re

import dagster as dg
import psycopg
import pytest

from glad_pipeline import cli
from glad_pipeline.errors import UnavailableError
from glad_pipeline.media import gates
from glad_pipeline.outbox import messages
from glad_pipeline.pipeline import catalogue, claim, delivery
from glad_pipeline.pipeline.sdxl import Sdxl
from glad_pipeline.publishing.posts import Blog
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_graph import failures
from glad_pipeline_tests.ticks import asked, tick
from glad_pipeline_tests.unit.test_fuzz_inputs import is_readable

COMMIT = "0" * 40


# --- what a row names ---


UNRESOLVABLE = [
    {"lora": "a" * 300},
    {"lora": "/" + "a" * 300},
    {"lora": "/" + "a" * 300 + ".safetensors"},
    {"model": "é" * 200},
    {"model": "/" + "é" * 200},
    {"model": "~nosuchuser"},
    {"model": "~nosuchuser/x"},
    {"lora": "~nosuchuser/x.safetensors"},
    {"model": "/proc/1/root/x"},
    {"model": "/dev/null"},
    {"model": "/dev/null/x"},
    {"model": "/" + "/".join(["a"] * 120)},
    {"model": "owner/name"},
    {"model": "owner/name", "model_revision": "main"},
    {"lora": "owner/name/file.safetensors"},
    {"lora": "owner/name/file.safetensors@" + COMMIT + "*1e999"},
    {"lora": "*,*,*"},
    {"preset": "refined"},
    {"preset": "lcm-4"},
]


@pytest.mark.few(1)
@pytest.mark.parametrize("allowed", [None, "*,/*"], ids=["nothing allowed", "everything allowed"])
def test_what_cannot_be_resolved_is_rejected_alone(world, allowed):
    bad, good = [world.add("a poison", **columns) for columns in UNRESOLVABLE], world.add("a good hill")
    world.run(sdxl=InstantSdxl(allowed_models=allowed))
    rows = world.prompts()
    assert {i: rows[i]["status"] for i in bad} == dict.fromkeys(bad, "rejected")
    assert all(is_readable(rows[i]["last_error"]) for i in bad)
    assert rows[good]["status"] == "published"


def _without(path, text):
    """A reason without the path that the row named: whole, or its beginning and its length."""
    return re.sub(rf"'{re.escape(path[:40])}[^']*'(… \(\d+ characters\))?", "…", text.replace(path, path[:40]))


@pytest.mark.few(1)
@pytest.mark.parametrize("column", ["model", "lora"])
def test_a_refusal_tells_nothing_of_the_files_that_are_here(world, tmp_path, column):
    secret, folder, file = tmp_path / "secret", tmp_path / "models", tmp_path / "models" / "one.safetensors"
    folder.mkdir()
    secret.write_text("s")
    file.write_text("not weights")
    (folder / "link").symlink_to("/etc")

    def told(*paths, allowed=None):
        ids = [world.add(f"a poison {path}", **{column: str(path)}) for path in paths]
        world.run(sdxl=InstantSdxl(allowed_models=allowed))
        rows = world.prompts()
        assert {rows[i]["status"] for i in ids} == {"rejected"}
        return {_without(str(path), rows[i]["last_error"]) for i, path in zip(ids, paths, strict=True)}

    there = (secret, folder, file, "/etc/passwd", "/etc", f"{folder}/../secret", "/root")
    absent = (tmp_path / "none", tmp_path / "none.safetensors", "/nowhere/at/all")
    assert len(told(*there, *absent)) == 1
    inside = f"{folder}/*"
    assert len(told(*there[:1], *there[3:], *absent, allowed=inside)) == 1
    (reason,) = told(file, folder / "none", folder / "none.safetensors", folder / "link" / "passwd", allowed=inside)
    assert "the run's log says why" in reason.lower()


def test_what_the_settings_name_and_allow_may_be_named(world, tmp_path):
    from glad_pipeline.generation.models import DEMO_CHECKPOINT

    (tmp_path / "copy").symlink_to(DEMO_CHECKPOINT)
    ids = [
        world.add("the settings' own", model="demo"),
        world.add("a folder that is allowed", model=f"{tmp_path}/./copy//"),
        world.add("a hub model that is allowed", model="owner/name", model_revision=COMMIT),
        world.add("a LoRA that is allowed", lora=f"owner/name/file.safetensors@{COMMIT}*0.5"),
    ]
    commit = world.add("a commit that is not", model="other/name", model_revision="1" * 40)
    world.run(sdxl=InstantSdxl(allowed_models=f"{tmp_path}/*,owner/*,other/name@{COMMIT}"))
    rows = world.prompts()
    assert [rows[i]["status"] for i in ids] == ["published"] * 4
    assert rows[commit]["status"] == "rejected"
    assert "GLAD_ALLOWED_MODELS" in rows[commit]["last_error"]


def test_the_settings_say_what_rows_may_name_and_cost(world, monkeypatch):
    monkeypatch.setenv("GLAD_ALLOWED_MODELS", " owner/* , /srv/models/*,")
    monkeypatch.setenv("GLAD_MOST_PIXELS", "300000")
    monkeypatch.setenv("GLAD_MOST_STEPS", "25")
    from glad_pipeline.defs.wiring import build_resources
    from glad_pipeline.settings import load_settings

    sdxl = build_resources(load_settings())["sdxl"]
    assert (sdxl.model_patterns, sdxl.most_pixels, sdxl.most_steps) == (["owner/*", "/srv/models/*"], 300_000, 25)
    large, wide = world.add("large", width=512, height=768), world.add("wide", width=2048)
    slow, good = world.add("slow", num_inference_steps=26), world.add("good", num_inference_steps=25, width=512)
    world.run(sdxl=InstantSdxl(most_pixels=300_000, most_steps=25))
    rows = world.prompts()
    assert rows[good]["status"] == "published"
    assert [rows[i]["status"] for i in (large, wide, slow)] == ["rejected"] * 3
    assert "393,216 pixels" in rows[large]["last_error"]
    assert "2048 × 256" in rows[wide]["last_error"]
    assert "GLAD_MOST_STEPS" in rows[slow]["last_error"]


def test_steps_and_size_of_the_settings_are_not_the_rows_to_answer_for(world):
    world.add("a hill")
    world.run(sdxl=InstantSdxl(steps=150, width=1024, height=1024, most_pixels=10_000, most_steps=5))
    assert world.statuses() == ["published"]


@pytest.mark.parametrize("value", ["../models/*", "~/models/*", "/srv/../etc/*", "./x"])
def test_a_pattern_that_cannot_be_meant_is_refused_by_its_name(monkeypatch, value):
    from glad_pipeline.errors import UsageError
    from glad_pipeline.settings import load_settings

    monkeypatch.setenv("GLAD_ALLOWED_MODELS", value)
    with pytest.raises(UsageError, match="GLAD_ALLOWED_MODELS"):
        load_settings()


# --- what PostgreSQL takes and Python does not ---


REFUSED = [
    ("created_at", "infinity", "created_at_is_a_date_of_our_calendar"),
    ("created_at", "-infinity", "created_at_is_a_date_of_our_calendar"),
    ("created_at", "294276-12-31", "created_at_is_a_date_of_our_calendar"),
    ("created_at", "0001-01-01 00:00+14", "created_at_is_a_date_of_our_calendar"),
    ("created_at", "4713-01-01 BC", "created_at_is_a_date_of_our_calendar"),
    ("updated_at", "infinity", "updated_at_is_a_date_of_our_calendar"),
    ("publish_at", "infinity", "publish_at_is_a_date_of_our_calendar"),
    ("publish_at", "-infinity", "publish_at_is_a_date_of_our_calendar"),
    ("id", "-1", "id_is_positive"),
    ("id", "0", "id_is_positive"),
    ("slug", "".join(map(chr, range(0x4E00, 0x5E00))), "keys_have_2000_bytes_at_most"),
    ("task_id", "x" * 2_001, "keys_have_2000_bytes_at_most"),
    ("idempotency_key", "é" * 1_001, "keys_have_2000_bytes_at_most"),
    ("content_hash", "x" * 3_000_000, "keys_have_2000_bytes_at_most"),
    ("content", "x" * 10_000_000, "texts_have_5_mb_at_most"),
    ("model", "é" * 2_600_000, "texts_have_5_mb_at_most"),
]


def test_the_database_refuses_it_by_a_named_constraint(world):
    world.sql("INSERT INTO prompts (prompt) VALUES ('there')")
    for column, value, constraint in REFUSED:
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            world.sql(f"INSERT INTO prompts (prompt, {column}) VALUES ('p', %s)", value)
        assert refused.value.diag.constraint_name == constraint
        if column == "updated_at":
            continue  # each UPDATE sets it
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            world.sql(f"UPDATE prompts SET {column} = %s", value)
        assert refused.value.diag.constraint_name == constraint


@pytest.mark.parametrize("attempts", [2**31 - 1, -1])
def test_tries_that_would_overflow_are_refused_even_from_the_pipeline_s_own_role(world, attempts):
    world.add("a hill")
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        world.sql("UPDATE prompts SET attempts = %s", attempts)
    assert refused.value.diag.constraint_name == "attempts_are_1000_at_most"


def test_rows_that_were_there_before_the_rules_do_not_break_run_list_show_or_sensor(world, capsys):
    world.sql("ALTER TABLE prompts DISABLE TRIGGER USER")
    world.sql("ALTER TABLE prompts DROP CONSTRAINT publish_at_is_a_date_of_our_calendar")
    old = [world.add("old", created_at=date) for date in ("infinity", "-infinity", "294276-12-31", "4713-01-01 BC")]
    never = world.add("never", publish_at="infinity")
    long = world.add("long", content="x" * 10_000_000)
    world.sql("ALTER TABLE prompts ENABLE TRIGGER USER")
    good = world.add("a good hill")
    with dg.instance_for_test() as instance:
        assert asked(tick(instance, os.environ["DATABASE_URL"])) == ["publish_prompts"]
    world.run()
    states = {row["id"]: row["status"] for row in world.sql("SELECT id, status FROM prompts")}
    assert [states[i] for i in (*old, good)] == ["published"] * 5
    assert [states[i] for i in (never, long)] == ["rejected"] * 2
    for command in (["list"], ["list", "--json"], *(["show", str(i)] for i in (*old, never, long))):
        assert cli.main(["prompts", *command]) == 0
    assert "infinity" in capsys.readouterr().out
    assert cli.main(["prompts", "retry", str(long), str(never)]) == 0
    assert cli.main(["prompts", "cancel", str(long), str(never)]) == 0


# --- what nobody foresaw ---

UNFORESEEN = [
    RuntimeError("something odd\x00\x1b[2J\ud800"),
    KeyError("width"),
    PermissionError(errno.EACCES, "Permission denied", "/root/secret"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
    psycopg.errors.NumericValueOutOfRange("bigint out of range"),
    AssertionError(),
]
THE_DEPLOYMENTS = [
    UnavailableError("the lamp is out"),
    OSError(errno.ENOSPC, "the lamp is out"),
    psycopg.errors.UndefinedColumn("the lamp is out"),
    psycopg.OperationalError("the lamp is out"),
]


def broken(function, error, when):
    """The function, which raises for the arguments that `when` finds."""

    def breaks(*args, **kwargs):
        if when(*args):
            raise error
        return function(*args, **kwargs)

    return breaks


def is_poison(*args):
    return any("poison" in repr(value) for value in args)


def is_its_picture(pixels, *_):
    return pixels[0, 0].tolist() == [1, 2, 3]


def broken_look(described, error):
    def look(store, key):
        found = described(store, key)
        if found and found[0].metadata["seed"] == "666":
            raise error
        return found

    return look


def broken_telling(tell, error):
    def breaks(connection, posts):
        rows = connection.execute("SELECT slug FROM posts WHERE id = ANY(%s)", [list(posts)])
        if any(row["slug"] == "poison" for row in rows):
            raise error
        return tell(connection, posts)

    return breaks


# Each step of a row's way, and what breaks it for the poison alone.
STEPS = {
    "resolve": (Sdxl, "profile", lambda f, e: broken(f, e, lambda sdxl, *named: "fast" in named)),
    "validate": (claim, "reasons_against", lambda f, e: broken(f, e, is_poison)),
    "judge the pixels": (gates, "problem_of", lambda f, e: broken(f, e, is_its_picture)),
    "store": (delivery, "upload", lambda f, e: broken(f, e, is_poison)),
    "look": (catalogue, "described", broken_look),
    "judge the object": (catalogue, "problem_of", lambda f, e: broken(f, e, is_poison)),
    "catalogue": (catalogue, "catalogue_entry", lambda f, e: broken(f, e, is_poison)),
    "publish": (Blog, "_create", lambda f, e: broken(f, e, is_poison)),
    "tell": (messages, "tell_of_posts", broken_telling),
}
FORESEEN_NOWHERE = [(name, UNFORESEEN[n % len(UNFORESEEN)]) for n, name in enumerate(STEPS)]
NOT_ITS_OWN = [(name, THE_DEPLOYMENTS[n % len(THE_DEPLOYMENTS)]) for n, name in enumerate(STEPS)]


class Marked(InstantSdxl):
    """The poison's picture can be told from others by its first pixel."""

    def generate(self, recipes, *, on_batch_start=lambda recipes: None):
        for drawn in super().generate(recipes, on_batch_start=on_batch_start):
            if "poison" in drawn.recipe.prompt:
                drawn.pixels[0, 0] = [1, 2, 3]
            yield drawn


@pytest.mark.few(4)
@pytest.mark.parametrize(("name", "error"), FORESEEN_NOWHERE, ids=lambda each: str(each)[:20])
def test_an_exception_that_nobody_foresaw_is_that_rows_own(world, monkeypatch, name, error):
    monkeypatch.setenv("GLAD_MAX_ATTEMPTS", "1")
    poison = world.add("a poison", title="Poison", seed=666, preset="fast")
    good = [world.add(f"a good hill {n}", title=f"Hill {n}") for n in range(3)]
    room, function, breaks = STEPS[name]
    monkeypatch.setattr(room, function, breaks(getattr(room, function), error))
    world.run(sdxl=Marked())
    rows = world.prompts()
    assert [rows[i]["status"] for i in good] == ["published"] * 3
    assert rows[poison]["status"] in ("rejected", "failed")
    assert is_readable(rows[poison]["last_error"])
    assert "secret" not in rows[poison]["last_error"]
    assert len(world.posts()) == 3


@pytest.mark.few(1)
@pytest.mark.parametrize(("name", "error"), NOT_ITS_OWN, ids=lambda each: str(each)[:20])
def test_what_is_shown_to_be_the_deployments_fails_the_run_and_costs_no_row_a_try(world, monkeypatch, name, error):
    monkeypatch.setenv("GLAD_DATABASE_PATIENCE_SECONDS", "0")
    ids = [world.add("a poison", title="Poison", seed=666, preset="fast"), world.add("a good hill", title="Hill")]
    room, function, breaks = STEPS[name]
    monkeypatch.setattr(room, function, breaks(getattr(room, function), error))
    result = world.run(sdxl=Marked(), expect_success=False)
    assert "the lamp is out" in failures(result)
    rows = world.prompts()
    assert {rows[i]["status"] for i in ids} <= {"pending", "generated"}
    assert all(rows[i]["attempts"] == 0 for i in ids if rows[i]["status"] == "pending")


def test_a_preview_that_cannot_be_made_costs_nothing(world, monkeypatch):
    from glad_pipeline.media import encoding

    poison = world.add("a poison")
    monkeypatch.setattr(encoding, "shrunk", broken(encoding.shrunk, RuntimeError("odd"), is_its_picture))
    world.run(sdxl=Marked())
    assert world.prompts()[poison]["status"] == "published"


def test_a_constraint_that_the_blog_defers_to_the_end_refuses_its_row_alone(world):
    world.sql("CREATE TABLE allowed (title text PRIMARY KEY)")
    world.sql("INSERT INTO allowed VALUES ('Hill')")
    world.sql(
        "ALTER TABLE posts ADD CONSTRAINT known_titles FOREIGN KEY (title) REFERENCES allowed"
        " DEFERRABLE INITIALLY DEFERRED"
    )
    bad, good = world.add("bad", title="Other"), world.add("good", title="Hill")
    world.run()
    rows = world.prompts()
    assert rows[good]["status"] == "published"
    assert rows[bad]["status"] == "rejected"
    assert "known_titles" in rows[bad]["last_error"]


# --- run after run ---


def test_the_third_run_in_a_row_that_settles_nothing_names_the_rows_it_held(world, monkeypatch):
    first, second = world.add("a hill"), world.add("another")

    class Odd(InstantSdxl):
        def generate(self, recipes, *, on_batch_start=lambda recipes: None):
            raise RuntimeError("something odd")
            yield

    told = [failures(world.run(sdxl=Odd(), expect_success=False)) for _ in range(3)]
    assert ["3 runs in a row" in text for text in told] == [False, False, True]
    assert f"holding {first} {second}" in told[2]
    assert "something odd" in world.prompts()[first]["last_error"]
    assert f"holding {first} {second}" in tick(world.instance, os.environ["DATABASE_URL"]).skip_message
    world.run()
    assert set(world.statuses()) == {"published"}


def test_runs_that_fail_and_settle_something_name_nobody(world):
    class Odd(InstantSdxl):
        def generate(self, recipes, *, on_batch_start=lambda recipes: None):
            raise RuntimeError("something odd")
            yield

    world.add("a hill")
    for n in range(3):
        world.add(f"bad {n}", width=1)
        assert "in a row" not in failures(world.run(sdxl=Odd(), expect_success=False))
