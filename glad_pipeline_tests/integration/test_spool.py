"""Pictures on their way to a store that is away, full disks, damaged files, killed runs: through the real graph."""

import errno
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from glad_pipeline.definitions import build_defs
from glad_pipeline.errors import GladError
from glad_pipeline.generation.prefetch import prefetch
from glad_pipeline.pipeline import delivery
from glad_pipeline.pipeline.delivery import UPLOADERS, Delivery
from glad_pipeline.pipeline.upload import NotOursError, _stored
from glad_pipeline.storage import spool as spool_room
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.storage.spool import Spool
from glad_pipeline.testing.generator import BATCH, InstantSdxl
from glad_pipeline_tests.door import Door
from glad_pipeline_tests.integration.test_graph import World, failures, metadata
from glad_pipeline_tests.rows import prompt_of


@pytest.fixture
def door(s3):
    door = Door(s3["AWS_ENDPOINT_URL_S3"])
    yield door
    door.shut()


@pytest.fixture
def world(migrated_url, s3, door, tmp_path, monkeypatch):
    """As the graph's, with the store behind a door and a spool of its own."""
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", door.url)
    monkeypatch.setenv("GLAD_HOME", str(tmp_path))
    monkeypatch.setenv("GLAD_STORE_PATIENCE_SECONDS", "20")
    world = World(migrated_url)
    yield world
    door.open()
    world.connection.close()


drawn: list[str] = []  # prompts, as they were drawn; not in the resource: a run works with a copy of that


@pytest.fixture(autouse=True)
def _nothing_drawn():
    drawn.clear()


class Watched(InstantSdxl):
    """Notes what it draws; calls `at[n]()` once n pictures are drawn, and `at[-1]()` when all are."""

    def generate(self, recipes, *, on_batch_start=lambda recipes: None):
        for picture in super().generate(recipes, on_batch_start=on_batch_start):
            drawn.append(picture.recipe.prompt)
            actions.get(len(drawn), lambda: None)()
            yield picture
        actions.get(-1, lambda: None)()


actions: dict = {}


@pytest.fixture(autouse=True)
def _no_actions():
    actions.clear()


def spooled(tmp_path):
    return [file for file in (tmp_path / "spool").glob("*/*") if file.is_file()]


def hills(world, count):
    for n in range(count):
        world.add(f"a hill {n}", title=f"Hill {n}")


def leave_in_spool(world, door, count, monkeypatch, **given):
    """A run that draws `count` pictures and can deliver none."""
    hills(world, count)
    actions[1] = door.shut
    with monkeypatch.context() as short:
        short.setenv("GLAD_STORE_PATIENCE_SECONDS", "0.5")
        result = world.run(sdxl=Watched(**given), expect_success=False)
    actions.clear()
    return result


def warnings(world, result):
    return [e.user_message for e in world.instance.all_logs(result.run_id) if e.level == 30]


def test_drawing_goes_on_while_the_store_is_away_and_all_is_delivered_when_it_is_back(world, door, tmp_path):
    hills(world, 24)
    actions.update({4: door.shut, -1: lambda: threading.Timer(2, door.open).start()})  # it is back when all are drawn
    result = world.run(sdxl=Watched())
    assert len(drawn) == len(set(drawn)) == len(world.objects()) == 24
    assert set(world.statuses()) == {"published"}
    assert spooled(tmp_path) == []
    assert "spooled_waiting" not in metadata(result, "generated_images")


def test_a_store_that_stays_away_fails_the_run_clean_and_nothing_is_drawn_again(world, door, tmp_path, monkeypatch):
    result = leave_in_spool(world, door, 9, monkeypatch)
    assert "the store has not answered for" in failures(result)
    assert re.search(r"9 pictures \([0-9.]+ [kM]B\) wait in", failures(result))
    assert "delivered by the next run: none of them is lost or drawn again" in failures(result)
    assert len(drawn) == len(spooled(tmp_path)) == 9
    assert {(row["status"], row["attempts"]) for row in world.prompts().values()} == {("pending", 0)}
    with monkeypatch.context() as short:  # still away: nothing is begun
        short.setenv("GLAD_STORE_PATIENCE_SECONDS", "0.5")
        result = world.run(sdxl=Watched(), expect_success=False)
    assert "9 pictures" in failures(result)
    door.open()
    result = world.run(sdxl=Watched())
    assert len(drawn) == 9
    assert metadata(result, "generated_images")["delivered_from_spool"] == 9
    assert set(world.statuses()) == {"published"}
    assert spooled(tmp_path) == []


def test_a_full_spool_holds_the_drawing_back_until_the_store_has_taken_what_waits(world, door, tmp_path, monkeypatch):
    monkeypatch.setenv("GLAD_SPOOL_MB", "1")
    hills(world, 24)
    held_back = []

    def back():
        held_back.append(len(drawn))
        door.open()

    def away():
        door.shut()
        threading.Timer(2, back).start()

    actions[1] = away
    result = world.run(sdxl=Watched(side=300))  # 0.27 MB each
    assert held_back[0] <= 3 + 2 * BATCH  # of 24, in two seconds
    assert len(drawn) == len(set(drawn)) == len(world.objects()) / 2 == 24  # each with its thumbnail
    assert set(world.statuses()) == {"published"}
    (told,) = [text for text in warnings(world, result) if "drawing waits for the store" in text]
    assert "1.0 MB are the most" in told


def test_a_full_disk_is_told_and_pictures_go_straight_to_the_store(world, tmp_path, monkeypatch):
    def full(descriptor, parts):
        raise OSError(errno.ENOSPC, "No space left on device")

    hills(world, 6)
    monkeypatch.setattr(spool_room.os, "writev", full)
    result = world.run(sdxl=Watched())
    assert set(world.statuses()) == {"published"}
    (told,) = [text for text in warnings(world, result) if "drawing waits for the store" in text]
    assert "No space left on device" in told
    assert spooled(tmp_path) == []


def test_damaged_files_are_put_aside_and_only_their_pictures_are_drawn_again(world, door, tmp_path, monkeypatch):
    leave_in_spool(world, door, 6, monkeypatch)
    torn, flipped, renamed, *_ = sorted(spooled(tmp_path))
    torn.write_bytes(torn.read_bytes()[:-1])
    data = bytearray(flipped.read_bytes())
    data[-100] ^= 1
    flipped.write_bytes(data)
    renamed.rename(renamed.with_name("0" * 32))
    door.open()
    drawn.clear()
    result = world.run(sdxl=Watched())
    assert len(drawn) == 3
    assert {file.name for file in tmp_path.glob("spool/*/quarantine/*")} == {torn.name, flipped.name, "0" * 32}
    assert sum("is damaged" in text for text in warnings(world, result)) == 3
    assert set(world.statuses()) == {"published"}
    assert len(world.objects()) == 6


def test_a_blank_picture_that_a_killed_run_left_does_not_pass_the_gate_either(world, tmp_path):
    blank = world.add("BLANK")
    sdxl = InstantSdxl()
    recipe = sdxl.recipe(prompt_of(world.prompts()[blank]))
    log = dg.get_dagster_logger()
    endpoint = world.store.endpoint_url.removeprefix("http://").replace(":", "_")
    spool = Spool(tmp_path / "spool" / f"{world.store.bucket}@{endpoint}", limit=10**6)
    with Delivery(world.store, spool, run_id="killed", log=log) as delivery:
        list(delivery.written_ahead(sdxl.generate([recipe])))
    assert len(spooled(tmp_path)) == 1
    world.run(sdxl=Watched())
    assert (drawn, world.objects(), spooled(tmp_path)) == ([], [], [])
    assert world.prompts()[blank]["status"] == "rejected"
    assert "blank" in world.prompts()[blank]["last_error"]


RUN = """
import os, signal, sys, threading
import dagster as dg
from glad_pipeline import failpoints
from glad_pipeline.definitions import build_defs
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.testing import InstantSdxl

S3Store.put_once = lambda *args, **kwargs: threading.Event().wait()

class Noting(InstantSdxl):
    def generate(self, recipes, *, on_batch_start):
        for picture in super().generate(recipes, on_batch_start=on_batch_start):
            with open(sys.argv[1], "a") as file:
                file.write(picture.recipe.prompt + chr(10))
            yield picture

times = 0
def kill(point):
    global times
    times += point == "spool.before"
    if times == 30:
        os.kill(os.getpid(), signal.SIGKILL)
failpoints.arm(kill)
job = build_defs(resource_overrides={"sdxl": Noting()}).resolve_job_def("publish_prompts")
job.execute_in_process(instance=dg.DagsterInstance.ephemeral())
"""


def test_a_run_killed_at_the_worst_moment_loses_one_bucket_at_most(world, door, tmp_path):
    """The store swallows every upload, and the process dies while it writes its thirtieth picture."""
    world.run(sdxl=Watched())  # the first run has the bucket say whose it is
    hills(world, 60)
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(tmp_path / "drawn")], env=os.environ.copy(), stderr=subprocess.DEVNULL
    )
    assert process.wait(60) == -9
    first = Path(tmp_path / "drawn").read_text().splitlines()
    assert 29 <= len(first) <= 29 + BATCH
    assert world.objects() == []
    result = world.run(sdxl=Watched())
    assert set(world.statuses()) == {"published"}
    assert len(first) + len(drawn) - 60 <= BATCH
    assert metadata(result, "generated_images")["delivered_from_spool"] >= 29 - BATCH
    assert len(world.objects()) == len(world.posts()) == 60


def test_two_runs_on_one_spool_deliver_everything_once(world, door, tmp_path, monkeypatch):
    leave_in_spool(world, door, 20, monkeypatch)
    door.open()
    results = []

    def work():
        defs = build_defs(resource_overrides={"sdxl": Watched()})
        with dg.DagsterInstance.ephemeral() as instance:
            results.append(defs.resolve_job_def("publish_prompts").execute_in_process(instance=instance))

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(result.success for result in results)
    assert len(drawn) == len(world.objects()) == len(world.posts()) == 20
    assert spooled(tmp_path) == []


def test_a_stream_that_nobody_reads_on_ends_although_nothing_can_be_put_anywhere(world, door, tmp_path):
    door.shut()
    sdxl = InstantSdxl()
    hills(world, 3 * BATCH)
    recipes = [sdxl.recipe(prompt_of(row)) for row in world.prompts().values()]
    nowhere = Spool(tmp_path / "none", limit=0)

    def interrupted():
        with Delivery(world.store, nowhere, run_id="r", log=dg.get_dagster_logger()) as delivery:
            drawing = sdxl.generate(recipes, on_batch_start=lambda bucket: delivery.before_drawing(lambda: None))
            stream = prefetch(delivery.written_ahead(drawing), 99, closing=delivery.drawing_is_over)
            delivery.send(next(stream))
            stream.close()  # the drawing thread waits for the store here
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("glad-")]


def test_a_run_that_fails_while_the_store_is_away_does_not_try_every_waiting_picture_first(
    world, door, tmp_path, monkeypatch
):
    """Each of them would be tried for up to a minute before the run ends."""
    hills(world, 40)
    sdxl, put, tries = InstantSdxl(), S3Store.put_once, []
    monkeypatch.setattr(S3Store, "put_once", lambda *args, **kwargs: tries.append(1) or put(*args, **kwargs))
    recipes = [sdxl.recipe(prompt_of(row)) for row in world.prompts().values()]
    store, spool = replace(world.store, patience=60), Spool(tmp_path / "spool" / "bucket", limit=10**6)
    door.shut()

    def failing():
        with Delivery(store, spool, run_id="r", log=dg.get_dagster_logger()) as delivery:
            for picture in delivery.written_ahead(sdxl.generate(recipes)):
                delivery.send(picture)
            raise GladError("the database is away")

    with pytest.raises(GladError, match="the database is away"):
        failing()
    assert len(tries) <= 2 * UPLOADERS
    assert len(spooled(tmp_path)) == 40


def test_a_damaged_file_that_cannot_be_put_aside_is_told_and_its_picture_is_drawn_again(
    world, door, tmp_path, monkeypatch
):
    leave_in_spool(world, door, 2, monkeypatch)
    damaged = spooled(tmp_path)[0]
    damaged.write_bytes(b"nothing of ours")
    (damaged.parent / "quarantine").write_bytes(b"no folder")
    door.open()
    drawn.clear()
    result = world.run(sdxl=Watched())
    assert len(drawn) == 1
    (told,) = [text for text in warnings(world, result) if "is damaged" in text]
    assert "cannot be put aside" in told
    assert set(world.statuses()) == {"published"}


def test_a_picture_that_cannot_be_delivered_does_not_stop_every_run_to_come(world, door, tmp_path, monkeypatch):
    leave_in_spool(world, door, 2, monkeypatch)
    (name, _) = [path.name for path in spooled(tmp_path)]
    door.open()
    drawn.clear()
    real = delivery.upload

    def upload(store, run_id, picture, **told):
        if picture.recipe.hash.startswith(name) and not drawn:
            raise ZeroDivisionError("a fault of ours")
        return real(store, run_id, picture, **told)

    monkeypatch.setattr(delivery, "upload", upload)
    result = world.run(sdxl=Watched())
    assert len(drawn) == 1
    (told,) = [text for text in warnings(world, result) if "cannot be delivered" in text]
    assert "quarantine" in told
    assert set(world.statuses()) == {"published"}


def test_a_store_that_goes_away_when_all_is_drawn_costs_no_attempt(world, monkeypatch):
    def away(*args):
        raise StoreError("the store is away", transient=True)

    monkeypatch.setenv("GLAD_MAX_ATTEMPTS", "1")
    hills(world, 3)
    with monkeypatch.context() as short:
        short.setattr(S3Store, "start", away)
        result = world.run(expect_success=False)
    assert "the store is away" in failures(result)
    assert {(row["status"], row["attempts"]) for row in world.prompts().values()} == {("pending", 0)}
    world.run(sdxl=Watched())
    assert (drawn, set(world.statuses())) == ([], {"published"})


@pytest.mark.parametrize("keeps_checksum", [True, False])
def test_an_object_found_in_the_store_is_catalogued_only_if_its_bytes_are_what_it_says(world, keeps_checksum):
    prompt = world.add("a hill", seed=5)
    world.run()
    key = original_key(InstantSdxl().recipe(prompt_of(world.prompts()[prompt])).hash)
    stored, body = world.store.head(key), bytearray(world.store.fetch(key))
    body[-20] ^= 1
    checksum = {"ChecksumAlgorithm": "SHA256"} if keeps_checksum else {}
    world.store.client.put_object(
        Bucket=world.store.bucket,
        Key=key,
        Body=bytes(body),
        ContentType="image/png",
        Metadata=dict(stored.metadata),
        **checksum,
    )
    head = world.store.client.head_object(Bucket=world.store.bucket, Key=key, ChecksumMode="ENABLED")
    assert ("ChecksumSHA256" in head) is keeps_checksum
    world.run(config={"prompt_ids": [prompt]})
    row = world.prompts()[prompt]
    assert row["status"] == "pending"
    assert f"the object {key} is damaged" in row["last_error"]
    world.store.client.delete_object(Bucket=world.store.bucket, Key=key)
    world.run()
    assert world.statuses() == ["published"]


def test_what_the_store_calls_taken_has_to_be_seen_there(world, monkeypatch):
    put, answers = S3Store.put_once, [False, False]
    monkeypatch.setattr(S3Store, "put_once", lambda *args, **kwargs: answers.pop() if answers else put(*args, **kwargs))
    given = {"content_type": "image/png", "metadata": {"recipe-hash": "a"}}
    assert _stored(world.store, "generated/a", b"a", **given) is True  # at the third try: nothing was there
    assert _stored(world.store, "generated/a", b"a", **given) is False
    with pytest.raises(NotOursError, match="not written by this pipeline"):
        _stored(world.store, "generated/a", b"a", content_type="image/png", metadata={"recipe-hash": "b"})
    monkeypatch.setattr(S3Store, "put_once", lambda *args, **kwargs: False)
    monkeypatch.setattr("glad_pipeline.pipeline.upload.LOOKS", 2)
    with pytest.raises(StoreError, match="does not have it"):
        _stored(world.store, "generated/none", b"a", **given)
