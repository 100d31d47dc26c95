"""Rows, files and objects of any content through the whole graph: each ends as a post or with a readable reason."""

import json
import re
import urllib.request
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glad_pipeline.database import Database
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.generation.defaults import recipe_of
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.prompts.importing import import_file
from glad_pipeline.storage.keys import original_key
from glad_pipeline_tests.integration.test_graph import World, world  # noqa: F401  a fixture
from glad_pipeline_tests.rows import prompt_of
from glad_pipeline_tests.unit.test_fuzz_inputs import ANYTHING, CASES, HOSTILE, is_readable, text, tried

ROWS, LINES, OBJECTS = 300, 100, 40
CASES |= {"rows": ROWS, "lines": LINES, "placed": OBJECTS}
TEXTS = ["negative_prompt", "title", "slug", "excerpt", "content", "category", "author", "alt_text"]
KEYS = ["task_id", "idempotency_key"]
OVERRIDES = ["seed", "width", "height", "num_inference_steps", "guidance_scale", "scheduler", "preset", "model", "lora"]
KEPT = text().map(lambda found: re.sub("[\0\ud800-\udfff]", "�", found))  # PostgreSQL takes neither
ANY_ROW = st.fixed_dictionaries(
    {"prompt": KEPT},
    optional={
        **dict.fromkeys(TEXTS, KEPT),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "width": st.integers(-(2**31), 2**31 - 1) | st.just(64),
        "height": st.just(64),
        "guidance_scale": st.floats(),
        "scheduler": KEPT,
        "needs_approval": st.booleans(),
        "priority": st.integers(-(2**31), 2**31 - 1),
        "publish_at": st.datetimes(datetime(1900, 1, 1), datetime(9998, 1, 1)).map(lambda d: d.replace(tzinfo=UTC)),
    },
)
GOOD = 20  # neighbours, some among each batch


@pytest.fixture
def neighbours(world):  # noqa: F811
    return [world.add(f"a good hill {n}", title=f"Good {n}") for n in range(GOOD)]


def drawn_cases(name, strategy):
    """As many draws of the strategy as CASES says."""
    found = []

    @tried(name)
    @given(strategy)
    def collect(case):
        found.append(case)

    collect()
    return found


def settled(world, runs=6):  # noqa: F811
    """All has ended as it will: every row with its post or its reason."""
    for _ in range(runs):
        world.run(expect_success=True)
        if not {"pending", "claimed"} & set(world.statuses()):
            break
    posts = {post["id"]: post for post in world.posts()}
    for row in world.prompts().values():
        if row["status"] == "published":
            assert row["published_post_id"] in posts or row["task_id"]
            continue
        if row["status"] in ("generated", "awaiting_approval"):
            assert row["needs_approval"] or row["publish_at"] > datetime.now(UTC)
            continue
        assert row["status"] in ("rejected", "failed"), row
        assert is_readable(row["last_error"]), row["last_error"]
        assert row["published_post_id"] is None
    owners = [row["published_post_id"] for row in world.prompts().values() if row["published_post_id"]]
    assert sorted(owners) == sorted(posts)
    return posts


def test_rows_of_plain_sql_of_any_content(world, neighbours, caplog):  # noqa: F811
    for n, row in enumerate(drawn_cases("rows", ANY_ROW)):
        keys = dict.fromkeys(KEYS, f"{row['title']}{n}") if row.get("title") else {}
        world.add(**row, **keys)
    posts = settled(world)
    assert all(world.prompts()[i]["status"] == "published" for i in neighbours)
    assert len(posts) > GOOD + ROWS / 20
    by_id = {row["published_post_id"]: row for row in world.prompts().values()}
    for post in posts.values():
        row = by_id[post["id"]]
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", post["slug"])
        assert row["title"] is None or post["title"] == row["title"]
        assert row["content"] is None or post["content"] in (row["content"], row["excerpt"] or row["prompt"])
    assert all("\x1b" not in record.getMessage() and "\r" not in record.getMessage() for record in caplog.records)


def test_lines_of_a_file_that_intake_takes_become_what_they_say(world, neighbours, tmp_path):  # noqa: F811
    lines = []
    for n, fields in enumerate(
        drawn_cases("lines", st.dictionaries(st.sampled_from(OVERRIDES + TEXTS + KEYS), ANYTHING))
    ):
        try:
            lines.append(json.dumps({"prompt": f"a hill {n}", **fields}))
        except TypeError:  # not what JSON can say
            continue
    file = tmp_path / "prompts.jsonl"
    taken = 0
    with Database(world.connection.info.dsn + f" password={world.connection.info.password}") as database:
        for line in lines:
            file.write_text(line + "\n", encoding="utf-8")
            try:
                taken += import_file(database, file).added
            except GladError as error:
                reason = str(error).splitlines()[1]
            else:
                reason = "taken"
            assert is_readable(reason)
    assert taken > LINES / 10
    settled(world)
    assert all(world.prompts()[i]["status"] == "published" for i in neighbours)


def test_objects_that_are_there_already_with_any_metadata(world, neighbours):  # noqa: F811
    profile = resolve_model(EngineOptions())
    client, bucket = world.store.client, world.store.bucket
    for n, (names, value, body) in enumerate(
        drawn_cases(
            "placed",
            st.tuples(
                st.sets(st.sampled_from(["sha256", "bytes", "width", "height", "thumbnail", "provenance", "seconds"])),
                HOSTILE.map(lambda found: re.sub(r"[^\x20-\x7e]", "~", found)[:1_000]),  # what HTTP lets through
                st.binary(max_size=40),
            ),
        )
    ):
        prompt = world.add(f"a hill that is there {n}", seed=n)
        (row,) = world.sql("SELECT * FROM prompts WHERE id = %s", prompt)
        recipe = recipe_of(prompt_of(row), profile, EngineOptions())
        right = {
            "recipe-hash": recipe.hash,
            "sha256": "a" * 64,
            "bytes": str(len(body)),
            "width": "18",
            "height": "18",
        }
        client.put_object(
            Bucket=bucket,
            Key=original_key(recipe.hash),
            Body=body,
            ContentType="image/png",
            Metadata={**right, **dict.fromkeys(names, value)},
        )
    posts = settled(world)
    assert all(world.prompts()[i]["status"] == "published" for i in neighbours)
    assert len(posts) >= GOOD
    for image in world.sql("SELECT thumbnail_url FROM images WHERE thumbnail_url IS NOT NULL"):
        assert urllib.request.urlopen(image["thumbnail_url"], timeout=10).status == 200
    assert isinstance(world, World)
