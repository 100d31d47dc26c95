"""Changing one's mind: what an edit does to a prompt in each state, when it is drawn, and in which zone times are read."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import click
import psycopg
import pytest

from glad_pipeline.cli.app import invoke
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.database import Database
from glad_pipeline.defs.wiring import build_resources
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.limits import CHARS
from glad_pipeline.operations.demo import demo
from glad_pipeline.prompts.editing import edit_prompt
from glad_pipeline.prompts.export import export_file
from glad_pipeline.prompts.importing import ImportOptions, import_file, import_files
from glad_pipeline.prompts.intake import add_prompt
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.prompts.queue_state import SQL, newest_texts, readiness
from glad_pipeline.records import FIELDS
from glad_pipeline.settings import Settings
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_graph import World, world  # noqa: F401  a fixture
from glad_pipeline_tests.integration.test_prompt_commands import PATHS, prompt_in, row_of

POSTS_OWN = {  # fields that decide no picture; every other does
    *("title", "slug", "excerpt", "content", "category", "author", "alt_text", "task_id", "post_id"),
    *("idempotency_key", "priority", "publish_at", "needs_approval", "publish", "focus", "replace", "source"),
}
OTHER = {  # another value of each field that decides the picture
    "prompt": "another lake", "negative_prompt": "people", "seed": 77, "width": 128, "height": 128,
    "num_inference_steps": 9, "guidance_scale": 3.5, "scheduler": "ddim", "preset": "fast", "model": "m",
    "model_revision": "b" * 40, "lora": "a*1", "prompt_syntax": "a1111",
}  # fmt: skip
UNWATCHED = {"idempotency_key", "priority", "publish_at", "focus", "replace", "source"}  # of no picture and no post
DRAWN = ("claimed", "generated", "awaiting_approval", "ready")
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    with Database(migrated_url) as opened:
        execute(opened, "INSERT INTO content_tasks (task_id) VALUES ('t1')")
        yield opened


@pytest.fixture
def glad(database: Database) -> Callable[..., int]:
    """Runs `glad prompts …` with settings by their variables, and returns its exit code."""

    def run(*words: str, **settings: str) -> int:
        return invoke(["prompts", *words], Runtime(Settings(_env_file=None, DATABASE_URL=database.url, **settings)))

    return run


def update(database: Database, prompt_id: int, **columns: Any) -> None:
    pairs = ", ".join(f"{name} = %({name})s" for name in columns)
    with database.transaction() as connection:
        connection.execute(f"UPDATE prompts SET {pairs} WHERE id = %(id)s", {**columns, "id": prompt_id})


def execute(database: Database, statement: str, *values: object) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


# ---- what the database does, whoever edits


def test_each_column_is_known_to_decide_the_picture_or_not_to(database: Database) -> None:
    watched = execute(
        database,
        "SELECT event_object_column AS name FROM information_schema.triggered_update_columns"
        " WHERE trigger_name = 'prompts_redraw_what_is_edited'",
    )
    assert {row["name"] for row in watched} == set(OTHER) | POSTS_OWN - UNWATCHED
    assert set(OTHER) | POSTS_OWN == set(FIELDS)
    aliases = (
        "SELECT indexdef FROM pg_indexes WHERE tablename = 'prompt_aliases'"  # one of each edit, one of a deletion
    )
    assert {row["indexdef"].rsplit(" ", 1)[1] for row in execute(database, aliases)} == {
        "(content_hash)",
        "(prompt_id)",
    }


def test_a_text_or_recipe_is_never_another_than_the_pictures(database: Database) -> None:
    """Plain SQL, in every state."""
    for status in PATHS:
        prompt_id = prompt_in(database, status)
        before = row_of(database, prompt_id)
        if status == "published":
            with pytest.raises(psycopg.errors.CheckViolation, match="is published") as error:
                update(database, prompt_id, prompt="another lake")
            assert error.value.diag.constraint_name == "published_prompts_stay_as_they_are"
            assert "prompts add TEXT --post SLUG" in str(error.value.diag.message_hint)
            assert row_of(database, prompt_id) == before
            continue
        update(database, prompt_id, prompt="another lake")
        after = row_of(database, prompt_id)
        assert after["status"] == ("pending" if status in DRAWN else status)
        assert after["attempts"] == (0 if after["status"] == "pending" else before["attempts"])
        if status in DRAWN:
            assert (after["claim_token"], after["claimed_by"], after["lease_expires_at"]) == (None, None, None)
            assert after["last_error"] == "its text or recipe was edited: its picture is drawn again"


def test_each_column_that_decides_the_picture_has_it_drawn_again_and_no_other_does(database: Database) -> None:
    for name, value in OTHER.items():
        prompt_id = prompt_in(database, "generated")
        update(database, prompt_id, **{name: row_of(database, prompt_id)[name]})
        assert row_of(database, prompt_id)["status"] == "generated"
        update(database, prompt_id, **{name: value})
        assert row_of(database, prompt_id)["status"] == "pending", name
    prompt_id = prompt_in(database, "generated")
    update(database, prompt_id, title="T", excerpt="E", publish_at=datetime.now(UTC), priority=9, post_version="1")
    assert row_of(database, prompt_id)["status"] == "generated"
    update(database, prompt_id, post_id=uuid4())
    assert row_of(database, prompt_id)["post_version"] is None  # it was another post's
    update(database, prompt_id, needs_approval=True)
    assert row_of(database, prompt_id)["status"] == "awaiting_approval"


@pytest.mark.parametrize("status", ["pending", "claimed", "generated", "awaiting_approval", "failed", "cancelled"])
def test_what_is_drawn_again_for_its_post_stays_as_it_is(
    database: Database, glad: Callable[..., int], status: str
) -> None:
    """`glad redraw`, a run with its id or the audit has put it back: its post would keep the old text."""
    prompt_id = prompt_in(database, status)
    update(database, prompt_id, published_post_id=uuid4())
    before = row_of(database, prompt_id)
    own = {name: "x" for name in POSTS_OWN if name not in UNWATCHED | {"post_id", "needs_approval"}}
    for name, value in {**OTHER, **own, "post_id": uuid4()}.items():
        with pytest.raises(psycopg.errors.CheckViolation, match="is published and stays as it is: edit the post"):
            update(database, prompt_id, **{name: value})
    (post,) = execute(database, "INSERT INTO posts (title, slug, content) VALUES ('A', 'the-a', '') RETURNING id")
    for words in (["--prompt=a hill", "--priority=5"], ["--title=T"], ["--post=the-a"], ["--seed="]):
        with pytest.raises(GladError, match=f"prompt {prompt_id} is published and stays as it is") as error:
            glad("edit", str(prompt_id), *words)
        assert f"glad prompts add TEXT --post {before['published_post_id']}" in str(error.value)
    assert row_of(database, prompt_id) == before
    assert glad("edit", str(prompt_id), "--priority=5", "--prompt=a lake") == 0  # the same text: no change
    update(database, prompt_id, taken_down_at=datetime.now(UTC))  # we have hidden its post
    assert glad("edit", str(prompt_id), "--prompt=a hill", "--title=T", "--post=the-a") == 0
    assert row_of(database, prompt_id)["post_id"] == post["id"]


def test_a_run_that_draws_what_was_edited_meanwhile_settles_nothing(database: Database) -> None:
    prompt_id, _ = add_prompt(database, {"prompt": "a lake"})
    drawn = row_of(database, prompt_in(database, "published"))["image_id"]
    with Claim(database, worker="run", lease=timedelta(minutes=1), max_attempts=3).open() as claim:
        (held,) = claim.take(1)
        claim.begin_drawing([held.id])
        assert edit_prompt(database, prompt_id, {"title": "Lake"}).status == "claimed"  # the picture is as it was
        assert edit_prompt(database, prompt_id, {"prompt": "a hill"}).redrawn
        with database.transaction() as connection:
            assert claim.generated(connection, {prompt_id: drawn}) == {}
        claim.reject({prompt_id: "blank"})
        claim.fail({prompt_id: "NaN"})
    row = row_of(database, prompt_id)
    assert (row["status"], row["prompt"], row["attempts"]) == ("pending", "a hill", 0)


def test_an_edit_at_the_moment_of_publication_waits_and_is_refused(database: Database) -> None:
    prompt_id = prompt_in(database, "generated")
    refused: list[str] = []

    def edit() -> None:
        try:
            edit_prompt(database, prompt_id, {"prompt": "a hill"})
        except GladError as error:
            refused.append(str(error))

    thread = threading.Thread(target=edit)
    with database.transaction() as publishing:
        publishing.execute("UPDATE prompts SET status = 'published' WHERE id = %s", [prompt_id])
        thread.start()
        while not execute(database, "SELECT pid FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"):
            time.sleep(0.01)
    thread.join()
    assert refused == [f"prompt {prompt_id} is published and stays as it is: edit the post itself, on the blog"]
    assert row_of(database, prompt_id)["prompt"] == "a lake"


def test_an_edited_prompt_is_published_with_the_picture_of_its_new_text(world: World) -> None:  # noqa: F811
    edited = world.add("a hill", title="Hill", publish_at="2100-01-01")
    other = world.add("a sea", title="Sea", publish_at="2100-01-01")
    world.run()
    assert world.statuses() == ["generated"] * 2
    world.sql("UPDATE prompts SET prompt = 'a wood', title = 'Wood', publish_at = now() WHERE id = %s", edited)
    world.sql("UPDATE prompts SET title = 'The sea', publish_at = now() WHERE id = %s", other)
    world.run()
    assert world.statuses() == ["published"] * 2
    shown = world.sql(
        "SELECT o.title, i.recipe ->> 'prompt' AS drawn FROM posts o JOIN images i ON o.featured_image_url = i.url"
        " ORDER BY o.title"
    )
    assert shown == [{"title": "The sea", "drawn": "a sea"}, {"title": "Wood", "drawn": "a wood"}]
    assert len(world.objects()) == 3  # the sea was not drawn again


def test_an_edit_while_the_model_loads_does_not_fail_the_run(world: World) -> None:  # noqa: F811
    edited = world.add("a hill", title="Hill")

    class Meanwhile(InstantSdxl):
        def generate(self, *given: Any, **named: Any) -> Iterator[Any]:
            world.sql("UPDATE prompts SET prompt = 'a wood' WHERE id = %s", edited)
            yield from super().generate(*given, **named)

    world.run(sdxl=Meanwhile())
    row = world.prompts()[edited]
    assert (row["status"], row["attempts"], world.objects()) == ("pending", 0, [])
    world.run()
    assert world.statuses() == ["published"]


# ---- glad prompts edit


def test_edit_says_what_it_did_in_each_state(
    database: Database, glad: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for status in PATHS:
        prompt_id = prompt_in(database, status)
        if status == "published":
            with pytest.raises(GladError, match=f"prompt {prompt_id} is published and stays as it is") as error:
                glad("edit", str(prompt_id), "--title", "T")
            assert error.value.exit_code == 1
            continue
        assert glad("edit", str(prompt_id), "--prompt", "a hill", "--priority", "5") == 0
        said = capsys.readouterr().out
        assert said.startswith(f"prompt {prompt_id} has changed: prompt, priority\n")
        assert ("its picture will be drawn again" in said) is (status in DRAWN)
        assert (f"glad prompts retry {prompt_id}" in said) is (status in ("rejected", "failed", "cancelled"))
        row = row_of(database, prompt_id)
        assert (row["prompt"], row["priority"]) == ("a hill", 5)
        assert glad("edit", str(prompt_id), "--prompt", "a hill") == 0
        assert "just like that already" in capsys.readouterr().out
    waiting = prompt_in(database, "awaiting_approval")
    assert glad("edit", str(waiting), "--alt-text", "a lake") == 0
    assert f"glad prompts approve {waiting}" in capsys.readouterr().out


def test_edit_takes_every_field_and_an_empty_value_takes_one_out(
    database: Database, glad: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (post,) = execute(database, "INSERT INTO posts (title, slug, content) VALUES ('A', 'the-a', '') RETURNING id")
    prompt_id, _ = add_prompt(database, {"prompt": "a lake", "title": "Lake"})
    seed = row_of(database, prompt_id)["seed"]
    own = {"title": "L", "slug": "l", "excerpt": "e", "content": "c", "category": "g", "author": "a", "alt_text": "t"}
    own |= {
        "task_id": "t1",
        "idempotency_key": "k1",
        "post_id": "the-a",
        "focus": "top left",
        "source": "desk",
        "priority": -3,
        "publish": "picture",
        "publish_at": "2030-01-01T08:00+01:00",
    }
    words = [f"--{name.replace('_', '-')}={value}" for name, value in {**OTHER, **own}.items()]
    assert glad("edit", str(prompt_id), *words, "--needs-approval", "--replace") == 0
    said = capsys.readouterr().out
    row = row_of(database, prompt_id)
    assert {name: row[name] for name in OTHER} == OTHER
    assert (row["post_id"], row["needs_approval"], row["publish_at"].hour) == (post["id"], True, 7)
    assert all(name in said for name in FIELDS)
    assert "it is published at 2030-01-01 07:00 UTC or soon after" in said
    out = ["seed", "width", "title", "publish-at", "post", "priority", "negative-prompt"]
    assert glad("edit", str(prompt_id), *[f"--{name}=" for name in out], "--no-needs-approval") == 0
    row = row_of(database, prompt_id)
    assert [row[name] for name in ("width", "title", "publish_at", "post_id")] == [None] * 4
    assert (row["priority"], row["negative_prompt"], row["needs_approval"]) == (0, "", False)
    assert row["seed"] not in (77, seed)  # made from the other fields again
    assert "as soon as it is drawn" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [("--prompt=",), ("--width=100",), ("--priority=high!",), ("--slug=A B",), ("--post=x",)]
)
def test_edit_refuses_what_add_refuses_and_changes_nothing(
    database: Database, glad: Callable[..., int], words: tuple[str, ...]
) -> None:
    prompt_id, _ = add_prompt(database, {"prompt": "a lake"})
    before = row_of(database, prompt_id)
    with pytest.raises(UsageError):
        glad("edit", str(prompt_id), "--title=T", *words)
    assert row_of(database, prompt_id) == before


def test_edit_of_nothing_and_of_no_prompt(glad: Callable[..., int]) -> None:
    with pytest.raises(click.UsageError, match="say what to change"):
        glad("edit", "1")
    for unknown in ("7", "0", "99999999999999999999"):
        with pytest.raises(GladError, match=f"there is no prompt {unknown}"):
            glad("edit", unknown, "--title=T")


def test_an_edit_cannot_make_two_prompts_one(database: Database) -> None:
    given = {"prompt": "a lake", "slug": "lake"}
    first, _ = add_prompt(database, given)
    tasked, _ = add_prompt(database, {"prompt": "a task", "task_id": "t1"})
    other, _ = add_prompt(database, {"prompt": "a hill"})
    execute(database, "INSERT INTO posts (title, slug, content) VALUES ('A', 'the-a', '')")
    for change, reason in (
        (given, f"prompt {first} is just that already|slug 'lake' belongs to prompt {first}"),
        ({"slug": "lake"}, f"slug 'lake' belongs to prompt {first} already"),
        ({"slug": "the-a"}, "belongs to the post"),
        ({"task_id": "t1"}, f"task_id 't1' belongs to prompt {tasked} already"),
    ):
        with pytest.raises(UsageError, match=reason):
            edit_prompt(database, other, change)
    assert edit_prompt(database, first, {"title": "Lake"}).changed == ("title",)  # its slug is its own


# ---- the same line again


def test_a_file_adds_nothing_whether_it_has_a_prompt_as_it_was_or_as_it_was_edited(
    database: Database, tmp_path: Path
) -> None:
    was, now = tmp_path / "was.csv", tmp_path / "now.csv"
    was.write_text("prompt,title,slug,seed\na lakke,Lake,lake,\na sea,Sea,,7\n")
    now.write_text("prompt,title,slug,seed\na lake,The lake,lake,\na sea,Sea,,8\n")
    assert import_file(database, was).added == 2
    lake, sea = [row["id"] for row in execute(database, "SELECT id FROM prompts ORDER BY id")]
    seed = row_of(database, lake)["seed"]
    edit_prompt(database, lake, {"prompt": "a lake"})
    edit_prompt(database, lake, {"title": "The lake"})
    edit_prompt(database, sea, {"seed": "8"})
    for file in (was, now, was):
        report = import_file(database, file)
        assert (report.added, report.existing) == (0, 2), file
    assert row_of(database, lake)["seed"] == seed  # as it was: what else it draws is to be seen
    kept = tmp_path / "kept.csv"  # as who exports it would write it
    kept.write_text(f"prompt,title,slug,seed\na lake,The lake,lake,{seed}\n")
    assert import_file(database, kept).added == 0
    assert add_prompt(database, {"prompt": "a sea", "title": "Sea", "seed": 9})[1]
    assert add_prompt(database, {"prompt": "a sea", "title": "Sea"})[1]  # that one named its seed: this is another
    edit_prompt(database, lake, {"prompt": "a lakke", "title": "Lake"})  # and back
    assert import_file(database, was).added == import_file(database, now).added == 0


def test_who_asks_for_what_a_prompt_was_before_an_edit_gets_it(database: Database, tmp_path: Path) -> None:
    first, _ = add_prompt(database, {"prompt": "a lakke"})
    edit_prompt(database, first, {"prompt": "a lake"})
    again, is_new = add_prompt(database, {"prompt": "a lakke"})
    assert (again != first, is_new) == (True, True)
    assert add_prompt(database, {"prompt": "a lakke"}) == (again, False)
    file = tmp_path / "p.csv"
    file.write_text("prompt\na lakke\n")
    assert import_file(database, file).added == 0
    edit_prompt(database, again, {"title": "Lake"})
    assert import_file(database, file).added == 0


def test_an_export_from_before_or_after_an_edit_or_a_change_by_sql_adds_nothing(
    database: Database, tmp_path: Path
) -> None:
    fox, _ = add_prompt(database, {"prompt": "a red fox"})
    add_prompt(database, {"prompt": "a red owl", "publish_at": "2030-01-01T08:00+02:00", "guidance_scale": 7})
    execute(database, "INSERT INTO prompts (prompt, title) VALUES ('a red cat', 'Cat'), (' a red dog ', 'Dog')")
    changed, _ = add_prompt(database, {"prompt": "a red cow"})
    exports = [tmp_path / f"{number}.jsonl" for number in range(4)]
    export_file(database, exports[0])
    assert '"prompt": "a red fox", "seed"' not in exports[0].read_text()
    execute(database, "UPDATE prompts SET prompt = 'a blue cow' WHERE id = %s", changed)
    export_file(database, exports[1])
    edit_prompt(database, fox, {"prompt": "a blue fox"})
    for row in execute(database, "SELECT id, prompt FROM prompts WHERE prompt ~ '(cat|dog|owl|blue cow)'"):
        edit_prompt(database, row["id"], {"prompt": f"{row['prompt'].strip()} at night"})
    export_file(database, exports[2])
    assert [import_file(database, export).added for export in exports[:3]] == [0, 0, 0]
    execute(database, "UPDATE prompts SET title = 'T', prompt = prompt || ' in May'")
    export_file(database, exports[3])
    assert import_file(database, exports[3]).added == 0


def test_prompts_of_plain_sql_stay_known_as_they_were(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    file.write_text("prompt\na lake\n")
    (own,) = execute(database, "INSERT INTO prompts (prompt) VALUES (' spaced ') RETURNING id")
    edit_prompt(database, own["id"], {"title": "T"})
    assert (row_of(database, own["id"])["content_hash"], row_of(database, own["id"])["prompt"]) == (None, " spaced ")
    assert import_file(database, file).added == 1
    execute(database, "UPDATE prompts SET prompt = 'a hill' WHERE prompt = 'a lake'")
    (lake,) = execute(database, "SELECT id FROM prompts WHERE prompt = 'a hill'")
    edit_prompt(database, lake["id"], {"title": "T"})
    assert import_file(database, file).added == 0


def test_of_an_edited_prompt_the_old_picture_says_nothing(database: Database) -> None:
    drawn = prompt_in(database, "awaiting_approval")
    execute(database, "UPDATE images SET provenance = jsonb_build_object('prompt_tokens_dropped', 3)")

    def dropped() -> tuple[object, int]:
        with database.transaction() as connection:
            return row_of(database, drawn)["image_tokens_dropped"], newest_texts(connection, 1)[0].tokens_dropped

    assert dropped() == (3, 3)
    update(database, drawn, prompt="a short one")
    assert dropped() == (None, 0)


def test_of_a_huge_text_the_check_reads_what_may_be_drawn(database: Database) -> None:
    execute(
        database, "INSERT INTO prompts (prompt, negative_prompt) VALUES (repeat('x', 2000000), repeat('x', 2000000))"
    )
    with database.transaction() as connection:
        (texts,) = newest_texts(connection, 1)
    assert [len(texts.prompt), len(texts.negative_prompt)] == [CHARS["prompt"]] * 2


# ---- when pictures are drawn


def test_prompts_for_later_are_drawn_ahead_or_when_they_are_due(database: Database) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    urgent, _ = add_prompt(database, {"prompt": "later", "priority": 9, "publish_at": later})

    def taken(*, ahead: bool, ids: tuple[int, ...] = ()) -> list[int]:
        lease = timedelta(minutes=1)
        with Claim(database, worker="run", lease=lease, max_attempts=3, ahead=ahead).open() as claim:
            return [prompt.id for prompt in claim.take(5, ids=ids)]

    def pending(*, ahead: bool) -> bool:
        with database.transaction() as connection:
            return readiness(connection, ahead=ahead).pending

    assert (taken(ahead=True), pending(ahead=True)) == ([urgent], True)
    assert (taken(ahead=False), pending(ahead=False)) == ([], False)
    assert taken(ahead=False, ids=(urgent,)) == [urgent]  # named on purpose
    now, _ = add_prompt(database, {"prompt": "now"})
    assert (taken(ahead=False), pending(ahead=False)) == ([now], True)
    assert taken(ahead=True) == [urgent, now]
    edit_prompt(database, urgent, {"publish_at": datetime.now(UTC) - timedelta(seconds=1)})
    assert taken(ahead=False) == [urgent, now]


def test_a_look_reads_no_prompt_of_later_however_often_it_was_asked(database: Database) -> None:
    execute(
        database,
        "INSERT INTO prompts (prompt, publish_at) SELECT 'later', now() + interval '1 hour' FROM generate_series(1, 300)",
    )
    read = "SELECT idx_tup_fetch + seq_tup_read AS rows FROM pg_stat_xact_user_tables WHERE relname = 'prompts'"
    with database.transaction() as connection:
        for _ in range(20):  # by then psycopg and PostgreSQL would have a plan for any `ahead`
            assert not readiness(connection, ahead=False)
        before = connection.execute(read).fetchone()
        assert not readiness(connection, ahead=False)
        assert connection.execute(read).fetchone() == before
        connection.execute("SET LOCAL enable_seqscan = off")
        plan = connection.execute("EXPLAIN " + SQL["ready"], {"ahead": False}).fetchall()
        assert "run_reports_published" in str(plan)  # what was put aside is not read


def test_the_demo_does_not_run_again_for_prompts_of_later(database: Database) -> None:
    add_prompt(database, {"prompt": "later", "publish_at": datetime.now(UTC) + timedelta(hours=1)})
    assert not demo._is_work_left(database, datetime.now(UTC), ahead=False)
    assert demo._is_work_left(database, datetime.now(UTC), ahead=True)


@pytest.mark.parametrize(("setting", "ahead"), [({}, True), ({"GLAD_DRAW_SCHEDULED": "when-due"}, False)])
def test_the_runs_do_as_the_setting_says(setting: dict[str, str], ahead: bool) -> None:
    settings = Settings(_env_file=None, DATABASE_URL="postgresql://u:p@h/d", AWS_S3_BUCKET="b", **setting)
    assert build_resources(settings)["queue"].draw_ahead is ahead


# ---- times and their zone


def test_times_without_a_zone_are_of_the_settings_and_are_said_with_it(
    database: Database, glad: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    berlin = partial(glad, GLAD_TIMEZONE="Europe/Berlin")
    assert berlin("add", "a lake", "--publish-at=2030-07-01T08:00") == 0
    assert berlin("add", "a sea", "--publish-at=2030-07-01T08:00Z") == 0
    assert berlin("edit", "1", "--publish-at=2030-01-01 08:00:30") == 0
    file = tmp_path / "p.csv"
    file.write_text("prompt,publish_at\na hill,2031-01-01\na wood,2032-07-01T09:00-05:00\n")
    assert berlin("import", str(file)) == 0
    assert berlin("show", "1") == 0
    assert berlin("list") == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1] == "it is published at 2030-07-01 08:00 CEST or soon after"
    assert said[3] == "it is published at 2030-07-01 10:00 CEST or soon after"
    assert said[5] == "it is published at 2030-01-01 08:00:30 CET or soon after"
    assert said[7] == "to be published from 2031-01-01 00:00 CET to 2032-07-01 16:00 CEST"
    assert any(line.split()[0] == "publish_at" and "2030-01-01 08:00:30 CET" in line for line in said)
    assert any(line.startswith("4") and "2032-07-01 16:00 CEST" in line for line in said)
    assert row_of(database, 1)["publish_at"] == datetime(2030, 1, 1, 7, 0, 30, tzinfo=UTC)
    assert row_of(database, 3)["publish_at"] == datetime(2030, 12, 31, 23, tzinfo=UTC)
    assert import_files(database, [file], ImportOptions(zone=BERLIN)).existing == 2
    assert glad("import", str(file)) == 0  # in UTC that is another time
    assert ": 1 added, 1 there already" in capsys.readouterr().out


@pytest.mark.parametrize("hour", ["2030-03-31T02:30", "2030-10-27T02:30"])
def test_an_hour_that_is_none_or_two_has_to_be_said_with_its_zone(glad: Callable[..., int], hour: str) -> None:
    with pytest.raises(UsageError, match=r"no time of Europe/Berlin, or two.* or 2030-.*\+0[12]:00"):
        glad("add", "a lake", f"--publish-at={hour}", GLAD_TIMEZONE="Europe/Berlin")
    assert glad("add", "a lake", f"--publish-at={hour}+02:00", GLAD_TIMEZONE="Europe/Berlin") == 0
    assert glad("add", "a lake", f"--publish-at={hour}") == 0


# ---- --post, and the list


def test_post_is_a_slug_or_an_id_and_is_looked_up_at_once(
    database: Database, glad: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (post,) = execute(database, "INSERT INTO posts (title, slug, content) VALUES ('A', 'the-a', '') RETURNING id")
    for number, words in enumerate(
        ["--post=the-a", f"--post={post['id']}", f"--post-id={str(post['id']).upper()}"], start=1
    ):
        assert glad("add", f"a lake {number}", words) == 0
        assert row_of(database, number)["post_id"] == post["id"]
    for unknown in ("the-b", str(uuid4()), "", "\udcff", "a\0b"):
        with pytest.raises(UsageError, match="no post with the slug or id '") as error:
            glad("add", "a lake", f"--post={unknown}")
        assert str(error.value).isprintable()
        assert unknown in str(error.value) or not unknown.isprintable()
        with pytest.raises(UsageError, match="no post with the slug or id '"):
            glad("edit", "1", f"--post={unknown or '-'}")
    assert len(execute(database, "SELECT id FROM prompts")) == 3


def test_the_list_fits_a_terminal_of_100_columns_and_says_what_is_to_come(
    database: Database,
    glad: Callable[..., int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ids = {status: prompt_in(database, status) for status in PATHS}
    execute(database, "UPDATE prompts SET title = repeat('long ', 20), priority = id")
    execute(database, "UPDATE prompts SET publish_at = '2030-01-01' WHERE status IN ('generated', 'awaiting_approval')")
    made = "INSERT INTO posts (title, slug, content, status) VALUES ('A', %s, '', %s) RETURNING id"
    (draft,), (post,) = execute(database, made, "a", "draft"), execute(database, made, "b", "published")
    update(database, ids["pending"], post_id=draft["id"])
    update(database, ids["published"], published_post_id=post["id"])
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert glad("list", GLAD_TIMEZONE="America/New_York") == 0
    lines = re.sub(r"\x1b\[[0-9]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines[:-1])) <= 100  # the last counts all states
    assert lines[0].split() == ["id", "status", "priority", "publish", "at", "post", "title", "or", "prompt"]
    row = {status: next(line for line in lines if line.split()[0] == str(i)) for status, i in ids.items()}
    assert row["awaiting_approval"].split()[:6] == ["6", "awaiting_approval", "6", "2029-12-31", "19:00", "EST"]
    assert row["pending"].split()[3] == "draft"
    assert row["published"].split()[3] == "published"
    assert lines[lines.index(row["failed"]) + 1].strip() == "some error"
    assert all(line.count("long") >= 4 for line in row.values())
