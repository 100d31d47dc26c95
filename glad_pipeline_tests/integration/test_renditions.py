"""Renditions of pictures on a real PostgreSQL and a real S3 server: made, shown, counted, lost, made anew, taken down."""

from __future__ import annotations

import io
import json
import re
import threading
import tracemalloc
import urllib.error
import urllib.request
from datetime import timedelta

import psycopg
import pytest
from PIL import Image
from psycopg.types.json import Jsonb

from glad_pipeline import cli
from glad_pipeline.database import Database
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.failpoints import arm
from glad_pipeline.operations import takedown
from glad_pipeline.operations.audit.rebuild import rebuild
from glad_pipeline.operations.audit.walk import audit
from glad_pipeline.operations.removal import Removal
from glad_pipeline.pipeline import renditions
from glad_pipeline.pipeline.publish import Publishing
from glad_pipeline.pipeline.visit import Visitor
from glad_pipeline.prompts.validation import reasons_against
from glad_pipeline.rendition_plan import wanted_of
from glad_pipeline.settings import load_settings, settings_of
from glad_pipeline.storage.keys import is_rendition, key_in, original_key, rendition_key, stem_of, thumbnail_key
from glad_pipeline.storage.protocol import CACHE_CONTROL, StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_graph import World, world  # noqa: F401  a fixture

DRAWS = InstantSdxl(side=96)
KINDS = ["avif-48", "avif-96", "social-1200", "webp-48", "webp-96"]


@pytest.fixture
def pictures(world, monkeypatch):  # noqa: F811
    monkeypatch.setenv("GLAD_RENDITIONS", "webp,avif")
    monkeypatch.setenv("GLAD_RENDITION_WIDTHS", "48,4000,native")
    return world


@pytest.fixture
def database(database_url):
    with Database(database_url) as database:
        yield database


def visit(url: str) -> tuple[int, dict[str, str], bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as got:
            return got.status, dict(got.headers), got.read()
    except urllib.error.HTTPError as error:
        return error.code, {}, b""


def rows(world: World) -> list[dict]:  # noqa: F811
    return world.sql("SELECT * FROM renditions ORDER BY kind, width")


def named(world: World) -> list[str]:  # noqa: F811
    return [f"{row['kind']}-{row['width']}" for row in rows(world)]


def glad(*words: str) -> int:
    return cli.main(list(words))


# ---- made, stored, shown


def test_a_picture_s_renditions_are_in_the_store_and_its_post_says_all_that_a_page_needs(pictures, monkeypatch):
    monkeypatch.setenv("GLAD_FEATURED", "webp-48")
    pictures.sql("ALTER TABLE posts ADD COLUMN featured_image_data jsonb")
    pictures.add("a hill", title="Hill", alt_text="A green hill", focus="top left")
    pictures.run(sdxl=DRAWS)

    (image,) = pictures.sql("SELECT * FROM images")
    base = image["url"].removesuffix(image["key"])
    assert named(pictures) == KINDS
    for row in rows(pictures):
        status, headers, body = visit(base + row["key"])
        assert status == 200
        assert headers["Cache-Control"] == CACHE_CONTROL
        assert headers["Content-Type"] == {"social": "image/jpeg"}.get(row["kind"], f"image/{row['kind']}")
        assert Image.open(io.BytesIO(body)).size == (row["width"], row["height"])
        assert row["bytes"] == len(body)
        assert key_in(row["key"]) == image["key"]
    by_name = {f"{row['kind']}-{row['width']}": base + row["key"] for row in rows(pictures)}
    (post,) = pictures.posts()
    assert post["featured_image_url"] == by_name["webp-48"]
    assert post["cover_image_url"] == by_name["social-1200"]
    assert post["cover_image_url"].endswith("-social-0-0.jpg")
    assert post["image_s3_key"] == image["key"]
    assert image["placeholder"].startswith("data:image/webp;base64,")
    assert post["featured_image_data"] == {
        "url": by_name["webp-48"],
        "width": 96,
        "height": 96,
        "alt": "A green hill",
        "placeholder": image["placeholder"],
        "srcset": {kind: f"{by_name[f'{kind}-48']} 48w, {by_name[f'{kind}-96']} 96w" for kind in ("webp", "avif")},
    }
    assert "featured_image_data" not in post["metadata"]
    assert audit(Database(load_settings().database_url.get_secret_value()), pictures.store).remaining() == 0


def test_without_renditions_nothing_is_made_and_posts_are_as_before(world):  # noqa: F811
    world.add("a hill", title="Hill")
    world.run(sdxl=DRAWS)
    (post,) = world.posts()
    (image,) = world.sql("SELECT * FROM images")
    assert rows(world) == []
    assert post["featured_image_url"] == post["cover_image_url"] == image["url"]
    assert set(post["metadata"]) == {"featured_image_alt"}
    assert image["placeholder"] is None
    assert len(world.objects()) == 1


def test_two_rows_of_one_recipe_have_a_crop_each(pictures):
    for focus in ("0.5,0.3", None, "0.5,0.3"):
        pictures.add("a hill", title=f"Hill {focus}", seed=7, **({"focus": focus} if focus else {}))
    pictures.run(sdxl=DRAWS)
    covers = [re.search("-social.*", post["cover_image_url"]).group() for post in pictures.posts()]
    assert covers == ["-social-50-30.jpg", "-social-50-30.jpg", "-social.jpg"]
    assert named(pictures).count("social-1200") == 2


def warned_without_a_store(database) -> str:
    """What a run that publishes says where its store cannot be had."""

    def refuses():
        raise GladError("the bucket is another database's")

    told: list[str] = []
    visitor = Visitor(check="off", warn=told.append)
    Publishing(claim=None, database=database, store=refuses, visitor=visitor, wanted=wanted_of("webp"))._complete()
    return " ".join(told)


def test_a_focus_that_is_another_one_since_is_what_the_cover_keeps(pictures, database):
    prompt = pictures.add("a hill", title="Hill", needs_approval=True)
    pictures.run(sdxl=DRAWS)
    pictures.sql("UPDATE prompts SET focus = 'bottom' WHERE id = %s", prompt)
    assert glad("prompts", "approve", str(prompt)) == 0
    assert "another database's" in warned_without_a_store(database)
    pictures.run(sdxl=DRAWS)
    assert pictures.posts()[0]["cover_image_url"].endswith("-social-50-100.jpg")


def test_a_focus_that_is_none_is_refused_wherever_it_comes_from(pictures, capsys):
    for focus in ("up", "2,0", "0.5", "", "left,left,left"):
        with pytest.raises(psycopg.errors.CheckViolation, match="prompts_focus_is_a_point"):
            pictures.add("a hill", title="Hill", focus=focus)
        assert reasons_against({"prompt": "a hill", "focus": focus})
    words = ("top", "bottom", "left", "right", "centre", "center", "middle")
    pairs = [*(f"{one} {other}" for one in words for other in words), "1.5,0.5", "0.5,1.5", "1.0,1.00", "0,.999"]
    pairs += ["top centre left", "top, middle right", "centre top left", "top,", " top\u00a0left", "0.5\u2003,0.5"]
    for focus in ("0.5,0.3", " TOP Left", "centre", ".5 , 1", "bottom-right", *pairs):
        if reasons_against({"prompt": "a hill", "focus": focus}):
            with pytest.raises(psycopg.errors.CheckViolation, match="prompts_focus_is_a_point"):
                pictures.add("a hill", title="Hill", focus=focus)
            assert focus in pairs
        else:
            assert pictures.add("a hill", title="Hill", focus=focus)
    assert glad("prompts", "add", "a hill", "--title=Hill", "--focus=left left") == 2
    assert "focus 'left left' must be two numbers from 0 to 1" in capsys.readouterr().err


# ---- what goes wrong with one


def no_avif_in(broken, part: str) -> None:
    """Have all but AVIF go well, for as long as `broken` does."""
    put = S3Store.put_once

    def refuses(self, key, body, **more):
        if not key.endswith(".avif"):
            return put(self, key, body, **more)
        if part == "store":
            raise StoreError("the store takes no AVIF")
        return False  # somebody is about to write it

    def fails(image):
        raise KeyError("AVIF")

    if part in ("store", "other writer"):
        broken.setattr(S3Store, "put_once", refuses)
    else:
        broken.setattr("glad_pipeline.media.renditions._avif", fails)
    if part == "Pillow":
        broken.setattr("PIL.features.check", lambda name: name != "avif")


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("other writer", "w96.avif is not there yet"),
        ("store", "the store takes no AVIF"),
        ("encoder", "KeyError: 'AVIF'"),
        ("Pillow", "is built without avif"),
    ],
)
def test_a_rendition_that_cannot_be_made_or_stored_holds_up_no_post_and_is_made_later(
    pictures, monkeypatch, capsys, part, said
):
    pictures.add("a hill", title="Hill")
    with monkeypatch.context() as broken:
        no_avif_in(broken, part)
        fetched = []
        broken.setattr(S3Store, "fetch", lambda self, key, fetch=S3Store.fetch: fetched.append(key) or fetch(self, key))
        pictures.run(sdxl=DRAWS)
        capsys.readouterr()
        assert glad("renditions", "make") == 1
        assert said in capsys.readouterr().err
        assert part != "Pillow" or not [key for key in fetched if key.endswith(".png")]
    (post,) = pictures.posts()
    assert post["status"] == "published"
    assert named(pictures) == ["social-1200", "webp-48", "webp-96"]
    assert set(post["metadata"]["featured_image_data"]["srcset"]) == {"webp"}

    assert glad("renditions", "make", "--dry-run") == 0
    assert "1 pictures looked at, 1 lack renditions" in capsys.readouterr().out
    assert len(rows(pictures)) == 3
    assert glad("renditions", "make", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["looked_at"], told["lacking"], told["completed"]) == (1, 1, 1)
    assert named(pictures) == KINDS
    assert glad("renditions", "make") == 0
    assert "0 lack renditions" in capsys.readouterr().out


@pytest.mark.few(1)
@pytest.mark.parametrize("point", ["catalogue.before", "rendition.after"])
def test_a_run_that_breaks_off_leaves_nothing_that_the_next_does_not_finish(pictures, database, point):
    def breaks(name):
        if name == point:
            raise RuntimeError("broken")

    prompt = pictures.add("a hill", title="Hill", needs_approval=True)
    arm(breaks)
    try:
        pictures.run(sdxl=DRAWS, expect_success=point.startswith("rendition"))
    finally:
        arm(None)
    pictures.sql("UPDATE prompts SET status = 'pending' WHERE status = 'failed'")
    pictures.run(sdxl=DRAWS)
    assert pictures.statuses() == ["awaiting_approval"]
    if point.startswith("catalogue"):  # what the store has is known before anybody is about to publish it
        assert audit(database, pictures.store, grace=timedelta(0)).remaining() == 0
    assert glad("prompts", "approve", str(prompt)) == 0
    pictures.run(sdxl=DRAWS)
    assert pictures.statuses() == ["published"]
    assert len(pictures.posts()) == 1
    assert glad("renditions", "make") == 0
    assert named(pictures) == KINDS
    assert audit(database, pictures.store, grace=timedelta(0)).remaining() == 0


def test_old_pictures_get_theirs_in_pages_by_one_or_two_at_once(pictures, database, monkeypatch):
    monkeypatch.setenv("GLAD_RENDITIONS", "none")
    for n in range(5):
        pictures.add(f"a hill {n}", title=f"Hill {n}")
    pictures.run(sdxl=DRAWS)
    monkeypatch.setattr(renditions, "PAGE", 2)
    wanted = wanted_of("webp", "native")
    first = next(iter(renditions.complete_all(database, lambda: pictures.store, wanted)))  # killed after a page
    assert first.looked_at == 2
    assert len(rows(pictures)) == 4
    for bound, done in (({"seconds": 0.0}, 4), ({"most": 1}, 6)):
        *_, last = renditions.complete_all(database, lambda: pictures.store, wanted, **bound)
        assert last.stopped
        assert len(rows(pictures)) == done
    found = []

    def work():
        with Database(database.url) as own:
            found.extend(list(renditions.complete_all(own, lambda: pictures.store, wanted))[-1:])

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [done.problems for done in found] == [{}, {}]
    assert len(rows(pictures)) == 10
    assert pictures.sql("SELECT count(*) FROM images WHERE placeholder IS NULL") == [{"count": 0}]


@pytest.mark.deep
def test_a_hundred_thousand_pictures_are_looked_at_in_flat_memory(pictures, database):
    pictures.sql(
        "INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model,"
        " model_revision, verified_at) SELECT 'generated/' || left(h, 2) || '/' || left(h, 32) || '.png', h,"
        " 'http://h/' || h, h, 1, 1024, 1024, 'image/png', '{}', 'm', 'r', now()"
        " FROM (SELECT encode(sha256(n::text::bytea), 'hex') AS h FROM generate_series(1, 100000) AS n) AS hashes"
    )
    pictures.sql(
        "INSERT INTO renditions (image_id, key, kind, width, height, bytes, sha256) SELECT id,"
        " left(key, -4) || '-w' || w || '.webp', 'webp', w, w, 1, sha256 FROM images, unnest(ARRAY[400, 800]) AS w"
    )
    pictures.sql("ANALYZE images, renditions")
    tracemalloc.start()
    try:
        for done in renditions.complete_all(database, lambda: pictures.store, wanted_of("webp"), dry_run=True):
            looked_at, peak = done.looked_at, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (looked_at, done.lacking) == (100_000, 100_000)
    assert peak < 16_000_000


def test_a_picture_whose_original_is_gone_or_damaged_is_told_and_the_others_are_done(pictures, monkeypatch, capsys):
    monkeypatch.setenv("GLAD_RENDITIONS", "none")
    for n in range(3):
        pictures.add(f"a hill {n}", title=f"Hill {n}")
    pictures.run(sdxl=DRAWS)
    monkeypatch.setenv("GLAD_RENDITIONS", "webp")
    gone, damaged, _ = [row["key"] for row in pictures.sql("SELECT key FROM images ORDER BY id")]
    pictures.store.delete([gone])
    pictures.store.client.put_object(Bucket=pictures.store.bucket, Key=damaged, Body=b"no picture")
    assert glad("renditions", "make") == 1
    said = capsys.readouterr()
    assert "3 lack renditions, 1 completed" in said.out
    assert f"{gone} is gone from the store" in said.err
    assert f"{damaged} is damaged" in said.err


# ---- the audit, the rebuild


def test_the_audit_finds_what_is_gone_damaged_or_nobody_s_and_mends_it(pictures, database, monkeypatch):
    for n in range(2):
        pictures.add(f"a hill {n}", title=f"Hill {n}")
    pictures.run(sdxl=DRAWS)
    first, second = [row["key"] for row in rows(pictures) if row["kind"] == "webp" and row["width"] == 48]
    before = {row["key"]: row["sha256"] for row in rows(pictures)}
    stray = first.replace("-w48.webp", "-w47.webp")
    pictures.store.delete([first])
    pictures.store.client.put_object(Bucket=pictures.store.bucket, Key=second, Body=b"none", ContentType="image/webp")
    pictures.store.client.put_object(Bucket=pictures.store.bucket, Key=stray, Body=b"none", ContentType="image/webp")

    found = audit(database, pictures.store, grace=timedelta(0)).findings
    assert (found["missing_renditions"].found, found["orphans"].found) == (2, 1)
    report = audit(database, pictures.store, grace=timedelta(0), fix=True, at_most=10)
    assert report.remaining() == 0
    assert {row["key"]: row["sha256"] for row in rows(pictures)} == before
    assert pictures.store.head(stray) is None
    assert pictures.store.head(f"quarantine/{stray}") is not None
    for key in (first, second):
        assert pictures.store.sha256(key) == before[key]
    bucket, given = {"Bucket": pictures.store.bucket, "Key": second}, pictures.store.head(second)
    pictures.store.client.put_object(
        **bucket, Body=b"x" * given.bytes, ContentType=given.content_type, Metadata=dict(given.metadata)
    )
    assert audit(database, pictures.store, deep=True).findings["missing_renditions"].found == 1
    lost = first.replace("webp", "avif")
    pictures.store.delete([lost])
    with monkeypatch.context() as broken:
        no_avif_in(broken, "encoder")
        report = audit(database, pictures.store, deep=True, fix=True, at_most=10)
    missing = report.findings["missing_renditions"]
    assert [missing.found, missing.mended, "KeyError: 'AVIF'" in missing.examples[0]] == [2, 1, True]
    assert pictures.store.sha256(second) == before[second]
    assert audit(database, pictures.store, fix=True, at_most=10).remaining() == 0
    assert audit(database, pictures.store, grace=timedelta(0), deep=True).remaining() == 0


def test_the_catalogue_is_rebuilt_with_its_renditions_from_the_bucket_alone(pictures, database):
    for n in range(2):
        pictures.add(f"a hill {n}", title=f"Hill {n}")
    pictures.run(sdxl=DRAWS)
    columns = "SELECT r.key, r.kind, r.width, r.height, r.bytes, r.sha256, i.key AS original, i.placeholder"
    all_of_it = f"{columns} FROM renditions AS r JOIN images AS i ON i.id = r.image_id ORDER BY r.key"
    before = pictures.sql(all_of_it)
    assert len(before) == 10
    pictures.sql("DELETE FROM prompts")
    pictures.sql("DELETE FROM images")
    assert rows(pictures) == []
    done = rebuild(database, pictures.store)
    assert (done.recorded, done.renditions, done.skipped) == (2, 10, 0)
    assert pictures.sql(all_of_it) == before
    assert audit(database, pictures.store, grace=timedelta(0)).findings["orphans"].found == 0


# ---- takedown


def test_a_takedown_leaves_no_rendition_reachable_and_the_purge_names_them_all(pictures, database):
    pictures.sql("ALTER TABLE posts ADD COLUMN featured_image_data jsonb")
    pictures.add("a hill", title="Hill")
    pictures.run(sdxl=DRAWS)
    (image,) = pictures.sql("SELECT * FROM images")
    base = image["url"].removesuffix(image["key"])
    stray = rendition_key(image["key"], "-w7.webp")  # of a run that was killed: recorded nowhere
    pictures.store.put_once(stray, b"x", content_type="image/webp", metadata={})
    keys = sorted([image["key"], *(row["key"] for row in rows(pictures))])
    assert all(visit(base + key)[0] == 200 for key in (*keys, stray))

    takedown.delete_image(database, base + keys[0], reason="not ours to show")  # by the URL of a rendition
    (message,) = pictures.sql("SELECT * FROM outbox WHERE kind = 'delete'")
    assert sorted(message["payload"]["keys"]) == keys
    assert sorted(message["payload"]["urls"]) == [base + key for key in keys]
    assert glad("outbox", "deliver") == 0
    assert [visit(base + key)[0] for key in (*keys, stray)] == [404] * (len(keys) + 1)
    (purge,) = pictures.sql("SELECT payload FROM outbox WHERE kind = 'purge'")
    assert sorted(purge["payload"]["paths"]) == sorted(f"/{key}" for key in (*keys, stray))
    (post,) = pictures.posts()
    assert (post["featured_image_url"], post["cover_image_url"], post["featured_image_data"]) == (None, None, None)
    assert pictures.sql("SELECT placeholder FROM images") == [{"placeholder": None}]
    assert audit(database, pictures.store, grace=timedelta(0)).remaining() == 0

    (row,) = [row for row in rows(pictures) if row["kind"] == "social"]  # and what comes back all the same
    pictures.store.put_once(row["key"], b"x", content_type="image/jpeg", metadata={})
    assert audit(database, pictures.store).findings["not_removed"].found == 1
    assert audit(database, pictures.store, fix=True, at_most=5).remaining() == 0
    assert visit(base + row["key"])[0] == 404
    assert glad("renditions", "make") == 0
    assert visit(base + row["key"])[0] == 404


def test_renditions_that_are_gone_are_not_believed_when_their_picture_is_drawn_again(pictures, database, monkeypatch):
    prompts = [pictures.add(f"a hill {n}", title=f"Hill {n}") for n in range(2)]
    pictures.run(sdxl=DRAWS)
    down, lost = pictures.sql("SELECT key FROM images JOIN prompts ON image_id = images.id ORDER BY prompts.id")
    takedown.delete_image(database, down["key"], reason="x")
    assert glad("outbox", "deliver") == 0
    assert len(rows(pictures)) == 10  # until it is drawn again: the audit goes by them
    assert glad("images", "allow", down["key"]) == 0
    assert glad("prompts", "retry", str(prompts[0])) == 0
    pictures.store.delete([lost["key"], *(row["key"] for row in rows(pictures))])
    assert audit(database, pictures.store, fix=True, at_most=5).findings["ghosts"].found == 1
    monkeypatch.setenv("GLAD_RENDITIONS", "none")
    pictures.run(sdxl=DRAWS)
    assert pictures.statuses() == ["published", "published"]
    assert rows(pictures) == []
    for post in pictures.posts():
        assert visit(post["cover_image_url"])[0] == 200
        assert not post["metadata"].get("featured_image_data", {}).get("srcset")


# ---- posts of before


@pytest.fixture
def published_before(world, monkeypatch):  # noqa: F811
    """Three posts of pictures without renditions, as they are; renditions are asked for since."""
    for n in range(3):
        world.add(f"a hill {n}", title=f"Hill {n}", alt_text=f"Hill {n}, green")
    world.run(sdxl=DRAWS)
    monkeypatch.setenv("GLAD_RENDITIONS", "webp,avif")
    monkeypatch.setenv("GLAD_RENDITION_WIDTHS", "48,4000,native")
    monkeypatch.setenv("GLAD_FEATURED", "webp-48")
    return world


@pytest.mark.few(1)
@pytest.mark.parametrize("place", ["metadata", "column"])
def test_posts_of_before_show_what_one_of_today_would_and_once_they_do_nothing_changes(
    published_before, capsys, monkeypatch, place
):
    blog = published_before
    if place == "column":
        blog.sql("ALTER TABLE posts ADD COLUMN featured_image_data jsonb")
    before = {post["title"]: post for post in blog.posts()}
    assert glad("renditions", "make") == 0
    assert "--posts has them show these too" in capsys.readouterr().out
    assert {post["title"]: post for post in blog.posts()} == before
    assert glad("renditions", "make", "--posts", "--dry-run") == 0
    assert "3 posts would show other renditions" in capsys.readouterr().out
    assert {post["title"]: post for post in blog.posts()} == before
    monkeypatch.setattr("glad_pipeline.operations.renew_posts.WINDOW", 2)
    told = len(blog.sql("SELECT id FROM outbox"))
    assert glad("renditions", "make", "--posts") == 0
    said = capsys.readouterr().out
    assert "3 posts show other renditions now" in said
    assert "no site is told, since GLAD_SITE_URL is not set" in said
    assert len(blog.sql("SELECT id FROM outbox")) == told + 3

    new = blog.add("a wood", title="Wood")
    blog.run(sdxl=DRAWS)
    posts = {post["title"]: post for post in blog.posts()}
    like = posts.pop("Wood")
    for title, post in posts.items():
        data = post["featured_image_data"] if place == "column" else post["metadata"]["featured_image_data"]
        of_new = like["featured_image_data"] if place == "column" else like["metadata"]["featured_image_data"]
        stem = stem_of(before[title]["image_s3_key"])
        assert json.loads(json.dumps(of_new).replace(stem_of(like["image_s3_key"]), stem)) | {
            "alt": f"{title}, green", "placeholder": data["placeholder"]
        } == data  # fmt: skip
        assert post["featured_image_url"].endswith(f"{stem}-w48.webp")
        assert post["cover_image_url"].endswith(f"{stem}-social.jpg")
        assert {visit(post[name])[0] for name in ("featured_image_url", "cover_image_url")} == {200}
        changed = {name for name in post if post[name] != before[title][name]}
        assert changed == {"featured_image_url", "cover_image_url", {"column": "featured_image_data"}.get(place, place)}
    assert new
    assert glad("renditions", "make", "--posts", "--json") == 0
    assert json.loads(capsys.readouterr().out)["posts"]["changed"] == 0


@pytest.mark.few(1)
@pytest.mark.parametrize("place", ["column", "metadata"])
def test_a_post_whose_picture_has_no_renditions_any_more_names_none(published_before, monkeypatch, place):
    blog = published_before
    if place == "column":
        blog.sql("ALTER TABLE posts ADD COLUMN featured_image_data jsonb")
    assert glad("renditions", "make", "--posts") == 0
    blog.sql("DELETE FROM renditions")
    monkeypatch.setenv("GLAD_RENDITIONS", "none")
    monkeypatch.setenv("GLAD_FEATURED", "original")
    blog.sql("UPDATE images SET placeholder = NULL")
    assert glad("renditions", "make", "--posts") == 0
    for post in blog.posts():
        assert post["featured_image_url"].endswith(".png")
        data = post["featured_image_data"] if place == "column" else post["metadata"].get("featured_image_data")
        assert data is None


def test_what_a_person_has_put_in_a_post_of_before_stays(published_before, capsys):
    blog = published_before
    blog.sql("ALTER TABLE posts ADD COLUMN featured_image_data jsonb")
    theirs = "https://elsewhere.example/a.jpg"
    blog.sql("UPDATE posts SET featured_image_url = %s WHERE title = 'Hill 0'", theirs)
    blog.sql("UPDATE posts SET cover_image_url = %s, featured_image_data = %s WHERE title = 'Hill 1'",
              theirs, Jsonb({"url": theirs}))  # fmt: skip
    blog.sql("UPDATE posts SET metadata = metadata || '{\"featured_image_alt\": \"A hill of theirs\"}',"
              " cover_image_url = NULL WHERE title = 'Hill 2'")  # fmt: skip
    assert glad("renditions", "make", "--posts") == 0
    assert "2 posts show other renditions now" in capsys.readouterr().out
    posts = {post["title"]: post for post in blog.posts()}
    assert (posts["Hill 0"]["featured_image_url"], posts["Hill 0"]["featured_image_data"]) == (theirs, None)
    assert (posts["Hill 1"]["cover_image_url"], posts["Hill 1"]["featured_image_data"]) == (theirs, {"url": theirs})
    assert posts["Hill 1"]["featured_image_url"].endswith("-w48.webp")
    assert posts["Hill 2"]["cover_image_url"] is None
    assert posts["Hill 2"]["featured_image_data"]["alt"] == "A hill of theirs"


def test_a_post_that_the_blog_does_not_let_be_changed_is_told_and_the_others_are(published_before, capsys):
    blog = published_before
    blog.sql("CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
              " RAISE EXCEPTION 'Hill 1 is closed' USING ERRCODE = 'check_violation'; END $$")  # fmt: skip
    blog.sql("CREATE TRIGGER refuses BEFORE UPDATE ON posts FOR EACH ROW WHEN (OLD.title = 'Hill 1')"
              " EXECUTE FUNCTION refuses()")  # fmt: skip
    assert glad("renditions", "make", "--posts") == 1
    told = capsys.readouterr()
    assert "2 posts show other renditions now, 1 cannot be changed" in told.out
    assert "Hill 1 is closed" in told.err


@pytest.mark.parametrize("wanted", ["webp,avif", "none"])
def test_renditions_that_are_gone_hold_up_no_post_and_are_made_anew_or_done_without(pictures, monkeypatch, wanted):
    monkeypatch.setenv("GLAD_PUBLIC_CHECK", "stop")
    monkeypatch.setattr("glad_pipeline.pipeline.visit.PAUSES", (0.01,))
    for n in range(2):
        pictures.add(f"a hill {n}", title=f"Hill {n}", publish_at="2999-01-01")
    pictures.run(sdxl=DRAWS)
    pictures.store.delete([row["key"] for row in rows(pictures) if row["kind"] == "social" or row["width"] == 48])
    pictures.sql("UPDATE prompts SET publish_at = NULL")
    monkeypatch.setenv("GLAD_RENDITIONS", wanted)
    pictures.run(sdxl=DRAWS)
    assert pictures.statuses() == ["published", "published"]
    kept = ["avif-96"] * 2 + ["webp-96"] * 2
    assert named(pictures) == (kept if wanted == "none" else sorted(KINDS * 2))
    for post in pictures.posts():
        srcset = post["metadata"]["featured_image_data"]["srcset"].values()
        named_urls = [each.split()[0] for some in srcset for each in some.split(", ")]
        assert len(named_urls) == (2 if wanted == "none" else 4)
        assert {visit(url)[0] for url in [post["cover_image_url"], *named_urls]} == {200}


def test_a_takedown_waits_for_no_rendition_and_those_made_meanwhile_are_deleted(pictures, database, monkeypatch):
    monkeypatch.setenv("GLAD_RENDITIONS", "none")
    pictures.add("a hill", title="Hill")
    pictures.run(sdxl=DRAWS)
    made = renditions._made

    def takes_it_down(store, wanted, image):
        found = made(store, wanted, image)
        with Database(f"{database.url}{'&' if '?' in database.url else '?'}options=-c%20lock_timeout%3D2s") as other:
            takedown.delete_image(other, image.key, reason="x")
        return found

    monkeypatch.setenv("GLAD_RENDITIONS", "webp")
    monkeypatch.setattr(renditions, "_made", takes_it_down)
    assert glad("renditions", "make") == 0
    assert rows(pictures) == []
    first, again = pictures.sql("SELECT payload -> 'keys' AS keys FROM outbox WHERE kind = 'delete' ORDER BY id")
    assert [len(first["keys"]), {kind[-8:] for kind in again["keys"]} >= {"w48.webp", "w96.webp"}] == [1, True]
    assert glad("outbox", "deliver") == 0
    assert pictures.objects() == []


@pytest.mark.few(1)
@pytest.mark.parametrize("place", ["column", "metadata"])
def test_a_person_s_picture_and_what_is_said_of_it_come_back_with_a_takedown(pictures, database, monkeypatch, place):
    theirs = {"url": "https://theirs.example/a.jpg", "credit": "Ada"}
    kept = {"k": 1, "featured_image_data": theirs}  # beside a column, the metadata have nothing to do with ours
    if place == "column":
        pictures.sql("ALTER TABLE posts ADD COLUMN featured_image_data jsonb")
    (post,) = pictures.sql(
        "INSERT INTO posts (title, slug, content, featured_image_url, metadata) VALUES ('Old', 'old', 'x', %s, %s)"
        " RETURNING id",
        theirs["url"],
        Jsonb(kept),
    )
    if place == "column":
        pictures.sql("UPDATE posts SET featured_image_data = %s", Jsonb(theirs))

    def said(row):
        return row["featured_image_data"] if place == "column" else row["metadata"]["featured_image_data"]

    for seed, renditions_of in enumerate(("none", "webp", "none", "webp")):
        monkeypatch.setenv("GLAD_RENDITIONS", renditions_of)
        pictures.add("a hill", post_id=post["id"], seed=seed, replace=True)
        pictures.run(sdxl=DRAWS)
        (shown,) = pictures.posts()
        assert shown["metadata"]["k"] == 1
        if place == "column":
            assert shown["metadata"]["featured_image_data"] == theirs
        if renditions_of == "none":
            assert said(shown) == theirs
        else:
            assert said(shown)["url"] == shown["featured_image_url"]
            assert said(shown)["replaced"] == theirs
    assert shown["cover_image_url"].endswith("-social.jpg")
    takedown.delete_image(database, shown["featured_image_url"], reason="x")
    (after,) = pictures.posts()
    assert (after["featured_image_url"], said(after), after["metadata"]) == (theirs["url"], theirs, kept)


def test_a_blog_with_narrow_addresses_shows_the_original(pictures, monkeypatch):
    monkeypatch.setenv("GLAD_FEATURED", "avif-native")
    pictures.add("a hill", title="Hill")
    length = len(pictures.store.url(original_key("0" * 64)))
    pictures.sql(f"ALTER TABLE posts ALTER COLUMN featured_image_url TYPE varchar({length})")
    pictures.run(sdxl=DRAWS)
    (post,) = pictures.posts()
    assert post["featured_image_url"].endswith(".png")


# ---- settings, keys


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"GLAD_RENDITIONS": "jpeg"}, "GLAD_RENDITIONS is 'jpeg': it has to be one or more of webp, avif"),
        ({"GLAD_RENDITION_WIDTHS": "8"}, "GLAD_RENDITION_WIDTHS is '8': it has to be widths of 16 to 4,096"),
        ({"GLAD_FEATURED": "png-1200"}, "GLAD_FEATURED is 'png-1200': it has to be `original`, or a rendition"),
        ({"GLAD_FEATURED": "webp-1000"}, "GLAD_FEATURED is webp-1000: no such rendition is made"),
        ({"GLAD_FEATURED": "avif-800", "GLAD_RENDITIONS": "webp"}, "no such rendition is made"),
        ({"GLAD_FEATURED": "webp-native", "GLAD_RENDITIONS": "none"}, "no such rendition is made"),
    ],
)
def test_settings_that_cannot_be_are_refused_by_name(values, said):
    with pytest.raises(UsageError, match=re.escape(said)):
        settings_of(values)


def test_every_key_of_a_picture_leads_to_its_original_and_no_other_does():
    original = original_key("ab" * 32)
    stem = stem_of(original)
    for suffix in ("-w800.webp", "-w48.avif", "-social.jpg", "-social-50-100.jpg"):
        key = rendition_key(original, suffix)
        assert key_in(key) == key_in(f"https://cdn.example/{key}") == original
        assert is_rendition(key)
        assert key < original  # in a listing the original comes last
    assert not is_rendition(original)
    assert not is_rendition(thumbnail_key("ab" * 32))
    for other in ("-w0.webp", "-w800.jpg", "-social.webp", "-social-1.jpg", ".jpg", "-w800.webp.html"):
        assert key_in(f"{stem}{other}") is None


def test_what_removes_a_picture_s_objects_asks_for_no_more_than_its_own(pictures, database):
    for n in range(2):
        pictures.add(f"a hill {n}", title=f"Hill {n}")
    pictures.run(sdxl=DRAWS)
    one, other = pictures.sql("SELECT * FROM images ORDER BY id")
    takedown.delete_image(database, one["key"], reason="x")
    messages = pictures.sql("SELECT * FROM outbox WHERE kind = 'delete'")
    assert len(messages) == 1
    Removal(database=database, store=pictures.store)([message_of(messages[0])])
    left = {key_in(key) for key in pictures.objects()}
    assert left == {other["key"]}


def message_of(row):
    from glad_pipeline.outbox.messages import Message

    return Message(**{name: row[name] for name in ("id", "kind", "subject", "payload", "attempts")})
