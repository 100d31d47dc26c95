"""Pictures become posts while their run goes on drawing, and the steps after that report what the whole run has done."""

import threading
import time
from itertools import pairwise

import dagster as dg
import pytest
from test_graph import failures, metadata, published
from test_lineage import Look
from test_outbox import SECRET, site  # noqa: F401  a fixture

from glad_pipeline.database import DatabaseError
from glad_pipeline.definitions import build_defs
from glad_pipeline.generation.batches import backlog_of
from glad_pipeline.operations import checks
from glad_pipeline.pipeline import catalogue, draw, follow, publish, upload
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.testing import InstantSdxl

BATCH = 4
PICTURES = 12
may_go_on = threading.Event()


class HaltingSdxl(InstantSdxl):
    """Draws its first batch, and begins the second when the test says so."""

    def generate(self, recipes, *, on_batch_start=lambda recipes: None):
        backlog, drawn = backlog_of(recipes), 0
        while batch := backlog.take(lambda recipe: BATCH):
            if drawn:
                assert may_go_on.wait(60)
            on_batch_start(batch)
            for recipe in batch:
                drawn += 1
                yield self._drawn(recipe)


@pytest.fixture
def halted(world):
    """A run that has drawn its first batch of many; called, it goes on to its end and is returned."""
    for n in range(PICTURES):
        world.add(f"a hill {n}", title=f"Hill {n}")
    may_go_on.clear()
    results = []

    def work():
        job = build_defs(resource_overrides={"sdxl": HaltingSdxl()}).resolve_job_def("publish_prompts")
        results.append(job.execute_in_process(instance=world.instance, raise_on_error=False))

    thread = threading.Thread(target=work)

    def go_on():
        may_go_on.set()
        thread.join(60)
        return results[0]

    thread.start()
    yield go_on
    may_go_on.set()
    thread.join(60)


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_picture_is_a_post_while_its_run_draws_and_the_steps_report_the_whole_run(world, halted):
    until(lambda: world.statuses().count("published") == BATCH)
    assert len(world.posts()) == BATCH
    assert world.statuses().count("claimed") == PICTURES - BATCH
    result = halted()
    assert world.statuses() == ["published"] * PICTURES
    for asset in ("generated_images", "s3_objects", "published_posts"):
        assert metadata(result, asset)["prompt_ids"] == f"1-{PICTURES}"
    assert metadata(result, "s3_objects")["dagster/row_count"] == PICTURES
    assert metadata(result, "s3_objects")["bytes"] == metadata(result, "generated_images")["bytes"]
    assert metadata(result, "published_posts")["published"] == PICTURES
    assert "Hill" in metadata(result, "published_posts")["posts"]
    assert world.sql("SELECT * FROM run_reports") == []  # listed, all of them
    assert all(check.passed for check in result.get_asset_check_evaluations())


def test_a_run_that_claims_more_while_it_draws_makes_the_asset_prompts_of_all_of_them_and_nothing_is_stale(
    world, database_url, monkeypatch
):
    monkeypatch.setattr(InstantSdxl, "window", 4)
    for n in range(PICTURES):
        world.add(f"a hill {n}", title=f"Hill {n}")
    look = Look(world, database_url)
    look.observe()
    result = world.run()
    made = [
        event.materialization.metadata["prompt_ids"].value
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("prompts")
    ]
    assert made == ["1-4", f"1-{PICTURES}"]
    look.observe()
    assert look.stale() == set()


def test_what_this_run_has_put_moments_ago_is_believed_on_the_strength_of_one_look_at_each_group(world, monkeypatch):
    looked_at, groups = [], []
    start, record = S3Store.start, catalogue.Cataloguing.record
    monkeypatch.setattr(S3Store, "start", lambda store, key, length: looked_at.append(key) or start(store, key, length))
    monkeypatch.setattr(
        catalogue.Cataloguing, "record", lambda self, found: groups.append(len(found)) or record(self, found)
    )
    for n in range(40):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    assert world.statuses() == ["published"] * 40
    seen = [key for key in looked_at if key.startswith("generated/")]
    assert len(seen) == len([size for size in groups if size]) < 20
    looked_at.clear()
    monkeypatch.setattr(upload, "FRESH", 0.0)  # as if it had been put long ago
    for n in range(5):
        world.add(f"a sea {n}", title=f"Sea {n}")
    world.run()
    assert len([key for key in looked_at if key.startswith("generated/")]) == 5


def test_a_group_is_checked_before_it_is_published_by_a_sample_of_its_own(world, monkeypatch):
    asked, groups, record, match = [], [], catalogue.Cataloguing.record, checks.objects_match_catalogue

    def counted(*args, keys=None):
        asked.append(keys)
        return match(*args, keys=keys)

    monkeypatch.setattr(checks, "objects_match_catalogue", counted)
    monkeypatch.setattr(
        catalogue.Cataloguing, "record", lambda self, found: groups.append(len(found)) or record(self, found)
    )
    for n in range(40):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    *of_groups, of_the_step = asked
    assert of_the_step is None
    assert [len(keys) for keys in of_groups] == [min(size, 2) for size in groups if size]
    assert len(of_groups) < 20


def test_a_picture_that_is_nobody_s_is_no_sample(world, monkeypatch):
    """The prompts of the first picture of every group were cancelled, say."""
    put_once, prompts_of, look, firsts = S3Store.put_once, draw.Drawing.prompts_of, follow.Follower._look, []

    def lost(store, key, *args, **kwargs):
        return True if key.startswith("generated/") else put_once(store, key, *args, **kwargs)

    def seen(self, some):
        firsts.append(next(iter(some)))
        return look(self, some)

    monkeypatch.setattr(S3Store, "put_once", lost)
    monkeypatch.setattr(follow.Follower, "_look", seen)
    monkeypatch.setattr(
        draw.Drawing, "prompts_of", lambda self, recipe: [] if recipe in firsts else prompts_of(self, recipe)
    )
    for n in range(16):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    assert len(firsts) < 16
    assert world.sql("SELECT key FROM images") == []


def test_a_prompt_that_is_looked_at_twice_is_counted_once(world, monkeypatch):
    look = follow.Follower._look

    def gone_before(self, some):
        world.store.delete(list(world.objects()))
        return look(self, some)

    world.add("a hill", title="Hill", seed=1)
    world.run()
    world.add("a hill", title="Another", seed=1)
    monkeypatch.setattr(follow.Follower, "_look", gone_before)
    assert metadata(world.run(), "s3_objects")["not_drawn_yet"] == 1
    assert world.statuses() == ["published", "pending"]


def test_the_version_of_the_pictures_is_that_of_all_that_a_run_draws(world, monkeypatch):
    monkeypatch.setattr(InstantSdxl, "window", 4)

    def version(result, asset):
        made = [
            e.materialization for e in result.get_asset_materialization_events() if e.asset_key == dg.AssetKey(asset)
        ]
        return made[-1].tags["dagster/data_version"]

    world.add("a hill", title="Hill", seed=1)
    first = world.run()
    world.add("a hill", title="Hill", seed=1)
    assert version(world.run(), "generated_images") == version(first, "generated_images")  # the same picture
    for _ in range(4):  # the first slice
        world.add("a hill", title="Hill", seed=1, priority=9)
    world.add("a lake", title="Lake", seed=1)
    second = world.run()
    assert version(second, "generated_images") != version(first, "generated_images")
    assert version(second, "prompts") != version(first, "prompts")


def test_a_store_that_loses_what_it_takes_is_found_out_before_anything_of_a_group_is_catalogued(world, monkeypatch):
    for n in range(8):
        world.add(f"a hill {n}", title=f"Hill {n}")
    put_once = S3Store.put_once

    def lost(store, key, *args, **kwargs):
        return True if key.startswith("generated/") else put_once(store, key, *args, **kwargs)

    monkeypatch.setattr(S3Store, "put_once", lost)
    result = world.run()
    assert published(result) == 0
    assert world.sql("SELECT key FROM images") == []
    assert {(row["status"], row["attempts"]) for row in world.prompts().values()} == {("pending", 1)}
    assert metadata(result, "s3_objects")["damaged"] == 8


def test_what_ends_the_publishing_for_the_deployment_s_sake_ends_the_run_and_costs_no_try(world, halted, monkeypatch):
    until(lambda: world.statuses().count("published") == BATCH)

    def refused(*_, **__):
        raise DatabaseError("the database is read-only: mend it")

    monkeypatch.setattr(publish, "publish_some", refused)
    result = halted()
    assert not result.success
    assert "the database is read-only: mend it" in failures(result)
    rows = world.prompts().values()
    assert {row["status"] for row in rows} <= {"published", "pending", "generated"}
    assert {row["attempts"] for row in rows if row["status"] == "pending"} <= {0}
    monkeypatch.undo()


def test_a_slow_site_delays_no_post_and_is_told_of_all(world, site, monkeypatch):  # noqa: F811
    monkeypatch.setattr(follow, "DELIVERY", 0.2)
    monkeypatch.setenv("GLAD_SITE_URL", site.url)
    monkeypatch.setenv("GLAD_REVALIDATE_SECRET", SECRET)
    at = []

    def slow(handler, body):
        at.append((time.monotonic(), world.statuses().count("published")))
        time.sleep(3)
        return 200, b"{}"

    site.answer = slow
    for n in range(PICTURES):
        world.add(f"a hill {n}", title=f"Hill {n}")
    result = world.run(sdxl=InstantSdxl(seconds_each=0.25))
    assert 0 < at[0][1] < PICTURES  # told while drawing
    last = world.sql("SELECT max(published_at) - min(published_at) AS took FROM prompts")[0]["took"]
    assert last.total_seconds() < 9  # four tellings would have taken 12
    assert metadata(result, "site_revalidations")["delivered"] == PICTURES


@pytest.mark.parametrize("steps", [("prompts", "generated_images"), ("prompts", "generated_images", "s3_objects")])
def test_a_run_without_the_step_that_publishes_publishes_nothing(world, steps):
    world.add("a hill", title="Hill")
    result = world.run(*steps)
    assert world.posts() == []
    assert len(world.objects()) == 1
    assert world.statuses() == ["pending" if "s3_objects" not in steps else "generated"]
    assert metadata(result, "generated_images")["drawn"] == 1


def test_a_run_that_is_repeated_from_a_step_on_does_that_step_s_part(world, monkeypatch):
    world.add("a hill", title="Hill")
    with monkeypatch.context() as fault:
        fault.setattr(follow.Follower, "uploaded", lambda self, recipe, done: None)  # nobody catalogues ahead
        fault.setattr(catalogue.Cataloguing, "record", lambda self, found: pytest.fail("broken"))
        world.run(expect_success=False)
    assert world.statuses() == ["pending"]
    result = world.run("s3_objects", "published_posts", "site_revalidations")
    assert metadata(result, "s3_objects")["dagster/row_count"] == 1
    assert world.statuses() == ["published"]


def test_a_picture_that_waits_for_nobody_costs_no_transaction_of_its_own(world, monkeypatch):
    """Fast pictures are recorded in groups, none of which waits for longer than that."""
    groups, record = [], catalogue.Cataloguing.record
    monkeypatch.setattr(
        catalogue.Cataloguing, "record", lambda self, found: groups.append(time.monotonic()) or record(self, found)
    )
    for n in range(60):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    assert len(groups) < 20
    assert all(later - earlier >= follow.GROUP - 0.05 for earlier, later in pairwise(groups[:-2]))
