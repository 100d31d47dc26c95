"""Rows of plain SQL with any value PostgreSQL can hold in every column of `prompts`: each ends in a post, in a row with a
reason, or in an INSERT that a named constraint refuses; a healthy row beside each is published by the same run.

ROWS in CI, the same each time; `GLAD_FUZZ=28` tries 5,040 new ones.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from glad_pipeline import cli
from glad_pipeline.limits import PRESETS, PROMPT_SYNTAXES, PUBLISH, SCHEDULERS
from glad_pipeline.prompts.queue_state import readiness
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_graph import World
from glad_pipeline_tests.unit.test_fuzz_inputs import CASES, FACTOR, is_readable, text, tried

ROWS = 180
CASES |= {"columns": ROWS}
AT_ONCE = 120  # poison rows in one run, each with a neighbour

INT4 = st.integers(-(2**31), 2**31 - 1) | st.sampled_from([-(2**31), 2**31 - 1, 0, -1])
INT8 = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), 2**63 - 1, 0, -1])
FLOAT8 = st.sampled_from(["NaN", "Infinity", "-Infinity", "-0", "1e308", "5e-324"]) | st.floats(0, 40).map(str)
DATES = st.sampled_from(
    [
        *("infinity", "-infinity", "now", "epoch", "4713-01-01 BC", "0001-01-01 00:00+14", "0001-01-01", "1899-12-31"),
        *("1900-01-01", "9998-12-31 23:59:59", "9999-12-31 23:59-14", "10000-01-01", "294276-12-31"),
        *("2026-06-30 23:59:60", "1970-01-01 24:00", "2500-01-01"),
    ]
)
UUIDS = st.uuids().map(str)
KEPT = text().map(lambda found: found.replace("\0", "�").encode("utf-8", "replace").decode())
NASTY = st.sampled_from(
    [
        *(
            "",
            " ",
            "~",
            "~nosuchuser",
            "~/x",
            "/",
            "//",
            "/etc/passwd",
            "/" + "é" * 300,
            "a" * 300,
            "é" * 200,
            "../../x",
        ),
        *(
            "owner/name",
            "owner/name@main",
            f"owner/name/f.safetensors@{'0' * 40}*2",
            "*",
            "a*b*c",
            ",",
            "%",
            "%s",
            "\\",
        ),
        *(
            "\x01\x1b[2J",
            "\x7f\x80\x9f",
            "\u202eevil\u202c",
            "\u2028",
            "\ufeff",
            "\U0010ffff",
            "\ufffe",
            "e\u0301" * 200,
        ),
        *(
            "x" * 3_000,
            "x" * 1_000_001,
            "é" * 2_600_000,
            "'; DROP TABLE prompts; --",
            "{}",
            "null",
            "a\r\nb\tc",
            "-" * 255,
        ),
        *("🧑‍🚀" * 60, "\u0300" * 500, "a b " * 2_500),
    ]
)
TEXTS = KEPT | NASTY


def mostly(likely: st.SearchStrategy[Any], else_: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """So that some rows are drawn and come to the later steps."""
    return st.integers(0, 3).flatmap(lambda n: else_ if n == 0 else likely)


SIZES = mostly(st.sampled_from([64, 128]), INT4)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "id": INT8,
    "prompt": TEXTS,
    "negative_prompt": TEXTS,
    "prompt_syntax": mostly(st.sampled_from(PROMPT_SYNTAXES), TEXTS),
    "title": TEXTS,
    "slug": TEXTS,
    "excerpt": TEXTS,
    "content": TEXTS,
    "category": TEXTS,
    "author": TEXTS,
    "alt_text": TEXTS,
    "task_id": TEXTS,
    "idempotency_key": TEXTS,
    "post_id": UUIDS,
    "seed": INT8,
    "width": SIZES,
    "height": SIZES,
    "num_inference_steps": mostly(st.integers(1, 100), INT4),
    "guidance_scale": FLOAT8,
    "scheduler": mostly(st.sampled_from(SCHEDULERS), TEXTS),
    "preset": mostly(st.sampled_from(PRESETS), TEXTS),
    "model": TEXTS,
    "model_revision": st.just("0" * 40) | TEXTS,
    "lora": TEXTS,
    "priority": INT4,
    "publish_at": DATES,
    "needs_approval": st.booleans(),
    "publish": mostly(st.sampled_from(PUBLISH), TEXTS),
    "focus": mostly(st.sampled_from(["0.5,0.3", "top left", " Centre"]), TEXTS),
    "replace": st.booleans(),
    "source": mostly(st.sampled_from(["", "desk", "bulk", "*"]), TEXTS),
    "status": st.sampled_from(["pending", "claimed", "published", "failed", "", "PENDING"]) | KEPT,
    "attempts": INT4,
    "claim_token": INT4,
    "claimed_by": TEXTS,
    "lease_expires_at": DATES,
    "last_error": TEXTS,
    "image_id": INT8,
    "published_post_id": UUIDS,
    "content_hash": TEXTS,
    "created_at": DATES,
    "updated_at": DATES,
    "claimed_at": DATES,
    "generated_at": DATES,
    "published_at": DATES,
    "post_version": TEXTS,
    "taken_down_at": DATES,
    "replaced_image_url": TEXTS,
    "replaced_alt_text": TEXTS,
    "put_back_at": DATES,
}
PROGRESS = [
    "status",
    "attempts",
    "claim_token",
    "claimed_by",
    "lease_expires_at",
    "last_error",
    "image_id",
    "claimed_at",
]
PROGRESS += ["published_post_id", "generated_at", "published_at", "post_version", "taken_down_at", "replaced_image_url"]
PROGRESS += ["replaced_alt_text", "put_back_at"]
ASKED = [name for name in COLUMNS if name not in PROGRESS]
# A few columns at once or all; progress, which is always refused, seldom.
CHOICE = st.one_of(
    *[st.sets(st.sampled_from(ASKED), min_size=1, max_size=most) for most in (1, 2, 4, 12)],
    st.just(set(ASKED) - {"id"}),
    st.sets(st.sampled_from(list(COLUMNS)), min_size=1, max_size=6),
)
ROW = CHOICE.flatmap(
    lambda names: st.fixed_dictionaries(
        {name: mostly(COLUMNS[name], COLUMNS[name] | st.none()) for name in sorted(names)}
    )
)


def drawn_cases() -> list[dict[str, Any]]:
    cases: list[dict[str, Any]] = []

    @tried("columns")
    @given(ROW)
    def collect(row: dict[str, Any]) -> None:
        cases.append(row)

    collect()
    return cases


class Fuzzed:
    """The queue, as somebody sees it who may INSERT whatever PostgreSQL takes."""

    def __init__(self, world: World) -> None:
        self.world = world
        columns = world.sql(
            "SELECT column_name AS name, udt_name AS type FROM information_schema.columns WHERE table_name = 'prompts'"
        )
        self.types = {column["name"]: column["type"] for column in columns}
        self.refused: Counter[str] = Counter()  # by constraint

    def insert(self, row: dict[str, Any]) -> int | None:
        """The row's id, or None where the database refuses it by name."""
        given = {"prompt": "a poison", **row}
        values = ", ".join(f"%s::text::{self.types[name]}" for name in given)
        bound = [None if value is None else str(value) for value in given.values()]
        try:
            return self.world.sql(f"INSERT INTO prompts ({', '.join(given)}) VALUES ({values}) RETURNING id", *bound)[
                0
            ]["id"]
        except psycopg.errors.NotNullViolation as error:
            assert given[error.diag.column_name or ""] is None, error  # noqa: PT017
            self.refused[f"{error.diag.column_name} is NULL"] += 1
        except psycopg.Error as error:
            assert error.diag.constraint_name, error  # noqa: PT017
            self.refused[error.diag.constraint_name] += 1
        return None

    def healthy(self, title: str) -> int:
        while True:
            try:
                return self.world.add("a good hill", seed=1, title=title)
            except psycopg.errors.UniqueViolation:  # a poison row has taken the next id
                continue


def judged(row: dict[str, Any], posts: set[Any]) -> str:
    """How a poison row has ended."""
    status = row["status"]
    if status == "published":
        assert row["published_post_id"] in posts
    elif status in ("generated", "awaiting_approval"):
        assert row["needs_approval"] or row["publish_at"] > datetime.now(UTC)
    elif status == "ready":
        assert row["publish"] == "picture"
    else:
        assert status in ("rejected", "failed"), row
        assert is_readable(row["last_error"]), row["last_error"]
        assert row["published_post_id"] is None
    return str(status)


def test_any_value_in_every_column_stops_nobody(world, monkeypatch, capsys):
    monkeypatch.setenv("GLAD_MAX_ATTEMPTS", "1")
    fuzzed, ended = Fuzzed(world), Counter()
    assert set(fuzzed.types) == set(COLUMNS), "a column that this test does not know: say what may be in it"
    cases = drawn_cases()
    assert len(cases) >= ROWS * (FACTOR or 1)
    for start in range(0, len(cases), AT_ONCE):
        neighbours, poison = [], []
        for number, row in enumerate(cases[start : start + AT_ONCE], start):
            neighbours.append(fuzzed.healthy(f"Good {number}"))
            poison.append(fuzzed.insert(row))
        world.run(sdxl=InstantSdxl(allowed_models="*,/*"), config={"batch_size": 100_000})
        rows, posts = world.prompts(), {post["id"] for post in world.posts()}
        assert {rows[i]["status"] for i in neighbours} == {"published"}
        ended.update(judged(rows[i], posts) for i in poison if i is not None)
        assert len(posts) == sum(row["published_post_id"] is not None for row in rows.values())
        assert readiness(world.connection) is not None
        capsys.readouterr()
        assert cli.main(["prompts", "list", "--json", "--limit", "100000"]) == 0
        assert len(json.loads(capsys.readouterr().out)) == len(rows)
        for prompt_id in filter(None, poison[:10]):
            assert cli.main(["prompts", "show", str(prompt_id)]) == 0
        world.sql("DELETE FROM prompts")
        world.sql("DELETE FROM posts")
    told = f"{len(cases)} rows: {dict(ended)}, refused: {dict(fuzzed.refused)}"
    assert ended["published"] > len(cases) / 50, told
    assert ended["rejected"] > len(cases) / 20, told
    assert fuzzed.refused.total() > len(cases) / 50, told
    with capsys.disabled():
        print(f"\n{told}")
