"""`glad prompts …` as a person uses it, and what the states of a prompt allow, on a real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import click
import pytest

from glad_pipeline.cli.app import invoke
from glad_pipeline.cli.progress import Progress
from glad_pipeline.cli.prompt_files import ImportProgress
from glad_pipeline.cli.prompts import STATUSES
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.database import Database
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.prompts import management
from glad_pipeline.prompts.intake import add_prompt
from glad_pipeline.records import FIELDS, columns_of, values_of
from glad_pipeline.settings import Settings

Glad = Callable[..., int]
URL = "https://pictures.example/generated/ab/" + "ab" * 32 + ".png"
PATHS = {
    "pending": (),
    "claimed": ("claimed",),
    "failed": ("claimed", "failed"),
    "cancelled": ("cancelled",),
    "generated": ("claimed", "generated"),
    "awaiting_approval": ("claimed", "generated", "awaiting_approval"),
    "rejected": ("claimed", "generated", "awaiting_approval", "rejected"),
    "published": ("claimed", "generated", "published"),
    "ready": ("claimed", "ready"),
}


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    with Database(migrated_url) as opened:
        yield opened


@pytest.fixture
def glad(database: Database) -> Glad:
    """Runs `glad prompts …` in this process and returns its exit code."""
    return lambda *words: run(database.url, *words)


def run(database_url: str | None, *words: str) -> int:
    return invoke(["prompts", *words], Runtime(Settings(_env_file=None, DATABASE_URL=database_url)))


def prompt_in(database: Database, status: str) -> int:
    """A prompt that has come to this state by the allowed steps."""
    with database.transaction() as connection:
        publish = "picture" if status == "ready" else "post"
        row = connection.execute(
            "INSERT INTO prompts (prompt, publish) VALUES ('a lake', %s) RETURNING id", [publish]
        ).fetchone()
        assert row is not None
        image = connection.execute(
            """INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe,
                                   model, model_revision, verified_at)
               VALUES (%(id)s::text, %(id)s::text, %(url)s, repeat('a', 64), 9, 8, 8, 'image/png', '{}', 'demo', '1',
                       now())
               RETURNING id""",
            {"id": row["id"], "url": URL},
        ).fetchone()
        assert image is not None
        for step in PATHS[status]:
            connection.execute(
                """UPDATE prompts SET status = %(step)s, image_id = %(image)s, claim_token = 1, claimed_by = 'run',
                          lease_expires_at = now(), attempts = 5, last_error = 'some error' WHERE id = %(id)s""",
                {"step": step, "image": image["id"], "id": row["id"]},
            )
    return int(row["id"])


def row_of(database: Database, prompt_id: int) -> dict[str, Any]:
    row = management.show_prompt(database, prompt_id)
    assert row is not None
    return values_of(row)


# ---- what each state allows


@pytest.mark.parametrize("status", PATHS)
@pytest.mark.parametrize(
    ("command", "allowed", "becomes"),
    [
        (("retry",), {"failed", "rejected", "cancelled"}, "pending"),
        (("cancel",), {"pending", "claimed", "generated", "awaiting_approval"}, "cancelled"),
        (("approve",), {"awaiting_approval"}, "generated"),
        (("reject", "--reason", "six fingers"), {"awaiting_approval"}, "rejected"),
        (("discard",), {"ready"}, "cancelled"),
    ],
)
def test_a_command_moves_a_prompt_only_from_the_states_it_is_for(
    database: Database,
    glad: Glad,
    capsys: pytest.CaptureFixture[str],
    command: tuple[str, ...],
    allowed: set[str],
    becomes: str,
    status: str,
) -> None:
    prompt_id = prompt_in(database, status)
    before = row_of(database, prompt_id)
    code = glad(command[0], str(prompt_id), *command[1:])
    out = capsys.readouterr()
    after = row_of(database, prompt_id)
    if status not in allowed:
        assert code == 1
        assert f"prompt {prompt_id} was left as it is: it is {status}" in out.err
        assert after == before
        return
    assert code == 0
    assert out.out.endswith(f": {prompt_id}\n")
    assert after["status"] == becomes
    assert (after["claim_token"], after["claimed_by"], after["lease_expires_at"]) == (None, None, None)


def test_a_retried_prompt_starts_afresh(database: Database) -> None:
    prompt_id = prompt_in(database, "failed")
    assert management.retry(database, [prompt_id]).changed == (prompt_id,)
    row = row_of(database, prompt_id)
    assert (row["attempts"], row["last_error"]) == (0, None)


def test_a_rejected_prompt_keeps_the_reason_and_a_blank_reason_is_refused(database: Database) -> None:
    prompt_id = prompt_in(database, "awaiting_approval")
    with pytest.raises(UsageError, match=r"the reason .* blank"):
        management.reject(database, [prompt_id], reason=" ")
    management.reject(database, [prompt_id], reason="six fingers")
    assert row_of(database, prompt_id)["last_error"] == "six fingers"


def test_what_can_be_changed_is_and_each_of_the_others_is_explained(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting, done = prompt_in(database, "pending"), prompt_in(database, "published")
    assert glad("cancel", str(waiting), str(done), "999", "99999999999999999999", "--", "-1") == 1
    out = capsys.readouterr()
    assert out.out == f"cancelled: {waiting}\n"
    assert f"prompt {done} was left as it is: it is published" in out.err
    for unknown in ("999", "99999999999999999999", "-1"):
        assert f"prompt {unknown} was left as it is: there is no such prompt" in out.err
    assert row_of(database, waiting)["status"] == "cancelled"


def test_retry_all_failed_empties_the_dead_letter_and_nothing_else(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    failed, rejected = [prompt_in(database, "failed") for _ in range(3)], prompt_in(database, "rejected")
    assert glad("retry", "--all-failed") == 0
    assert "3 failed prompts" in capsys.readouterr().out
    assert {row_of(database, i)["status"] for i in failed} == {"pending"}
    assert row_of(database, rejected)["status"] == "rejected"


def test_two_people_who_cancel_the_same_prompts_in_opposite_order_do_not_block_each_other(database: Database) -> None:
    ids = [prompt_in(database, "pending") for _ in range(40)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda order: management.cancel(database, order), (ids, ids[::-1])))
    assert sorted(i for changes in done for i in changes.changed) == ids


# ---- add and import


def test_add_takes_every_field_and_says_which_prompt_it_became(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        "negative-prompt": "people", "title": "Lake", "slug": "lake", "excerpt": "x", "content": "y", "category": "c",
        "author": "a", "alt-text": "t", "task-id": "t1", "post-id": "0b7d4f6e-3c1a-4f5e-9a55-0d6f3a1c2b4d", "seed": "5",
        "width": "512", "height": "512", "num-inference-steps": "9", "guidance-scale": "5", "scheduler": "euler",
        "preset": "base", "lora": "a*1", "model": "m", "model-revision": "a" * 40, "priority": "-1",
        "publish-at": "2030-01-01", "size": "512x512", "prompt-syntax": "plain", "idempotency-key": "k",
        "focus": "top", "publish": "picture", "source": "desk",
    }  # fmt: skip
    flags = {"prompt", "needs_approval", "replace"}
    assert {name.replace("-", "_") for name in options} | flags == {*FIELDS, "size"}
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO posts (id, title, slug, content) VALUES (%s, 'A', 'a', '')", [options["post-id"]]
        )
    words = [f"--{name}={value}" for name, value in options.items()]
    assert glad("add", "a lake 🌊", *words, "--needs-approval", "--replace") == 0
    [row] = management.list_prompts(database)
    assert capsys.readouterr().out == (
        f"prompt {row.id} is in the queue\nit is published at 2030-01-01 00:00 UTC or soon after\n"
    )
    full = row_of(database, row.id)
    assert (full["prompt"], full["guidance_scale"], full["priority"], full["needs_approval"]) == (
        "a lake 🌊",
        5,
        -1,
        True,
    )
    assert all(full[name] is not None for name in FIELDS)
    assert glad("add", "a lake 🌊", *words, "--needs-approval", "--replace") == 0
    assert "already" in capsys.readouterr().out


def test_add_and_show_say_what_is_drawn_in_another_way_than_it_seems_to_be_meant(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    assert glad("add", "a (red:1.4) hat <lora:x:1>", "--negative-prompt=easynegative") == 0
    [row] = management.list_prompts(database)
    for words in ([], ["show", str(row.id)]):
        assert not words or glad(*words) == 0
        said = capsys.readouterr().err.splitlines()
        assert [line.split("'")[0] for line in said] == ["note: prompt: ", "note: prompt: ", "note: negative_prompt: "]
        assert "set prompt_syntax to a1111" in said[0]
    assert glad("show", str(row.id), "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["notices"]) == 3
    assert glad("add", "a (red:1.4) hat", "--prompt-syntax=a1111") == 0
    assert capsys.readouterr().err == ""
    with pytest.raises(UsageError, match="prompt gives 'red' the weight 99: weights are from -10 to 10"):
        glad("add", "a (red:99) hat", "--prompt-syntax=a1111")
    assert glad("add", "the sea in winter " * 1_000) == 0
    assert "prompt has 7,000 tokens: it will be rejected, at most 32 pieces of 75 are drawn" in capsys.readouterr().err


def test_show_tells_how_many_tokens_a_picture_was_drawn_without(database: Database) -> None:
    drawn = prompt_in(database, "published")
    for recorded, told in ({"prompt_tokens_dropped": 3, "negative_prompt_tokens_dropped": 1}, 4), ({}, None):
        with database.transaction() as connection:
            connection.execute("UPDATE images SET provenance = %s", [json.dumps(recorded)])
        assert row_of(database, drawn)["image_tokens_dropped"] == told


@pytest.mark.parametrize(
    "words",
    [("",), ("  ",), ("a\udcff",), ("x" * 20_001,), ("ok", "--width", "100"), ("ok", "--num-inference-steps=-3")],
)
def test_add_refuses_bad_values_and_leaves_the_table_as_it_was(
    database: Database, glad: Glad, words: tuple[str, ...]
) -> None:
    with pytest.raises(UsageError):
        glad("add", *words)
    assert management.list_prompts(database) == []


def test_import_says_what_it_did(
    database: Database, glad: Glad, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.csv"
    with database.transaction() as connection:
        connection.execute("INSERT INTO content_tasks (task_id) VALUES ('t1')")
    path.write_text("prompt,task_id\na lake,t1\na hill,\n")
    assert glad("import", str(path)) == 0
    assert capsys.readouterr().out == f"{path}: 2 added, 0 there already\n"
    path.write_text("prompt,task_id\na bigger lake,t1\na hill,\n")
    assert glad("import", str(path)) == 0
    out = capsys.readouterr().out
    assert "0 added, 2 there already" in out
    assert "1 of these have a task_id" in out


def test_an_import_that_takes_longer_than_a_second_shows_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 0.0
    monkeypatch.setattr("glad_pipeline.cli.progress.time.monotonic", lambda: now)
    progress = ImportProgress(Progress(every=5.0))
    for seconds in range(12):
        now = float(seconds)
        progress("checked", 1_000 * (seconds + 1))
    progress("writing", 12_000)
    assert capsys.readouterr().err.splitlines() == [
        "checked 2,000 rows",
        "checked 7,000 rows",
        "checked 12,000 rows",
        "writing 12,000 rows",
    ]


# ---- list and show


def test_list_goes_through_the_pages_newest_first(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = [add_prompt(database, {"prompt": f"lake {i}"})[0] for i in range(5)]
    seen: list[int] = []
    before: list[str] = []
    while True:
        assert glad("list", "--json", "--limit=2", *before) == 0
        page = json.loads(capsys.readouterr().out)
        if not page:
            break
        seen += [row["id"] for row in page]
        before = [f"--before={seen[-1]}"]
    assert seen == ids[::-1]


def test_the_help_names_every_status() -> None:
    assert ", ".join(management.STATUSES) == STATUSES


def test_list_filters_by_status_and_refuses_an_unknown_one(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt_in(database, "pending")
    failed = prompt_in(database, "failed")
    assert glad("list", "--status=failed", "--json") == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [failed]
    with pytest.raises(UsageError, match="must be one of pending"):
        glad("list", "--status=done")
    with pytest.raises(UsageError, match="limit 0"):
        glad("list", "--limit=0")


def test_the_table_keeps_urls_whole_and_counts_every_state(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    assert glad("list") == 0
    assert capsys.readouterr().out == "the queue is empty\n"
    for status in PATHS:
        prompt_in(database, status)
    assert glad("list") == 0
    out = capsys.readouterr().out
    assert sum(line.endswith(URL) for line in out.splitlines()) == 6
    assert sum(line.endswith("some error") for line in out.splitlines()) == 2  # failed and rejected: why, instead
    assert all(f"1 {status}" in out for status in PATHS)


def test_text_that_would_steer_a_terminal_or_break_the_table_is_shown_harmlessly(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.transaction() as connection:  # plain SQL asks nobody
        connection.execute("INSERT INTO prompts (prompt) VALUES (E'red \\x1b[31m\\nand ' || repeat('long ', 9999))")
    assert glad("list") == 0
    assert glad("show", str(management.list_prompts(database)[0].id)) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "red ·[31m and long" in out
    assert len(out) < 4_000


def test_show_tells_everything_about_a_prompt_its_picture_and_its_post(
    database: Database, glad: Glad, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt_id = prompt_in(database, "published")
    with database.transaction() as connection:
        connection.execute(
            """WITH post AS (INSERT INTO posts (title, slug, content, status)
                             VALUES ('Lake', 'the-lake', '', 'published') RETURNING id)
               UPDATE prompts SET published_post_id = post.id FROM post"""
        )
    assert glad("show", str(prompt_id)) == 0
    out = capsys.readouterr().out
    assert URL in out
    assert "/posts/the-lake" in out
    assert glad("show", str(prompt_id), "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["image_url"], found["post_path"], found["status"]) == (URL, "/posts/the-lake", "published")


@pytest.mark.parametrize("prompt_id", ["7", "0", "99999999999999999999"])
def test_show_of_an_unknown_prompt_fails_with_a_sentence(
    glad: Glad, capsys: pytest.CaptureFixture[str], prompt_id: str
) -> None:
    assert glad("show", prompt_id) == 1
    assert f"there is no prompt {prompt_id}" in capsys.readouterr().err


# ---- what is wrong around it


@pytest.mark.parametrize("words", [("list",), ("add", "a lake"), ("cancel", "1"), ("import", "p.csv")])
def test_a_database_that_was_never_migrated_is_told_from_other_faults(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("p.csv").write_text("prompt\na lake\n")
    with pytest.raises(GladError, match=r"lacks a table of ours \(.*prompts.*\): run \./glad migrate first"):
        run(database_url, *words)


def test_no_database_at_all_is_a_usage_error_and_a_silent_one_a_failure() -> None:
    with pytest.raises(UsageError, match="DATABASE_URL is not set"):
        run(None, "list")
    with pytest.raises(GladError, match=r"cannot connect to PostgreSQL at 127\.0\.0\.1:1/x") as caught:
        run("postgresql://user:secret@127.0.0.1:1/x", "list")
    assert "secret" not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    "words", [("retry",), ("retry", "1", "--all-failed"), ("cancel",), ("reject", "1"), ("show", "x"), ()]
)
def test_a_command_that_makes_no_sense_ends_with_the_usage_and_code_2(words: tuple[str, ...]) -> None:
    with pytest.raises(click.UsageError) as caught:
        run(None, *words)
    assert caught.value.exit_code == 2


def test_show_has_every_column_of_the_table(database: Database) -> None:
    with database.transaction() as connection:
        rows = connection.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = 'prompts'::regclass AND attnum > 0 AND NOT attisdropped"
        ).fetchall()
    assert {row["attname"] for row in rows} - set(columns_of(management.PromptDetails)) == set()
