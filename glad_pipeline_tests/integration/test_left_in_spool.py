"""A run is killed while another is up, which claims its prompts: what it had drawn is delivered, and not drawn again."""

import threading
import time
from datetime import timedelta

import dagster as dg
import pytest

from glad_pipeline.database import Database
from glad_pipeline.media import gates
from glad_pipeline.pipeline import delivery
from glad_pipeline.pipeline.delivery import Delivery
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.memory import Memory
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.storage.spool import Spool, spool_of
from glad_pipeline.testing.generator import BATCH, InstantSdxl
from glad_pipeline_tests.door import Door
from glad_pipeline_tests.integration.test_graph import World, failures, metadata
from glad_pipeline_tests.rows import prompt_of

drawn: list[str] = []  # prompts of the batches that were begun
meanwhile: list = []  # what is done when the first batch has begun, the second, …


class Watched(InstantSdxl):
    def generate(self, recipes, *, on_batch_start=lambda recipes: None):
        def begin(batch):
            on_batch_start(batch)
            drawn.extend(recipe.prompt for recipe in batch)
            if meanwhile:
                meanwhile.pop(0)()

        yield from super().generate(recipes, on_batch_start=begin)


@pytest.fixture
def door(s3):
    door = Door(s3["AWS_ENDPOINT_URL_S3"])
    yield door
    door.shut()


@pytest.fixture
def world(migrated_url, s3, door, tmp_path, monkeypatch):
    drawn.clear()
    meanwhile.clear()
    settings = {"AWS_ENDPOINT_URL_S3": door.url, "GLAD_HOME": str(tmp_path), "GLAD_STORE_PATIENCE_SECONDS": "20"}
    for name, value in {"DATABASE_URL": migrated_url, **s3, **settings}.items():
        monkeypatch.setenv(name, value)
    world = World(migrated_url)
    yield world
    door.open()
    world.connection.close()


@pytest.fixture
def spool(world, tmp_path):
    return spool_of(tmp_path / "spool", world.store, megabytes=10)


class Killed:
    """A run that holds these prompts, and is killed when their pictures are in the spool."""

    def __init__(self, world: World, url: str, spool: Spool, *prompts: str) -> None:
        self.world, self.spool = world, spool
        self.ids = [world.add(prompt, title=prompt) for prompt in prompts]
        self._claim = Claim(Database(url), worker="killed", lease=timedelta(minutes=1), max_attempts=3).open()
        self._claim.take(len(prompts))

    def dies(self) -> None:
        """The prompts are free, and the run that is up has claimed them when this returns."""
        sdxl = InstantSdxl()
        recipes = [sdxl.recipe(prompt_of(row)) for row in self.rows]
        with Memory("none") as memory:
            log = dg.get_dagster_logger()
            with Delivery(memory.store("none"), self.spool, run_id="killed", log=log) as writing:
                self._claim.begin_drawing(self.ids)
                list(writing.written_ahead(sdxl.generate(recipes)))
        assert len(self.spool.waiting()) == len(recipes)
        self.damage()
        self._claim.close()
        until(lambda: not any(row["status"] == "pending" for row in self.rows))

    def damage(self) -> None:
        """What becomes of its files."""

    @property
    def rows(self):
        return self.world.sql("SELECT * FROM prompts WHERE id = ANY(%s) ORDER BY id", self.ids)

    @property
    def statuses(self):
        return {row["prompt"]: row["status"] for row in self.rows}


@pytest.fixture
def killed(world, migrated_url, spool):
    def held(*prompts):
        killed = Killed(world, migrated_url, spool, *prompts)
        for n in range(2 * BATCH):
            world.add(f"a hill {n}", title=f"Hill {n}")
        return killed

    return held


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def hills():
    return [f"a hill {n}" for n in range(2 * BATCH)]


LAKES = [f"a lake {n}" for n in range(6)]


def test_what_it_had_drawn_is_published_while_the_run_that_claims_it_draws_on(world, spool, killed):
    lakes = killed(*LAKES)
    meanwhile.extend([lakes.dies, lambda: until(lambda: set(lakes.statuses.values()) == {"published"})])
    result = world.run(sdxl=Watched())
    assert sorted(drawn) == hills()
    assert world.statuses() == ["published"] * (len(LAKES) + len(hills()))
    assert {row["attempts"] for row in lakes.rows} == {1}
    assert len(world.objects()) == len(world.posts()) == len(LAKES) + len(hills())
    told = metadata(result, "generated_images")
    assert (told["drawn"], told["already_stored"], told["delivered_from_spool"]) == (8, 6, 6)
    assert {world.store.head(key).metadata["run-id"] for key in world.objects()} == {"killed", result.run_id}
    assert spool.waiting() == []


def test_when_that_is_all_that_is_left_the_run_ends_when_it_is_stored(world, spool, killed):
    lakes = killed(*LAKES)
    meanwhile.extend([lambda: None, lakes.dies])  # in the last batch
    result = world.run(sdxl=Watched())
    assert sorted(drawn) == hills()
    assert metadata(result, "generated_images")["delivered_from_spool"] == len(LAKES)
    assert set(world.statuses()) == {"published"}
    assert spool.waiting() == []


def test_without_the_steps_that_publish_they_are_delivered_all_the_same(world, spool, killed):
    lakes = killed(*LAKES)
    meanwhile.append(lakes.dies)
    world.run("prompts", "generated_images", sdxl=Watched())
    assert sorted(drawn) == hills()
    assert (len(world.objects()), spool.waiting()) == (len(LAKES) + len(hills()), [])


def test_a_picture_that_the_gate_refuses_rejects_its_prompt_undrawn(world, spool, killed):
    lakes = killed(*LAKES, "BLANK")
    meanwhile.append(lakes.dies)
    world.run(sdxl=Watched())
    assert sorted(drawn) == hills()
    assert lakes.statuses == dict.fromkeys(LAKES, "published") | {"BLANK": "rejected"}
    assert "blank" in lakes.rows[-1]["last_error"]
    assert len(world.objects()) == len(LAKES) + len(hills())
    assert spool.waiting() == []


def test_a_damaged_file_is_put_aside_and_only_its_picture_is_drawn(world, spool, killed):
    lakes = killed(*LAKES)

    def flip():
        file = spool.folder / spool.waiting()[0]
        data = bytearray(file.read_bytes())
        data[-100] ^= 1
        file.write_bytes(data)

    lakes.damage = flip
    meanwhile.append(lakes.dies)
    world.run(sdxl=Watched())
    assert len(drawn) == len(set(drawn)) == len(hills()) + 1
    assert set(world.statuses()) == {"published"}
    assert len(list(spool.folder.glob("quarantine/*"))) == 1
    assert spool.waiting() == []


def test_a_store_that_is_away_meanwhile_keeps_no_urgent_row_waiting(world, door, spool, killed):
    lakes = killed(*LAKES)

    def away():
        door.shut()
        lakes.dies()
        world.add("urgent", title="Urgent", priority=1)
        time.sleep(1)  # the feeder sees it, and does not wait for the store

    meanwhile.extend([away, lambda: threading.Timer(1, door.open).start()])
    world.run(sdxl=Watched())
    assert "urgent" in drawn[BATCH : 2 * BATCH]
    assert sorted(drawn) == [*hills(), "urgent"]
    assert set(world.statuses()) == {"published"}
    assert {row["attempts"] for row in lakes.rows} == {1}
    assert spool.waiting() == []


def test_a_store_that_stays_away_costs_no_attempt_and_the_next_run_delivers_them(
    world, door, spool, killed, monkeypatch
):
    lakes = killed(*LAKES)
    meanwhile.extend([lambda: (door.shut(), lakes.dies())])
    with monkeypatch.context() as short:
        short.setenv("GLAD_STORE_PATIENCE_SECONDS", "1")
        result = world.run(sdxl=Watched(), expect_success=False)
    assert "the store has not answered for" in failures(result)
    assert {(row["status"], row["attempts"]) for row in lakes.rows} == {("pending", 1)}
    door.open()
    world.run(sdxl=Watched())
    assert sorted(drawn) == hills()
    assert set(world.statuses()) == {"published"}
    assert spool.waiting() == []


def test_what_was_taken_down_meanwhile_is_not_delivered(world, spool, killed, monkeypatch):
    put_once, put = S3Store.put_once, []
    monkeypatch.setattr(S3Store, "put_once", lambda *args, **kwargs: put.append(args[1]) or put_once(*args, **kwargs))
    lakes = killed(*LAKES)
    barred = InstantSdxl().recipe(prompt_of(lakes.rows[0]))
    lakes.damage = lambda: world.sql(
        "INSERT INTO barred_recipes (recipe_hash, reason) VALUES (%s, 'a person asked for it')", barred.hash
    )
    meanwhile.append(lakes.dies)
    world.run(sdxl=Watched())
    assert sorted(drawn) == hills()
    assert lakes.statuses == dict.fromkeys(LAKES, "published") | {LAKES[0]: "rejected"}
    assert len([key for key in put if key.startswith("generated/")]) == len(LAKES) - 1 + len(hills())
    assert original_key(barred.hash) not in put


def test_one_that_another_run_delivers_first_is_published_before_the_run_ends(world, spool, killed, monkeypatch):
    """A run that begins at that moment delivers all that lies in the spool."""
    lakes = killed(*LAKES)
    really = Delivery.send_left

    def another_is_faster(self, recipe, refused):
        with Delivery(world.store, spool, run_id="another", log=dg.get_dagster_logger()) as other:
            other.leftovers(gates.problem_of)
        really(self, recipe, refused)

    monkeypatch.setattr(Delivery, "send_left", another_is_faster)
    meanwhile.extend([lakes.dies, lambda: until(lambda: set(lakes.statuses.values()) == {"published"})])
    world.run(sdxl=Watched())
    assert sorted(drawn) == hills()
    assert set(world.statuses()) == {"published"}


@pytest.fixture
def poor(killed, monkeypatch):
    """A killed run, and the recipe of its first picture, which cannot be stored as that run has left it."""
    lakes = killed(*LAKES)
    poor, really = InstantSdxl().recipe(prompt_of(lakes.rows[0])), delivery.upload

    def upload(store, run_id, picture, **told):
        if picture.recipe == poor and run_id == "killed":
            raise ZeroDivisionError("a fault of ours")
        return really(store, run_id, picture, **told)

    monkeypatch.setattr(delivery, "upload", upload)
    return lakes, poor


def back_and_claimed(lakes):
    """Until the run that is up has given its prompt back, and has claimed it again."""
    until(lambda: "cannot be stored" in (lakes.rows[0]["last_error"] or "") and lakes.rows[0]["status"] == "claimed")


def test_one_that_cannot_be_delivered_is_put_aside_and_drawn_by_the_same_run(world, spool, poor):
    lakes, recipe = poor
    meanwhile.extend([lakes.dies, lambda: back_and_claimed(lakes)])
    result = world.run(sdxl=Watched())
    assert sorted(drawn) == sorted([*hills(), LAKES[0]])
    assert set(world.statuses()) == {"published"}
    assert [row["attempts"] for row in lakes.rows] == [2, 1, 1, 1, 1, 1]  # a try for each drawing
    assert [file.name for file in spool.folder.glob("quarantine/*")] == [delivery.name_of(recipe)]
    told = metadata(result, "generated_images")
    assert (told["drawn"], told["already_stored"], told["delivered_from_spool"]) == (9, 5, 5)


def test_one_that_can_neither_be_delivered_nor_put_aside_is_drawn_once(world, spool, poor, monkeypatch):
    def quarantine(self, name):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Spool, "quarantine", quarantine)
    lakes, _ = poor
    meanwhile.extend([lakes.dies, lambda: back_and_claimed(lakes)])
    world.run(sdxl=Watched())
    assert sorted(drawn) == sorted([*hills(), LAKES[0]])
    assert set(world.statuses()) == {"published"}
    assert lakes.rows[0]["attempts"] == 2
    assert spool.waiting() == []


def test_one_that_cannot_be_delivered_when_drawing_ends_waits_without_a_try(world, spool, poor, monkeypatch):
    over, upload = threading.Event(), delivery.upload
    monkeypatch.setattr(delivery, "upload", lambda *args, **told: over.wait(20) and upload(*args, **told))

    class Ending(Watched):
        def generate(self, recipes, *, on_batch_start=lambda recipes: None):
            yield from super().generate(recipes, on_batch_start=on_batch_start)
            over.set()

    lakes, _ = poor
    meanwhile.append(lakes.dies)
    world.run(sdxl=Ending())
    assert (lakes.rows[0]["status"], lakes.rows[0]["attempts"]) == ("pending", 1)
    assert "its picture cannot be stored" in lakes.rows[0]["last_error"]
    world.run(sdxl=Watched())
    assert sorted(drawn) == sorted([*hills(), LAKES[0]])
    assert set(world.statuses()) == {"published"}
