"""`glad catalogue rebuild` on a real PostgreSQL and a real S3 server: the catalogue from the bucket alone."""

import hashlib
import json

import numpy as np
import pytest

from glad_pipeline import cli, failpoints
from glad_pipeline.cli import runtime
from glad_pipeline.database import Database
from glad_pipeline.media.encoding import encode_png
from glad_pipeline.operations.audit import rebuild as room
from glad_pipeline.operations.audit.rebuild import rebuild
from glad_pipeline.storage.keys import original_key
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_graph import metadata
from glad_pipeline_tests.rows import prompt_of

PASSING = {"id", "verified_at", "created_at"}
LARGE = InstantSdxl(side=300)  # its pictures have thumbnails
NOISE = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)


@pytest.fixture
def restore(world, database_url):
    with Database(database_url) as database:
        yield lambda **options: rebuild(database, world.store, **options)


def rows(world):
    found = world.sql("SELECT * FROM images ORDER BY key")
    return [{name: value for name, value in row.items() if name not in PASSING} for row in found]


def test_a_lost_catalogue_comes_back_row_by_row_and_the_pictures_are_published_undrawn(world, restore):
    texts = ["a hill at dawn 🌅", "a sea, é", "x" * 1_999 + "狐"]
    for n, text in enumerate(texts):
        world.add(text, title=f"Post {n}", seed=n)
    world.run(sdxl=LARGE)
    before = rows(world)
    for quick in (False, True):
        world.sql("TRUNCATE images CASCADE")
        done = restore(quick=quick)
        assert (done.looked_at, done.recorded, done.skipped) == (3, 3, 0)
        assert rows(world) == before
    assert world.prompts() == {}  # they went with the cascade
    for n, text in enumerate(texts):
        world.add(text, title=f"Post again {n}", seed=n)
    result = world.run(sdxl=LARGE)
    assert metadata(result, "generated_images")["drawn"] == 0
    assert world.statuses() == ["published"] * 3


def test_what_is_damaged_foreign_or_old_is_told_apart(world, restore, capsys, monkeypatch):
    prompts = [world.add(f"a hill {n}", seed=n) for n in range(4)]
    recipes = [InstantSdxl().recipe(prompt_of(world.prompts()[prompt])) for prompt in prompts]
    world.run()
    good, flipped, cut, _ = keys = [original_key(recipe.hash) for recipe in recipes]
    store, whole = world.store, rows(world)

    def put(key, body, metadata):
        store.client.put_object(Bucket=store.bucket, Key=key, Body=body, ContentType="image/png", Metadata=metadata)

    for key, body in ((flipped, store.fetch(flipped)[:-20] + bytes(20)), (cut, store.fetch(cut)[:-20])):
        put(key, body, dict(store.head(key).metadata))
    put(keys[3], store.fetch(good), dict(store.head(good).metadata))  # a good picture under another's key
    body = encode_png(NOISE, text={"glad_recipe": json.dumps({**recipes[0].as_dict(), "seed": 77})})
    first = type(recipes[0]).from_dict({**recipes[0].as_dict(), "seed": 77})
    old = {"recipe-hash": first.hash, "sha256": hashlib.sha256(body).hexdigest(), "bytes": str(len(body))}
    old |= {"width": "300", "height": "300", "provenance": '{"device": "cpu (x86_64)"}'}
    put(original_key(first.hash), body, old)  # as the first version wrote them
    foreign = {f"generated/00/{'0' * 32}.png": b"no picture", "generated/notes.txt": b"a person's"}
    foreign |= {f"generated/01/{'0' * 32}.png": b"", f"generated/02/{'0' * 32}.png": encode_png(NOISE, text={})}
    for key, text in foreign.items():
        put(key, text, {})

    skipped = {}
    world.sql("TRUNCATE images CASCADE")
    done = restore(skipped=skipped.__setitem__)
    assert set(skipped) == {flipped, cut, keys[3], *foreign}
    assert "damaged: its bytes have the SHA-256" in skipped[flipped]
    assert "damaged: its bytes have the SHA-256" in skipped[cut]
    assert skipped[keys[3]] == f"it carries the recipe of {good}"
    assert (done.looked_at, done.recorded, done.skipped) == (8, 2, 7)
    found = {row["key"]: row for row in rows(world)}
    assert found[good] == next(row for row in whole if row["key"] == good)
    assert found[original_key(first.hash)]["provenance"] == {"device": "cpu (x86_64)"}
    assert found[original_key(first.hash)]["pixels_sha256"] is None

    skipped.clear()
    restore(quick=True, skipped=skipped.__setitem__)
    assert set(skipped) == {cut, keys[3], *foreign}  # what is changed inside only reading it all finds out
    assert "instead of" in skipped[cut]

    monkeypatch.setattr(runtime, "take_environment", lambda: None)
    monkeypatch.setattr(runtime.Runtime, "environment", lambda _: {})
    monkeypatch.setattr(runtime, "store_of", lambda settings: store)
    assert cli.main(["catalogue", "rebuild"]) == 1
    shown = capsys.readouterr().out
    assert f"skipped {flipped}: damaged" in shown
    assert shown.endswith(": 8 originals read, 2 recorded, 7 skipped\n")
    store.delete([*skipped, flipped])
    assert cli.main(["catalogue", "rebuild", "--json"]) == 0
    told = {"looked_at": 2, "recorded": 2, "renditions": 0, "barred": 0, "skipped": 0, "examples": []}
    assert json.loads(capsys.readouterr().out) == told


def test_a_rebuild_that_is_cut_short_is_finished_by_the_next_and_what_was_taken_down_stays_so(
    world, restore, monkeypatch
):
    for n in range(5):
        world.add(f"a hill {n}", seed=n)
    world.run()
    before = rows(world)
    world.sql("INSERT INTO barred_recipes (recipe_hash, reason) SELECT recipe_hash, 'asked to' FROM images LIMIT 1")
    world.sql("TRUNCATE images CASCADE")
    monkeypatch.setattr(room, "TOGETHER", 2)
    reached = []

    def second(point):
        reached.append(point)
        if reached.count(point) == 2 and point == "catalogue.before":
            raise RuntimeError("killed")

    failpoints.arm(second)
    try:
        with pytest.raises(RuntimeError, match="killed"):
            restore()
    finally:
        failpoints.arm(None)
    assert len(rows(world)) == 2
    done = restore()
    assert (done.recorded, done.barred) == (5, 1)
    removed = {"removed_at", "removed_reason"}
    assert [{k: v for k, v in row.items() if k not in removed} for row in rows(world)] == [
        {k: v for k, v in row.items() if k not in removed} for row in before
    ]
    (barred,) = [row for row in rows(world) if row["removed_at"]]
    assert barred["removed_reason"] == "asked to"
    assert restore().barred == 1
    assert len([row for row in rows(world) if row["removed_at"]]) == 1
