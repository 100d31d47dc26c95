"""`glad audit` on a real PostgreSQL and a real S3 server: everything that can go wrong, done on purpose."""

import io
import json
import re
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import dagster as dg
import pytest
from PIL import Image

from glad_pipeline import cli, failpoints
from glad_pipeline.cli import runtime
from glad_pipeline.database import Database
from glad_pipeline.definitions import build_defs
from glad_pipeline.errors import GladError
from glad_pipeline.operations import takedown
from glad_pipeline.operations.audit import walk
from glad_pipeline.operations.audit.report import NOTES, PROBLEMS
from glad_pipeline.operations.audit.walk import audit
from glad_pipeline.prompts import management
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.testing import InstantSdxl

NOW = timedelta(0)
LARGE = InstantSdxl(side=300)  # its pictures have thumbnails


@pytest.fixture
def look(world, database_url):
    """An audit of the world without any grace: what it found, by kind, where it found anything."""
    with Database(database_url) as database:

        def look(**options):
            report = audit(database, world.store, **{"grace": NOW, "at_most": 100, **options})
            look.report = report
            return {kind: finding.found for kind, finding in report.findings.items() if finding.found}

        look.database = database
        yield look


def everything(world):
    """All that the world holds, to see whether it changed."""
    tables = {name: world.sql(f"SELECT * FROM {name} ORDER BY 1") for name in ("prompts", "images", "posts", "outbox")}
    pages = world.store.client.get_paginator("list_objects_v2").paginate(Bucket=world.store.bucket)
    objects = [(item["Key"], item["ETag"], item["LastModified"]) for p in pages for item in p.get("Contents", [])]
    return tables, objects


def image_of(world, prompt):
    return world.sql("SELECT i.* FROM images i JOIN prompts p ON p.image_id = i.id WHERE p.id = %s", prompt)[0]


def in_quarantine(world):
    return sorted(listed.key.removeprefix("quarantine/") for listed in world.store.listing("quarantine/"))


def replace(world, key, body):
    """Other bytes under a key, with the metadata as it was."""
    metadata = dict(world.store.head(key).metadata)
    world.store.client.put_object(Bucket=world.store.bucket, Key=key, Body=body, Metadata=metadata)


def take_down(world, key):
    """As a takedown whose deletion came to nothing."""
    world.sql("UPDATE images SET removed_at = now(), removed_reason = 'asked to' WHERE key = %s", key)
    world.sql("INSERT INTO barred_recipes (recipe_hash, reason) SELECT recipe_hash, 'asked to' FROM images"
              " WHERE key = %s", key)  # fmt: skip


def set_status(world, prompt, *steps, **columns):
    """Through the states that the rules allow; `columns` are set with the last."""
    for status in steps:
        held = "claim_token = -1, claimed_by = 'gone', lease_expires_at = now() - interval '1 s'"
        world.sql(f"UPDATE prompts SET status = %s, {held} WHERE id = %s", status, prompt)
    for name, value in columns.items():
        world.sql(f"UPDATE prompts SET {name} = %s WHERE id = %s", value, prompt)


@contextmanager
def armed(point):
    """The process fails at this point, once."""

    def action(reached):
        if reached == point:
            failpoints.arm(None)
            raise RuntimeError(f"failed at {point}")

    failpoints.arm(action)
    try:
        yield
    finally:
        failpoints.arm(None)


def test_where_all_is_well_nothing_is_found(world, look):
    assert look() == {}
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run(sdxl=LARGE)
    assert look(deep=True) == {}
    assert (look.report.objects, look.report.pictures, look.report.remaining()) == (6, 3, 0)
    assert str(look.report).endswith("nothing is amiss")


@pytest.fixture
def wrecked(world):
    """One of everything that can be amiss, each on a prompt of its own."""
    names = (
        *("orphan", "ghost", "unwanted", "damaged", "removed", "thumbnail", "lost", "doubled", "shared", "sharing"),
        *("failed", "edited", "good"),
    )
    prompts = {name: world.add(f"a hill, {name}", title=name.title()) for name in names}
    world.run(sdxl=LARGE)
    keys = {name: image_of(world, prompt)["key"] for name, prompt in prompts.items()}
    store = world.store
    # an object, with its thumbnail, that no row knows
    world.sql("WITH p AS (DELETE FROM prompts WHERE id = %s RETURNING image_id) SELECT * FROM p", prompts["orphan"])
    world.sql("DELETE FROM images WHERE key = %s", keys["orphan"])
    # rows without object: published; of nobody; of a prompt that failed since, which leaves its post a dead link;
    # and of a post to which a person gave another picture
    store.delete([keys[name] for name in ("ghost", "unwanted", "failed", "edited")])
    world.sql("DELETE FROM prompts WHERE id = %s", prompts["unwanted"])
    set_status(world, prompts["failed"], "pending", "claimed", "failed", claim_token=None)
    world.sql("UPDATE posts SET featured_image_url = 'https://mine.example/x.png' WHERE title = 'Edited'")
    replace(world, keys["damaged"], b"not a picture")
    take_down(world, keys["removed"])
    store.delete([keys["thumbnail"].replace(".png", "-256.webp")])
    world.sql("DELETE FROM posts WHERE title = 'Lost'")
    world.sql("INSERT INTO posts (title, slug, content, image_s3_key) SELECT 'Again', 'again', content, image_s3_key"
              " FROM posts WHERE title = 'Doubled'")  # fmt: skip
    world.sql("UPDATE prompts SET published_post_id = (SELECT published_post_id FROM prompts WHERE id = %s)"
              " WHERE id = %s", prompts["shared"], prompts["sharing"])  # fmt: skip
    world.sql("DELETE FROM posts WHERE title = 'Sharing'")
    world.sql("INSERT INTO outbox (kind, subject, payload, status, last_error) VALUES"
              " ('revalidate', 'post:1', '{}', 'dead', '403 forbidden'), ('purge', 'post:2', '{}', 'waiting', NULL)")  # fmt: skip
    # what is only told
    stuck = world.add("stuck")
    set_status(world, stuck, "claimed")
    drawn = world.add("drawn")
    set_status(world, drawn, "claimed", image_id=image_of(world, prompts["good"])["id"])
    world.sql("UPDATE prompts SET status = 'generated', generated_at = now() WHERE id = %s", drawn)
    store.put_once("generated/ab-c/README.txt", b"a person's", content_type="text/plain", metadata={})
    return prompts, keys


FOUND = {
    **{
        "lost": 1,
        "duplicates": 2,
        "dead_links": 3,
        "ghosts": 3,
        "unshown": 1,
        "damaged": 1,
        "not_removed": 2,
        "orphans": 2,
    },
    **{"missing_thumbnails": 1, "dead_messages": 1},
    **{"foreign": 1, "stuck": 1, "waiting": 1, "undelivered": 1},
}


def test_everything_amiss_is_found_told_by_name_and_mended_where_it_can_be(world, wrecked, look):
    prompts, keys = wrecked
    before = everything(world)
    assert look() == FOUND
    assert everything(world) == before  # without --fix nothing changes
    others = {"within_grace", "in_use", "redrawing", "unreadable", "elsewhere"}
    elsewhere = {"dead_addresses", "other_addresses", "unvisited"}  # in test_rewrite_urls.py
    elsewhere.add("missing_renditions")  # in test_renditions.py
    assert set(FOUND) | others | elsewhere == {*PROBLEMS, *NOTES}
    text = str(look.report)
    for told in (
        f"orphans: 2 objects that no row of images knows; to mend: --fix moves them to quarantine/\n  {keys['orphan'][:-4]}",
        f"{keys['ghost']} (prompts: {prompts['ghost']} published)",
        f"{keys['unwanted']} (no prompt)",
        f"{keys['damaged']} (prompts: {prompts['damaged']} published)",
        f"post 'ghost' (prompt {prompts['ghost']}) shows http",
        "post 'removed'",
        "taken down: unpublish it",
        f"prompt {prompts['lost']}: its post",
        f"is that of prompts [{prompts['shared']}, {prompts['sharing']}]",
        f"post 'again' beside that of prompt {prompts['doubled']}",
        "(revalidate post:1): 403 forbidden",
        "(purge post:2), 20",
        "16 of 16 findings remain",
    ):
        assert told in text, told
    assert "mine.example" not in text  # a person's own choice is none of ours

    assert look(fix=True) == FOUND
    assert "duplicates: 2 posts made twice for one prompt, or prompts that share a post made for one; 0 mended, 2 left; "\
        "to mend: remove one by hand" in str(look.report)  # fmt: skip
    left = {kind: look.report.remaining(kind) for kind in PROBLEMS if look.report.remaining(kind)}
    assert left == {"lost": 1, "duplicates": 2, "dead_links": 2, "ghosts": 1, "dead_messages": 1}
    beside = [keys[name].replace(".png", "-256.webp") for name in ("orphan", "unwanted")]
    assert in_quarantine(world) == sorted([keys["orphan"], keys["damaged"], *beside])
    quarantined = world.store.head("quarantine/" + keys["orphan"])
    assert quarantined.metadata["recipe-hash"].startswith(keys["orphan"][13:45])
    assert world.sql("SELECT 1 FROM images WHERE key = %s", keys["unwanted"]) == []
    assert world.store.head(keys["removed"]) is None
    thumbnail = world.store.fetch(keys["thumbnail"].replace(".png", "-256.webp"))
    assert Image.open(io.BytesIO(thumbnail)).size == (256, 256)
    waiting = [prompts[name] for name in ("ghost", "damaged")]
    assert [row["id"] for row in world.prompts().values() if row["status"] == "pending"] == waiting
    assert "audit" in world.prompts()[waiting[0]]["last_error"]

    world.sql("DELETE FROM outbox")
    mended = {"lost": 1, "duplicates": 2, "dead_links": 4, "ghosts": 1, "redrawing": 2, "foreign": 1, "stuck": 1}
    assert look() == mended | {"waiting": 1, "unshown": 1}
    world.sql("UPDATE prompts SET status = 'pending' WHERE id = %s", prompts["failed"])
    world.run(sdxl=LARGE)  # the pictures come back under their keys, and with them the links
    assert look(deep=True) == {"lost": 1, "duplicates": 2, "dead_links": 1, "foreign": 1, "unshown": 1}
    assert world.sql("SELECT featured_image_url FROM posts WHERE title = 'Edited'") == [
        {"featured_image_url": "https://mine.example/x.png"}
    ]
    assert image_of(world, prompts["ghost"])["key"] == keys["ghost"]
    (post,) = world.sql("SELECT * FROM posts WHERE title = 'Ghost'")
    assert post["featured_image_url"].endswith(keys["ghost"])


def test_a_picture_changed_inside_is_found_by_reading_it(world, look):
    prompt, other = world.add("a hill", title="Hill"), world.add("a sea", title="Sea")
    world.run()
    image = image_of(world, prompt)
    body = world.store.fetch(image["key"])
    replace(world, image["key"], body[:-20] + bytes(20))
    assert look() == {}
    assert look(deep=True) == {"damaged": 1}
    assert look(deep=True, fix=True) == {"damaged": 1}
    assert look.report.remaining() == 0
    assert world.statuses() == ["pending", "published"]
    world.run()
    assert look(deep=True) == {}
    assert world.store.fetch(image["key"]) == body
    assert other in world.prompts()


def test_what_a_queued_prompt_or_a_living_run_may_use_is_left_alone(world, look, database_url):
    prompts = [world.add(f"a hill {n} \u00e9", seed=n) for n in range(4)]
    world.run(sdxl=LARGE)
    images = [image_of(world, prompt) for prompt in prompts]
    world.sql("DELETE FROM prompts WHERE id <> %s", prompts[3])
    world.sql("DELETE FROM images WHERE id <> %s", images[3]["id"])
    lone = images[2]["key"].replace(".png", "-256.webp")
    world.store.delete([images[2]["key"]])
    world.add("another prompt", seed=1)
    again = world.add("a hill 0 e\u0301", seed=0)  # é in two code points, which are one in a recipe
    with Claim(look.database, worker="alive", lease=timedelta(minutes=2), max_attempts=5).open() as claim:
        claim.take(10)
        world.store.delete([images[3]["key"], images[3]["thumbnail_key"]])
        token = world.prompts()[again]["claim_token"]
        set_status(world, prompts[3], "pending", "claimed", image_id=images[3]["id"])
        world.sql("UPDATE prompts SET status = 'generated', claim_token = %s, claimed_by = 'alive',"
                  " lease_expires_at = now() + interval '1 min' WHERE id = %s", token, prompts[3])  # fmt: skip
        found = look(fix=True)
        # in use: an original and its thumbnail of a prompt in the queue, and a thumbnail whose original may be coming
        assert found == {"in_use": 3, "orphans": 2, "ghosts": 1, "dead_links": 1}
        assert look.report.findings["ghosts"].mended == 0
        assert "generated, held by alive" in str(look.report)
        assert world.prompts()[prompts[3]]["status"] == "generated"
        assert in_quarantine(world) == sorted([images[1]["key"], images[1]["thumbnail_key"]])
        assert lone in world.objects()
        assert images[0]["key"] in world.objects()
    assert look(fix=True)["orphans"] == 1  # nobody draws now: the lone thumbnail is left over
    world.run(sdxl=LARGE)
    assert image_of(world, again)["key"] == images[0]["key"]


def test_a_picture_that_is_allowed_again_and_drawn_is_no_finding_and_not_deleted(world, look):
    prompt = world.add("a hill", title="Hill")
    world.run(sdxl=LARGE)
    image = image_of(world, prompt)
    takedown.unpublish(look.database, "hill", reason="asked to")
    assert look(fix=True) == {"undelivered": 2}  # the deletion waits for its deliverer, who is no fault
    assert image["key"] in world.objects()
    world.store.delete([image["key"], image["thumbnail_key"]])
    world.sql("UPDATE outbox SET status = 'delivered'")
    takedown.allow(look.database, image["key"])
    assert look() == {}
    assert look.report.pictures == 0
    world.sql("UPDATE prompts SET status = 'pending' WHERE id = %s", prompt)
    found = {}

    def meanwhile(point):  # drawn and stored, and not catalogued yet
        if point == "store.after" and not found:
            found.update(first=look(), mended=look(fix=True))

    failpoints.arm(meanwhile)
    try:
        world.run(sdxl=LARGE)
    finally:
        failpoints.arm(None)
    assert found == {"first": {}, "mended": {}}
    world.sql("DELETE FROM outbox")
    assert look(deep=True) == {}
    assert world.posts()[0]["status"] == "published"


def test_a_prompt_whose_post_was_deleted_on_purpose_can_be_cancelled_and_is_not_lost_any_more(world, look):
    gone, kept = world.add("a hill", title="Hill"), world.add("a sea", title="Sea")
    world.run()
    world.sql("DELETE FROM posts WHERE title = 'Hill'")
    assert look() == {"lost": 1}
    assert "`glad prompts cancel`" in str(look.report)
    changes = management.cancel(look.database, [gone, kept])
    assert (changes.changed, list(changes.refused)) == ((gone,), [kept])
    assert look(deep=True, fix=True) == {}
    assert world.statuses() == ["cancelled", "published"]
    management.retry(look.database, [gone])
    world.run()
    assert {post["title"] for post in world.posts()} == {"Hill", "Sea"}
    assert look() == {}


def test_a_lifted_bar_and_the_deletion_of_what_it_barred_wait_for_one_another(world, look, monkeypatch):
    prompt = world.add("a hill", title="Hill")
    world.run()
    image = image_of(world, prompt)
    takedown.unpublish(look.database, "hill", reason="asked to")
    world.sql("UPDATE outbox SET status = 'dead'")
    delete, allowing = S3Store.delete, []

    def deleting(store, keys):
        if not allowing:
            allowing.append(threading.Thread(target=takedown.allow, args=(look.database, image["key"])))
            allowing[0].start()
            allowing[0].join(0.5)
            assert allowing[0].is_alive()
        delete(store, keys)

    monkeypatch.setattr(S3Store, "delete", deleting)
    assert look(fix=True)["not_removed"] == 1
    assert world.objects() == []
    allowing[0].join()


def test_young_objects_are_only_counted_by_the_stores_own_clock(world, look, monkeypatch):
    world.add("a hill")
    world.run()
    world.sql("DELETE FROM prompts")
    world.sql("DELETE FROM images")
    assert look(grace=timedelta(minutes=1), fix=True) == {"within_grace": 1}
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert look(grace=timedelta(minutes=1), fix=True) == {"within_grace": 1}
    assert look() == {"orphans": 1}


def test_a_prompt_that_comes_while_its_object_is_copied_keeps_it(world, look, monkeypatch):
    prompt = world.add("a hill", seed=7)
    world.run()
    (key,) = world.objects()
    world.sql("DELETE FROM prompts WHERE id = %s", prompt)
    world.sql("DELETE FROM images")
    copy = S3Store.copy

    def copied(store, source, target):
        done = copy(store, source, target)
        world.add("a hill", seed=7)
        return done

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(S3Store, "copy", copied)
        look(fix=True)
    assert look.report.remaining("orphans") == 1
    assert world.objects() == [key]
    assert in_quarantine(world) == []


def test_mending_that_is_cut_short_anywhere_is_finished_by_the_next(world, look):
    points = [f"{name}.{when}" for name in ("quarantine", "audit_fix") for when in ("before", "after")]
    kinds = ("orphan", "ghost", "damaged", "removed", "unwanted")
    prompts = {
        (kind, point): world.add(f"a hill {point}", seed=n, title=kind)
        for point in points
        for n, kind in enumerate(kinds)
    }
    world.run(sdxl=LARGE)
    keys = {each: image_of(world, prompt)["key"] for each, prompt in prompts.items()}
    for point in points:
        for kind in ("orphan", "unwanted"):
            world.sql("DELETE FROM prompts WHERE id = %s", prompts[kind, point])
        world.sql("DELETE FROM images WHERE key = %s", keys["orphan", point])
        world.store.delete([keys[kind, point] for kind in ("ghost", "unwanted")])
        replace(world, keys["damaged", point], b"x")
        take_down(world, keys["removed", point])
        world.sql("UPDATE posts SET status = 'draft' WHERE image_s3_key = %s", keys["removed", point])
        with armed(point), pytest.raises(RuntimeError, match=point):
            look(fix=True)
        look(fix=True)
        assert look.report.remaining() == 0, point
        assert {keys["orphan", point], keys["damaged", point]} <= set(in_quarantine(world))
    world.run(sdxl=LARGE)
    assert look(deep=True) == {}


def test_a_listing_out_of_order_is_said_and_nothing_is_misreported(world, look, monkeypatch):
    for n in range(3):
        world.add(f"a hill {n}")
    world.run()
    before = everything(world)
    listing = S3Store.listing
    monkeypatch.setattr(S3Store, "listing", lambda store, prefix: reversed(list(listing(store, prefix))))
    with pytest.raises(GladError, match="not the order of the keys' bytes"):
        look(fix=True)
    assert everything(world) == before


def test_the_command_line_says_what_is_amiss_with_its_exit_code(world, capsys, monkeypatch):
    monkeypatch.setattr(runtime, "take_environment", lambda: None)
    monkeypatch.setattr(runtime.Runtime, "environment", lambda _: {})
    monkeypatch.setattr(runtime, "store_of", lambda settings: world.store)
    world.add("a hill", title="Hill")
    world.run()
    assert cli.main(["audit"]) == 0
    assert capsys.readouterr().out.endswith("nothing is amiss\n")
    world.store.delete(world.objects())
    assert cli.main(["audit", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["remaining"], told["faults"]["ghosts"]["found"], told["faults"]["dead_links"]["found"]) == (2, 1, 1)
    assert cli.main(["audit", "--fix", "--at-most", "1"]) == 0
    assert "all 2 findings are mended" in capsys.readouterr().out
    for wrong in ("yesterday", "1w", "-1h", "5", ""):
        assert cli.main(["audit", f"--grace={wrong}"]) == 2
        assert "is no time: write a number and s, m, h or d" in capsys.readouterr().err
    world.sql("ALTER TABLE prompts RENAME TO gone")
    assert cli.main(["audit"]) == 1
    assert "run ./glad migrate first" in capsys.readouterr().err


def test_the_asset_tells_the_counts_and_fails_its_checks(world):
    assert "audit" not in {key.to_user_string() for key in selected("publish_prompts")}
    world.add("a hill", title="Hill")
    world.run()

    def evaluated(**config):
        job = build_defs().resolve_job_def("audit_store")
        result = job.execute_in_process(
            instance=world.instance, run_config={"ops": {"audit": {"config": {"grace_seconds": 0, **config}}}}
        )
        (event,) = result.get_asset_materialization_events()
        checks = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
        doctors = {name: checks.pop(name) for name in list(checks) if name.startswith("doctor_")}
        assert len(doctors) > 10
        known = {"doctor_dagster", "doctor_spool"}  # this instance limits no pool; the tests before have left pictures
        assert {name for name, passed in doctors.items() if not passed} <= known
        return {name: value.value for name, value in event.materialization.metadata.items()}, checks

    metadata, checks = evaluated()
    assert (metadata["objects"], metadata["pictures"], metadata["remaining"]) == (1, 1, 0)
    assert checks == {"nothing_lost_doubled_or_dead": True, "nothing_left_over": True}
    world.sql("DELETE FROM posts")
    orphan = world.objects()[0].replace("generated/", "").replace(".png", "")[3:]
    other = f"generated/{'00' if orphan[:2] != '00' else '01'}/{'0' * 32}.png"
    world.store.put_once(other, b"x", content_type="image/png", metadata={})
    metadata, checks = evaluated()
    assert (metadata["lost"], metadata["orphans"]) == (1, 1)
    assert "prompt 1: its post" in metadata["report"]
    assert checks == {"nothing_lost_doubled_or_dead": False, "nothing_left_over": False}
    metadata, checks = evaluated(fix=True, at_most=1, urls="none")
    assert checks == {"nothing_lost_doubled_or_dead": False, "nothing_left_over": True}


def selected(job):
    return build_defs().resolve_job_def(job).asset_layer.selected_asset_keys


@pytest.mark.parametrize(("value", "status"), [("true", "RUNNING"), ("false", "STOPPED")])
def test_a_setting_says_whether_the_audit_runs_daily(monkeypatch, value, status):
    monkeypatch.setenv("GLAD_AUDIT", value)
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@h/d")
    schedule = build_defs(load_settings()).resolve_schedule_def("audit_store_daily")
    assert schedule.job_name == "audit_store"
    assert schedule.default_status == dg.DefaultScheduleStatus[status]


def test_findings_are_looked_at_in_batches_of_a_bounded_size(world, look, monkeypatch):
    monkeypatch.setattr(walk, "BATCH", 2)
    for n in range(5):
        world.add(f"a hill {n}")
    world.run()
    world.store.delete(world.objects())
    assert look(fix=True, shown=3) == {"ghosts": 5, "dead_links": 5}
    assert look.report.remaining() == 0
    assert len(look.report.findings["ghosts"].examples) == 3
    assert "… and 2 more" in str(look.report)


# --- what --fix may do, and what ends no audit ---


def test_more_than_a_tenth_is_moved_only_if_the_number_is_said(world, look):
    for n in range(10):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    keys = [row["key"] for row in world.sql("SELECT key FROM images ORDER BY id")]
    world.store.delete(keys[:1])
    assert look(fix=True, at_most=None) == {"ghosts": 1, "dead_links": 1}  # a tenth is not more than a tenth
    world.run()
    world.sql("DELETE FROM prompts WHERE image_id IN (SELECT id FROM images WHERE key = ANY(%s))", keys[:2])
    world.sql("DELETE FROM images WHERE key = ANY(%s)", keys[:2])
    before = everything(world)
    for at_most in (None, 1):
        with pytest.raises(
            GladError, match=r"2 of 10 .* \(2 orphans\), which is more than 1\. Nothing was changed"
        ) as told:
            look(fix=True, at_most=at_most)
        assert everything(world) == before
    assert "--fix --at-most 2" in str(told.value)
    assert look(fix=True, at_most=2)["orphans"] == 2
    assert in_quarantine(world) == sorted(keys[:2])


def test_a_catalogue_whose_bucket_is_empty_is_not_drawn_anew(world, look, capsys):
    for n in range(5):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    world.store.delete(world.objects())
    assert cli.main(["audit", "--fix", "--grace", "0"]) == 1
    assert "5 of 5" in capsys.readouterr().err
    assert set(world.statuses()) == {"published"}
    assert cli.main(["audit", "--at-most", "5"]) == 2


def test_what_only_a_deep_look_finds_counts_too(world, look):
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    for key in world.objects():
        replace(world, key, world.store.fetch(key)[:-1] + b"?")
    assert look(fix=True, deep=True, at_most=2) == {"damaged": 3}
    assert in_quarantine(world) == []
    assert "not all was mended" in str(look.report)
    assert look(fix=True, deep=True, at_most=3) == {"damaged": 3}
    assert len(in_quarantine(world)) == 3


@pytest.fixture
def unreadable(monkeypatch):
    """Keys that the store lists and cannot give."""
    keys = set()
    for name in ("digest", "start", "fetch", "copy"):
        real = getattr(S3Store, name)

        def refuse(store, key, *args, real=real, **kwargs):
            if key in keys:
                raise StoreError(f"could not read {key}: InternalError", transient=True)
            return real(store, key, *args, **kwargs)

        monkeypatch.setattr(S3Store, name, refuse)
    return keys


@pytest.mark.few(1)
@pytest.mark.parametrize("fix", [True, False], ids=["mending", "looking"])
def test_an_object_that_cannot_be_read_is_a_finding_and_not_the_end(world, look, unreadable, fix):
    for n in range(4):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run()
    keys = [row["key"] for row in world.sql("SELECT key FROM images ORDER BY id")]
    world.sql("DELETE FROM prompts WHERE image_id IN (SELECT id FROM images WHERE key = ANY(%s))", keys[:2])
    world.sql("DELETE FROM images WHERE key = ANY(%s)", keys[:2])  # two orphans
    unreadable.update((keys[0], keys[2]))
    assert look(deep=True, fix=fix) == {"orphans": 1, "unreadable": 2}
    assert any(keys[2] in example for example in look.report.findings["unreadable"].examples)
    assert keys[0] in world.objects()
    assert look.report.remaining() == 2 + (not fix)


def test_a_store_that_is_away_ends_the_audit_as_before(world, look, monkeypatch):
    world.add("a hill", title="Hill")
    world.run()

    def away(store, *args, **kwargs):
        raise StoreError("the store does not answer", transient=True)

    monkeypatch.setattr(S3Store, "digest", away)
    monkeypatch.setattr(S3Store, "check", away)
    with pytest.raises(StoreError, match="does not answer"):
        look(deep=True)


def test_where_the_audit_fails_the_doctor_tells_why(world):
    world.sql("ALTER TABLE images RENAME TO gone")
    try:
        job = build_defs().resolve_job_def("audit_store")
        result = job.execute_in_process(instance=world.instance, raise_on_error=False)
    finally:
        world.sql("ALTER TABLE gone RENAME TO images")
    assert [event.step_key for event in result.get_step_failure_events()] == ["audit"]
    failed = {check.check_name: check.description for check in result.get_asset_check_evaluations() if not check.passed}
    assert re.search(r"^- .*images", failed["doctor_schema"]), failed


def test_a_check_of_the_doctor_can_be_executed_alone(world):
    alone = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("audit"), "doctor_home"))
    defs = dg.Definitions.merge(build_defs(), dg.Definitions(jobs=[dg.define_asset_job("alone", alone)]))
    result = defs.resolve_job_def("alone").execute_in_process(instance=world.instance)
    assert [check.check_name for check in result.get_asset_check_evaluations()] == ["doctor_home"]
