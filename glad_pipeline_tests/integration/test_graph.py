"""The lineage graph on a real PostgreSQL and a real S3 server, run by Dagster in this process."""

import dataclasses
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import time
import tracemalloc
import urllib.request
from pathlib import Path
from uuid import uuid4

import dagster as dg
import numpy as np
import psycopg
import pytest
from PIL import Image
from psycopg.rows import dict_row

from glad_pipeline import cli
from glad_pipeline.database import Database
from glad_pipeline.database.migrations import migrate
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.media.encoding import decode_png, encode_png, pixels_sha256
from glad_pipeline.operations import checks
from glad_pipeline.pipeline import catalogue, publish, upload
from glad_pipeline.pipeline.stored_picture import described
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.protocol import CACHE_CONTROL, StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.rows import prompt_of

BLOGS = Path(__file__).parent / "blog_schemas"


class World:
    """A database, a bucket, and the graph on them."""

    def __init__(self, database_url):
        self.connection = psycopg.connect(database_url, autocommit=True, row_factory=dict_row)
        self.instance = dg.DagsterInstance.ephemeral()

    @property
    def store(self):
        return open_store(load_settings())

    def sql(self, statement, *values):
        cursor = self.connection.execute(statement, values or None)
        return cursor.fetchall() if cursor.description else []

    def add(self, prompt, **columns):
        names = ["prompt", *columns]
        marks = ", ".join(["%s"] * len(names))
        statement = f"INSERT INTO prompts ({', '.join(names)}) VALUES ({marks}) RETURNING id"
        return self.sql(statement, prompt, *columns.values())[0]["id"]

    def run(self, *assets, sdxl=None, expect_success=True, config=None):
        defs = build_defs(resource_overrides={"sdxl": sdxl or InstantSdxl()})
        job = defs.resolve_job_def("publish_prompts")
        result = job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            asset_selection=[dg.AssetKey(name) for name in assets] or None,
            run_config={"ops": {"prompts": {"config": config}}} if config else None,
        )
        assert result.success is expect_success, [e.message for e in result.all_events if e.is_failure]
        return result

    def prompts(self):
        return {row["id"]: row for row in self.sql("SELECT * FROM prompts ORDER BY id")}

    def statuses(self):
        return [row["status"] for row in self.prompts().values()]

    def posts(self):
        return self.sql("SELECT * FROM posts ORDER BY title")

    def objects(self, store=None):
        store = store or self.store
        pages = store.client.get_paginator("list_objects_v2").paginate(Bucket=store.bucket, Prefix="generated/")
        return [item["Key"] for page in pages for item in page.get("Contents", [])]


@pytest.fixture
def world(migrated_url, s3, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    world = World(migrated_url)
    yield world
    world.connection.close()


def metadata(result, asset):
    (event,) = (e for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(asset))
    return {name: value.value for name, value in event.materialization.metadata.items()}


def published(result):
    """How many posts; a run without new ones does not materialize the asset."""
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    return metadata(result, "published_posts")["published"] if "published_posts" in made else 0


def failures(result):
    return str([event.event_specific_data for event in result.all_events if event.is_step_failure])


def test_rows_become_posts_whose_pictures_anybody_can_fetch_as_the_catalogue_says(world):
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}", category="Landscapes", author="Ada", excerpt="High up.")
    world.run()
    assert world.statuses() == ["published"] * 3
    assert [post["title"] for post in world.posts()] == ["Hill 0", "Hill 1", "Hill 2"]
    images = {row["url"]: row for row in world.sql("SELECT * FROM images")}
    for post in world.posts():
        assert post["status"] == "published"
        assert post["category_id"] is not None
        assert post["author_id"] is not None
        with urllib.request.urlopen(post["featured_image_url"], timeout=10) as answer:
            body = answer.read()
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "image/png"
            assert answer.headers["Cache-Control"] == CACHE_CONTROL
        image = images[post["featured_image_url"]]
        assert hashlib.sha256(body).hexdigest() == image["sha256"]
        assert len(body) == image["bytes"] == post["image_file_size"]
        assert post["image_s3_key"] == image["key"]


def test_the_same_again_draws_and_publishes_nothing(world):
    world.add("a hill", title="Hill")
    world.run()
    result = world.run()
    assert metadata(result, "generated_images")["drawn"] == 0
    assert published(result) == 0
    assert len(world.posts()) == len(world.objects()) == 1


def test_an_operator_sees_counts_speed_bytes_model_and_a_contact_sheet(world):
    world.add("a hill", title="Hill")
    result = world.run()
    seen = metadata(result, "generated_images")
    assert seen["drawn"] == seen["stored"] == 1
    assert seen["bytes"] > 500
    assert seen["images_per_second"] > 0
    assert seen["model"] == "demo"
    (image,) = world.sql("SELECT * FROM images")
    assert seen["contact_sheet"] == f"![picture]({image['url']})"  # fetched when looked at, gone when taken down
    assert "base64" not in str(result.all_events)
    assert seen["prompt_ids"] == "1"
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert len(result.get_asset_check_evaluations()) == 8


def test_a_blank_picture_rejects_its_prompt_and_a_failed_one_costs_an_attempt_the_others_go_on(world):
    good, blank, nan = world.add("fine"), world.add("BLANK"), world.add("UNDRAWABLE")
    world.run()
    prompts = world.prompts()
    assert prompts[good]["status"] == "published"
    assert prompts[blank]["status"] == "rejected"
    assert "blank" in prompts[blank]["last_error"]
    assert (prompts[nan]["status"], prompts[nan]["attempts"], prompts[nan]["last_error"]) == (
        "pending",
        1,
        "NaN in the picture",
    )
    assert len(world.objects()) == 1
    for _ in range(4):
        world.run()
    assert world.prompts()[nan]["status"] == "failed"


BAD = [  # the columns of a row, and a word of the reason
    ({"prompt": "   "}, "blank"),
    ({"prompt": "x" * 20_000}, "at most 32 pieces"),
    ({"prompt": "p", "width": 1001}, "width"),
    ({"prompt": "p", "height": 100_000}, "height"),
    ({"prompt": "p", "num_inference_steps": -1}, "num_inference_steps"),
    ({"prompt": "p", "guidance_scale": float("nan")}, "guidance_scale"),
    ({"prompt": "p", "seed": -1}, "seed"),
    ({"prompt": "p", "scheduler": "magic"}, "scheduler"),
    ({"prompt": "p", "width": 4096, "height": 4096}, "pixels"),
    ({"prompt": "p", "model": "/nowhere"}, "nowhere"),
    ({"prompt": "p", "model_revision": "1" * 40}, "revision"),
    ({"prompt": "p", "slug": "No Spaces"}, "slug"),
    ({"prompt": "p", "title": "t" * 300}, "title"),
    ({"prompt": "p", "post_id": uuid4()}, "no post has the id"),
]


def test_bad_rows_of_plain_sql_are_rejected_with_the_reason_each_and_the_others_go_on(world):
    bad = {world.add(**columns): word for columns, word in BAD}
    good = world.add("a good one")
    world.run()
    rows = world.prompts()
    for each, word in bad.items():
        assert rows[each]["status"] == "rejected", word
        assert word in rows[each]["last_error"]
    assert rows[good]["status"] == "published"
    assert len(world.posts()) == 1


def test_any_script_becomes_a_post(world):
    scripts = [
        "أمواج البحر عند الغروب",
        "🌅🌊",
        "夕日の海",
        "\u202ereversed\u202c text",
        "a\nb\tc",
        "'; DROP TABLE posts; --",
    ]
    for prompt in scripts:
        world.add(prompt, title=prompt.splitlines()[0])
    world.run()
    assert {post["title"] for post in world.posts()} == {prompt.splitlines()[0] for prompt in scripts}
    assert all(post["slug"] for post in world.posts())


def test_equal_titles_get_slugs_of_their_own_and_a_slug_that_is_taken_is_refused(world):
    for n in range(3):
        world.add(f"a hill {n}", title="Hill")
    world.run()
    taken = world.add("another", title="Other", slug="hill")
    world.run()
    slugs = {post["slug"] for post in world.posts()}  # "hill" is that of the first that is public
    assert len(slugs) == 3
    assert "hill" in slugs
    assert slugs < {"hill", "hill-1", "hill-2", "hill-3"}
    assert "taken" in world.prompts()[taken]["last_error"]
    assert world.prompts()[taken]["status"] == "rejected"


def test_prompts_with_the_same_recipe_share_one_picture(world):
    for _ in range(2):
        world.add("a hill", title="Hill", seed=5)
    result = world.run()
    assert metadata(result, "generated_images")["drawn"] == 1
    assert len(world.posts()) == 2
    assert len(world.objects()) == 1


def test_what_is_in_the_bucket_is_not_drawn_again_even_if_every_row_is_lost(world):
    world.add("a hill", title="Hill", seed=5)
    world.run()
    world.sql("DELETE FROM prompts")
    world.sql("DELETE FROM images")
    world.add("a hill", title="Hill again", seed=5)
    result = world.run()
    assert metadata(result, "generated_images")["drawn"] == 0
    assert world.statuses() == ["published"]


def test_named_prompts_are_published_again_without_a_second_post(world):
    first, _ = world.add("one", title="One"), world.add("two", title="Two")
    world.run()
    before = world.prompts()[first]["published_post_id"]
    result = world.run(sdxl=InstantSdxl(guidance_scale=4.0), config={"prompt_ids": [first], "batch_size": 5})
    assert metadata(result, "prompts")["claimed"] == 1
    assert metadata(result, "generated_images")["drawn"] == 1
    assert world.prompts()[first]["published_post_id"] == before
    assert len(world.posts()) == 2
    post = world.sql("SELECT * FROM posts WHERE id = %s", before)[0]
    assert post["image_s3_key"] == world.sql("SELECT key FROM images ORDER BY id DESC LIMIT 1")[0]["key"]


def test_an_unknown_prompt_id_fails_with_a_clear_message(world):
    result = world.run(config={"prompt_ids": [999]}, expect_success=False)
    assert "no prompt has the id 999" in failures(result)


def test_batch_size_bounds_a_run(world):
    for n in range(5):
        world.add(f"a hill {n}")
    world.run(config={"batch_size": 2})
    assert sorted(world.statuses()) == ["pending"] * 3 + ["published"] * 2


def test_every_asset_can_be_materialized_alone(world):
    (prompt,) = [world.add("a hill", title="Hill")]
    world.run("prompts")
    assert world.statuses() == ["pending"]
    world.run("generated_images")
    assert world.statuses() == ["pending"]
    assert len(world.objects()) == 1
    world.run("s3_objects")
    assert world.statuses() == ["generated"]
    world.run("published_posts")
    assert world.statuses() == ["published"]
    assert world.prompts()[prompt]["attempts"] == 1


def test_an_asset_that_is_materialized_alone_claims_nothing_for_a_blog_that_takes_no_posts(world):
    world.add("a hill", title="Hill")
    world.sql("ALTER TABLE posts ADD shelf text NOT NULL")
    for asset in ("generated_images", "s3_objects"):
        assert "shelf" in failures(world.run(asset, expect_success=False))
        assert [(row["status"], row["claimed_at"]) for row in world.prompts().values()] == [("pending", None)]
    assert world.objects() == []


def test_an_existing_post_gets_its_picture_and_keeps_everything_else(world):
    post = world.sql(
        "INSERT INTO posts (id, title, slug, content, status) VALUES (gen_random_uuid(), 'Mine', 'mine', 'text', 'draft') RETURNING id"
    )[0]["id"]
    world.add("a hill", post_id=post)
    world.run()
    (row,) = world.posts()
    assert (row["title"], row["slug"], row["content"], row["status"]) == ("Mine", "mine", "text", "draft")
    assert row["featured_image_url"].startswith("http")


def test_a_task_gets_its_picture_and_no_post(world):
    world.sql("INSERT INTO content_tasks (task_id, status) VALUES ('t-1', 'in_progress')")
    world.add("a hill", task_id="t-1")
    world.run()
    (task,) = world.sql("SELECT * FROM content_tasks")
    assert task["s3_image_url"] == task["featured_image_url"] == world.sql("SELECT url FROM images")[0]["url"]
    assert task["status"] == "in_progress"
    assert world.posts() == []
    assert world.statuses() == ["published"]


@pytest.mark.few(2)
@pytest.mark.parametrize("version", ["a", "b", "c", "d"])
def test_posts_fit_every_version_of_the_blog(database_url, s3, monkeypatch, version):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute((BLOGS / f"{version}.sql").read_text())
    monkeypatch.setenv("DATABASE_URL", database_url)
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    migrate(database_url)
    world = World(database_url)
    world.add(
        "a hill", title="A new hill", category="New category", excerpt="e" * 500, task_id="task-x", alt_text="Alt"
    )
    world.run()
    (post,) = world.sql("SELECT * FROM posts WHERE title = 'A new hill'")
    assert post["status"] == "published"
    assert post["published_at"] is not None
    assert post["category_id"] is not None
    assert post["featured_image_url"].startswith("http")
    if post.get("metadata"):
        assert post["metadata"]["featured_image_alt"] == "Alt"
    world.connection.close()


def test_a_post_that_the_blog_refuses_does_not_stop_the_others(world):
    world.sql("ALTER TABLE posts ADD CONSTRAINT no_cats CHECK (title NOT LIKE '%cat%')")
    bad = world.add("x", title="A cat")
    for n in range(3):
        world.add(f"hill {n}", title=f"Hill {n}")
    world.run()
    assert sorted(world.statuses()) == ["published"] * 3 + ["rejected"]
    assert "no_cats" in world.prompts()[bad]["last_error"]


def test_a_store_that_refuses_us_fails_the_run_clearly_and_costs_no_attempt(world, monkeypatch):
    prompt = world.add("a hill")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    result = world.run(expect_success=False)
    assert "AWS_SECRET_ACCESS_KEY" in failures(result)
    row = world.prompts()[prompt]
    assert (row["status"], row["attempts"], row["claim_token"]) == ("pending", 0, None)


def test_an_object_that_is_not_ours_is_never_published(world):
    prompt = world.add("a hill", seed=5)
    recipe = InstantSdxl().recipe(prompt_of(world.prompts()[prompt]))
    world.store.put_once(original_key(recipe.hash), b"not ours", content_type="text/plain", metadata={})
    world.run()
    assert world.posts() == []
    assert "not written by this pipeline" in world.prompts()[prompt]["last_error"]


def test_two_runs_at_once_share_the_work_and_repeat_none_of_it(world):
    for n in range(60):
        world.add(f"a hill {n}", title=f"Hill {n}")
    results = []

    def work():
        defs = build_defs(resource_overrides={"sdxl": InstantSdxl(seconds_each=0.01)})
        with dg.DagsterInstance.ephemeral() as instance:
            config = {"ops": {"prompts": {"config": {"batch_size": 20}}}}
            for _ in range(2):
                results.append(
                    defs.resolve_job_def("publish_prompts").execute_in_process(instance=instance, run_config=config)
                )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result.success for result in results)
    assert set(world.statuses()) == {"published"}
    assert len(world.posts()) == len(world.objects()) == 60
    assert sum(metadata(result, "generated_images")["drawn"] for result in results) == 60
    for result in results:
        assert metadata(result, "prompts")["claimed"] == published(result)


RUN = """
import dagster as dg
from glad_pipeline.definitions import build_defs
from glad_pipeline.testing import InstantSdxl
job = build_defs(resource_overrides={"sdxl": InstantSdxl(seconds_each=0.03)}).resolve_job_def("publish_prompts")
job.execute_in_process(instance=dg.DagsterInstance.ephemeral())
"""


def test_after_a_killed_run_the_next_publishes_all_and_draws_only_what_is_missing(world):
    for n in range(100):
        world.add(f"a hill {n}", title=f"Hill {n}")
    process = subprocess.Popen([sys.executable, "-c", RUN], env=os.environ.copy(), stderr=subprocess.DEVNULL)
    store = world.store
    while len(world.objects(store)) < 40:
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    time.sleep(0.5)  # until PostgreSQL has noticed
    there = len(world.objects())
    assert 40 <= there < 100
    assert set(world.statuses()) - {"generated"} == {"claimed", "published"}  # posts do not wait for the run's end
    done = 100 - world.statuses().count("claimed")
    result = world.run()
    told = metadata(result, "generated_images")
    assert told["drawn"] + told.get("already_stored", 0) == 100 - done
    assert (
        told.get("already_stored", 0) + done >= there + told.get("delivered_from_spool", 0) - 1
    )  # one may have been stored and still spooled
    assert set(world.statuses()) == {"published"}
    assert len(world.posts()) == len(world.objects()) == 100


def test_a_stored_picture_tells_how_it_was_made(world):
    world.add("a hill at dawn 🌅", seed=5)
    world.run()
    (image,) = world.sql("SELECT * FROM images")
    stored = world.store.head(image["key"])
    assert stored.metadata["sha256"] == image["sha256"]
    assert stored.metadata["seed"] == "5"
    assert stored.metadata["generated-date"].endswith("+00:00")
    body = world.store.fetch(image["key"])
    texts = Image.open(io.BytesIO(body)).text
    assert json.loads(texts["glad_recipe"]) == image["recipe"]
    assert json.loads(texts["glad_provenance"]) == image["provenance"]
    assert texts["parameters"].startswith("a hill at dawn 🌅\nSteps: 20, Sampler: Euler, ")
    assert image["recipe"]["prompt"] == "a hill at dawn 🌅"
    assert image["provenance"]["device"] == "none"
    assert image["pixels_sha256"] == image["provenance"]["pixels_sha256"] == pixels_sha256(decode_png(body))
    assert (image["thumbnail_key"], image["thumbnail_url"]) == (None, None)  # 18 × 18 pixels: it needs none


def test_a_large_picture_has_a_thumbnail_that_anybody_can_fetch(world):
    world.add("a hill", seed=5)
    world.run(sdxl=InstantSdxl(side=300))
    (image,) = world.sql("SELECT * FROM images")
    assert image["thumbnail_key"] == image["key"].replace(".png", "-256.webp")
    with urllib.request.urlopen(image["thumbnail_url"], timeout=10) as answer:
        assert answer.headers["Content-Type"] == "image/webp"
        assert answer.headers["Cache-Control"] == CACHE_CONTROL
        assert Image.open(io.BytesIO(answer.read())).size == (256, 256)


def test_where_an_original_is_its_thumbnail_is(world, monkeypatch):
    world.run()  # the first run has the bucket say whose it is
    world.add("a hill", seed=5)
    put_once = S3Store.put_once

    def lost_after_the_first(store, key, *args, **kwargs):
        put_once(store, key, *args, **kwargs)
        raise StoreError("the store went away")

    with monkeypatch.context() as fault:
        fault.setattr(S3Store, "put_once", lost_after_the_first)
        world.run(sdxl=InstantSdxl(side=300), expect_success=False)
    assert [key[-9:] for key in world.objects()] == ["-256.webp"]
    result = world.run(sdxl=InstantSdxl(side=300))
    told = metadata(result, "generated_images")
    assert (told["drawn"], told["delivered_from_spool"]) == (0, 1)
    assert len(world.objects()) == 2
    assert world.statuses() == ["published"]


def test_a_catalogue_rebuilt_from_the_bucket_is_whole(world):
    world.add("a hill", title="Hill", seed=5)
    world.run(sdxl=InstantSdxl(side=300))
    before = world.sql("SELECT * FROM images")[0]
    world.sql("DELETE FROM prompts")
    world.sql("DELETE FROM images")
    world.add("a hill", title="Hill again", seed=5)
    world.run()
    after = world.sql("SELECT * FROM images")[0]
    passing = {"id", "verified_at", "created_at"}
    assert {k: v for k, v in after.items() if k not in passing} == {k: v for k, v in before.items() if k not in passing}


def test_a_picture_that_was_lost_and_drawn_anew_is_catalogued_as_it_is_now(world):
    prompt = world.add("a hill", seed=5)
    world.run(sdxl=InstantSdxl(side=300))
    (before,) = world.sql("SELECT * FROM images")
    world.store.client.delete_object(Bucket=world.store.bucket, Key=before["key"])
    world.sql("UPDATE images SET provenance = '{}', pixels_sha256 = NULL, thumbnail_key = NULL, thumbnail_url = NULL")
    world.run(sdxl=InstantSdxl(side=300), config={"prompt_ids": [prompt]})
    (after,) = world.sql("SELECT * FROM images")
    told = ("id", "provenance", "pixels_sha256", "thumbnail_key", "thumbnail_url")
    assert {name: after[name] for name in told} == {name: before[name] for name in told}


def test_an_object_of_the_first_version_is_catalogued_too(world):
    """No texts of ours but the recipe, provenance in the metadata alone, no thumbnail, no pixel hash."""
    prompt = world.add("a hill", seed=5)
    recipe = InstantSdxl().recipe(prompt_of(world.prompts()[prompt]))
    body = encode_png(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8), text={"glad_recipe": "{}"})
    old = {
        "recipe-hash": recipe.hash,
        "sha256": hashlib.sha256(body).hexdigest(),
        "bytes": str(len(body)),
        "width": "300",
        "height": "300",
        "provenance": '{"device": "cpu (x86_64)", "bucket": 4}',
    }
    world.store.put_once(original_key(recipe.hash), body, content_type="image/png", metadata=old)
    world.run()
    (image,) = world.sql("SELECT * FROM images")
    assert image["provenance"] == {"device": "cpu (x86_64)", "bucket": 4}
    assert (image["pixels_sha256"], image["thumbnail_key"], image["bytes"]) == (None, None, len(body))
    assert world.statuses() == ["published"]


def test_looking_at_an_object_is_one_request_and_texts_of_any_length_are_read(world):
    asked, store = [], world.store
    store.client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.method))
    pixels = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    for name, texts, requests in (
        ("usual", {"glad_provenance": '{"a": 1}', "parameters": "x" * 40_000}, 1),
        ("long", {"glad_provenance": json.dumps({"a": "x" * 40_000})}, 2),
        ("late", {"first": "x" * 20_000, "second": "狐" * 20_000, "glad_provenance": "{}"}, 3),
        ("foreign", {"Comment": "x"}, 1),
    ):
        body = encode_png(pixels, text=texts)
        store.put_once(f"generated/{name}", body, content_type="image/png", metadata={"a": "b"})
        asked.clear()
        stored, provenance = described(store, f"generated/{name}")
        assert provenance == texts.get("glad_provenance")
        assert (stored.bytes, stored.content_type, stored.metadata) == (len(body), "image/png", {"a": "b"})
        assert asked[0] == "GET"
        assert len(asked) <= requests, name
    for name, body in (("empty", b""), ("short", b"\x89PNG"), ("cut", encode_png(pixels, text={"a": "b" * 99})[:60])):
        store.put_once(f"generated/{name}", body, content_type="image/png", metadata={})
        stored, provenance = described(store, f"generated/{name}")
        assert (stored.bytes, provenance) == (len(body), None)
    assert described(store, "generated/none") is None


def test_a_model_that_a_prompt_names_and_nobody_can_load_fails_that_prompt_alone(world, monkeypatch):
    monkeypatch.setenv("GLAD_MAX_ATTEMPTS", "2")
    odd = world.add("odd", model="foo/bar", model_revision="0" * 40)
    good = world.add("good")
    sdxl = SdxlResource(backend="process", steps=1, allowed_models="foo/*")
    for _ in range(2):
        world.run(sdxl=sdxl)
    prompts = world.prompts()
    assert prompts[good]["status"] == "published"
    assert prompts[odd]["status"] == "failed"
    assert "GPU" in prompts[odd]["last_error"]


def test_a_setup_that_can_draw_nothing_fails_the_run_and_costs_no_attempt(world):
    prompt = world.add("NO COMPILER")
    result = world.run(expect_success=False)
    assert "nothing could be drawn: cannot compile the model" in failures(result)
    assert (world.prompts()[prompt]["status"], world.prompts()[prompt]["attempts"]) == ("pending", 0)


def test_a_gpu_that_dies_keeps_what_was_drawn_and_only_the_pictures_it_died_of_pay(world):
    good = [world.add(f"good {n}") for n in range(4)]
    deadly = world.add("GPU DIES")
    rest = [world.add(f"rest {n}") for n in range(4)]
    result = world.run(expect_success=False)
    assert "the rest could not be drawn: the GPU failed" in failures(result)
    rows = world.prompts()
    assert (rows[deadly]["status"], rows[deadly]["attempts"]) == ("pending", 1)
    assert [(rows[each]["status"], rows[each]["attempts"]) for each in good] == [("published", 1)] * 4
    assert [(rows[each]["status"], rows[each]["attempts"]) for each in rest] == [("pending", 0)] * 4
    assert all("the rest could not be drawn" in rows[each]["last_error"] for each in rest)
    world.sql("UPDATE prompts SET prompt = 'mended' WHERE id = %s", deadly)
    world.run()
    assert {row["status"] for row in world.prompts().values()} == {"published"}


def test_a_picture_too_large_for_the_gpu_costs_its_prompt_an_attempt_even_alone(world):
    large, good = world.add("TOO LARGE"), world.add("good")
    world.run()
    assert world.prompts()[good]["status"] == "published"
    assert (world.prompts()[large]["status"], world.prompts()[large]["attempts"]) == ("pending", 1)
    world.run()
    assert (world.prompts()[large]["status"], world.prompts()[large]["attempts"]) == ("pending", 2)


def test_a_broken_model_of_ours_is_not_blamed_on_a_row_that_names_a_preset(world, tmp_path):
    prompt = world.add("a hill", preset="fast")
    result = world.run(sdxl=InstantSdxl(model=str(tmp_path / "unmounted")), expect_success=False)
    assert "unmounted" in failures(result)
    assert (world.prompts()[prompt]["status"], world.prompts()[prompt]["attempts"]) == ("pending", 0)


def test_a_store_that_loses_pictures_is_not_drawn_for_for_ever(world, monkeypatch):
    prompt = world.add("a hill")
    monkeypatch.setattr(S3Store, "put_once", lambda *args, **kwargs: True)
    for _ in range(5):
        world.run()
    assert world.prompts()[prompt]["status"] == "failed"
    assert "does not have it" in world.prompts()[prompt]["last_error"]


def test_a_store_that_fails_half_way_ends_the_drawing_too_and_costs_no_attempt(world, monkeypatch):
    for n in range(200):
        world.add(f"a hill {n}")
    drawn, stored, really = [], [], S3Store.put_once

    class Counted(InstantSdxl):
        def generate(self, recipes, *, on_batch_start):
            for picture in super().generate(recipes, on_batch_start=on_batch_start):
                drawn.append(threading.current_thread().name)
                yield picture

    def put_once(*args, **kwargs):
        stored.append(1)
        if len(stored) > 5:
            raise StoreError("the disk is full")
        return really(*args, **kwargs)

    monkeypatch.setattr(S3Store, "put_once", put_once)
    result = world.run(sdxl=Counted(), expect_success=False)
    assert "the disk is full" in failures(result)
    assert set(drawn) == {"glad-prefetch"}
    assert len(drawn) < 200  # back-pressure, then the end
    assert "glad-prefetch" not in {thread.name for thread in threading.enumerate()}
    states = [(row["status"], row["attempts"]) for row in world.prompts().values()]
    assert states.count(("published", 1)) == len(world.objects()) > 0  # what the store has is not lost
    assert set(states) == {("published", 1), ("pending", 0)}


def test_a_picture_that_visitors_may_not_read_is_found_out(world, database_url):
    world.add("a hill")
    world.run()
    database = Database(database_url)
    assert checks.pictures_answer(database).passed
    world.store.client.delete_bucket_policy(Bucket=world.store.bucket)
    found = checks.pictures_answer(database)
    assert not found.passed
    assert "403: visitors may not read it" in found.description
    world.store.client.delete_object(Bucket=world.store.bucket, Key=world.objects()[0])
    assert not checks.pictures_answer(database).passed
    database.close()


def test_a_wrong_bucket_is_told_before_anything_is_drawn(world, monkeypatch):
    prompt = world.add("a hill")
    monkeypatch.setenv("AWS_S3_BUCKET", "no-such-bucket")

    class Never(InstantSdxl):
        def generate(self, recipes, *, on_batch_start):
            raise AssertionError("drawn for a bucket that does not exist")
            yield

    result = world.run(sdxl=Never(), expect_success=False)
    assert "AWS_S3_BUCKET" in failures(result)
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["prompts"]  # nor claimed
    assert (world.prompts()[prompt]["status"], world.prompts()[prompt]["attempts"]) == ("pending", 0)


def test_titles_cannot_write_markdown_into_the_web_ui(world):
    world.add("a hill", title="![x](https://evil.example/p.png) [click](https://evil.example) <b>|")
    result = world.run()
    shown = metadata(result, "published_posts")["posts"] + metadata(result, "prompts")["first"]
    assert "](https://evil" not in shown.replace("\\]", "")
    assert "<b>" not in shown.replace("\\<", "")


def test_a_row_that_the_blogs_own_machinery_cannot_take_is_rejected_alone(world):
    world.sql("ALTER TABLE posts ADD words tsvector GENERATED ALWAYS AS (to_tsvector('simple', content)) STORED")
    huge = world.add("huge", title="Huge", content=" ".join(f"word{n}" for n in range(110_000)))
    good = world.add("good", title="Good")
    world.run()
    assert world.prompts()[good]["status"] == "published"
    assert world.prompts()[huge]["status"] == "rejected"
    assert "too long" in world.prompts()[huge]["last_error"]


def test_the_checks_find_what_they_look_for(world, database_url):
    world.add("a hill", title="Hill")
    world.run()
    database = Database(database_url)
    looks = {
        "lease": lambda: checks.no_expired_lease(database),
        "texts": lambda: checks.texts_are_drawn_as_meant(database, "plain"),
        "match": lambda: checks.objects_match_catalogue(database, world.store),
        "blank": lambda: checks.no_blank_picture(database),
        "url": lambda: checks.urls_are_public(database),
    }
    assert {name: look().passed for name, look in looks.items()} == dict.fromkeys(looks, True)
    world.add("another", negative_prompt="(red:1.4)")
    world.sql(
        "UPDATE prompts SET status = 'claimed', claim_token = 1, claimed_by = 'x', lease_expires_at = now() - interval '1 s'"
        " WHERE status = 'pending'"
    )
    world.sql("UPDATE images SET bytes = bytes + 1, contrast = 0")
    world.sql("UPDATE posts SET featured_image_url = 'data:image/png;base64,AAAA'")
    assert {name: look().passed for name, look in looks.items()} == dict.fromkeys(looks, False)
    found = looks["texts"]()
    assert found.description.startswith(
        "1 of 2 looked at. prompt 2: negative_prompt: '(red:1.4)' is a weight elsewhere"
    )
    assert checks.texts_are_drawn_as_meant(database, "a1111").passed
    world.sql(
        """UPDATE images SET provenance = '{"prompt_tokens_dropped": 3, "negative_prompt_tokens_dropped": 1e30}'"""
    )
    assert "prompt 1: " in checks.texts_are_drawn_as_meant(database, "a1111").description
    world.sql("""UPDATE images SET provenance = '{"prompt_tokens_dropped": "many"}'""")
    assert checks.texts_are_drawn_as_meant(database, "a1111").passed
    database.close()


class CuttingSdxl(InstantSdxl):
    """Draws as with GLAD_LONG_PROMPTS=cut."""

    def generate(self, recipes, **options):
        for drawn in super().generate(recipes, **options):
            yield dataclasses.replace(drawn, provenance={**drawn.provenance, "negative_prompt_tokens_dropped": 5})


def test_pictures_drawn_without_the_end_of_a_text_are_counted_and_the_check_warns(world):
    world.add("a hill", negative_prompt="ugly " * 80)
    assert metadata(world.run(sdxl=CuttingSdxl()), "generated_images")["cut"] == 1
    [check] = [
        each for each in world.run().get_asset_check_evaluations() if each.check_name == "texts_are_drawn_as_meant"
    ]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.description == "1 of 1 looked at. prompt 1: 5 tokens were cut off"


def test_a_failing_check_keeps_the_picture_it_is_about_from_being_posted_and_only_that(world, monkeypatch):
    monkeypatch.setattr(upload, "FRESH", 0.0)  # as if they had been put long ago: all are looked at
    ids = [world.add(f"a hill {n}", title=f"Hill {n}") for n in range(3)]
    record = catalogue.Cataloguing.record

    def damaged_afterwards(self, found):
        report = record(self, found)
        some = {each.prompt.id for each in found}
        if ids[0] in some:
            world.sql(
                "UPDATE images SET contrast = 0 FROM prompts p WHERE p.image_id = images.id AND p.id = %s", ids[0]
            )
        if ids[1] in some:
            gone = world.sql("SELECT key FROM images i JOIN prompts p ON p.image_id = i.id WHERE p.id = %s", ids[1])
            world.store.delete([gone[0]["key"]])
        return report

    monkeypatch.setattr(catalogue.Cataloguing, "record", damaged_afterwards)
    result = world.run()
    assert [post["title"] for post in world.posts()] == ["Hill 2"]
    prompts = world.prompts()
    assert [prompts[i]["status"] for i in ids] == ["awaiting_approval", "pending", "published"]
    assert "blank" in prompts[ids[0]]["last_error"]
    assert "gone from the store" in prompts[ids[1]]["last_error"]
    failed = {e.check_name: e for e in result.get_asset_check_evaluations() if not e.passed}
    assert failed.keys() >= {"no_blank_picture", "objects_match_catalogue"}
    monkeypatch.setattr(catalogue.Cataloguing, "record", record)
    assert cli.main(["prompts", "approve", str(ids[0])]) == 0
    world.run()
    assert set(world.statuses()) == {"published"}  # what a person approves is not held again


@pytest.mark.deep
def test_memory_stays_flat_however_many_pictures_a_run_draws(world):
    """Peaks of the Python heap (NumPy's arrays included) for 60 (more than may wait at once) and 200 of 0.75 MB."""
    peaks = []
    for number in (60, 200):
        for n in range(number):
            world.add(f"a hill {number} {n}")
        tracemalloc.start()
        world.run(sdxl=InstantSdxl(side=512))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 20e6, peaks


@pytest.mark.few(1)
@pytest.mark.parametrize("missing", ["deleted", "overwritten"])
def test_a_picture_that_is_gone_when_its_time_comes_is_drawn_again_and_not_published_dead(world, missing):
    later = world.add("a hill", title="Later", publish_at="2100-01-01")
    seen = world.add("a sea", title="Seen", needs_approval=True)
    world.run()
    assert sorted(world.statuses()) == ["awaiting_approval", "generated"]
    (key,) = (
        row["key"]
        for row in world.sql("SELECT key FROM images JOIN prompts p ON image_id = images.id WHERE p.id = %s", later)
    )
    before = world.sql("SELECT key, verified_at FROM images WHERE key <> %s", key)
    world.store.delete([key])
    if missing == "overwritten":
        world.store.client.put_object(Bucket=world.store.bucket, Key=key, Body=b"x", ContentType="image/png")
    world.sql("UPDATE images SET verified_at = now() - interval '61 s'")  # a minute later
    world.sql("UPDATE prompts SET publish_at = now() WHERE id = %s", later)
    world.sql("UPDATE prompts SET status = 'generated' WHERE id = %s", seen)
    result = world.run("published_posts")
    assert metadata(result, "published_posts")["gone_from_the_store"] == 1
    assert [post["title"] for post in world.posts()] == ["Seen"]
    row = world.prompts()[later]
    assert (row["status"], row["attempts"]) == ("pending", 0)
    assert "gone from the store" in row["last_error"]
    assert world.sql("SELECT verified_at > %s AS now FROM images WHERE key <> %s", before[0]["verified_at"], key)[0][
        "now"
    ]
    if missing == "deleted":
        world.run()
        assert world.statuses() == ["published"] * 2


def test_no_picture_is_published_unseen_however_many_are_due(world, monkeypatch):
    monkeypatch.setattr(publish, "POSTS_PER_TRANSACTION", 1)  # looked at one by one, and published one by one
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}", publish_at="2100-01-01")
    world.run()
    images = world.sql("SELECT id, key FROM images ORDER BY id")
    world.store.delete([images[-1]["key"]])  # the last that is looked at is the first that is due
    world.sql("UPDATE images SET verified_at = now() - interval '1 h'")
    world.sql("UPDATE prompts SET publish_at = CASE WHEN image_id = %s THEN NULL ELSE now() END", images[-1]["id"])
    world.run("published_posts")
    assert sorted(world.statuses()) == ["pending", "published", "published"]


def test_a_picture_stored_just_now_is_not_looked_at_twice(world, monkeypatch):
    world.add("a hill", title="Later", publish_at="2100-01-01")
    world.run()
    world.sql("UPDATE prompts SET publish_at = now()")
    monkeypatch.setattr(S3Store, "heads", lambda *_: pytest.fail("looked at again"))
    world.run("published_posts")
    assert world.statuses() == ["published"]
