"""A run claims while it draws: what is urgent overtakes, what is too much or paused goes back, pixels stay the same."""

import shutil
import threading
import time
from datetime import timedelta
from itertools import islice
from typing import ClassVar

import numpy as np
import pytest

from glad_pipeline.database import Database, DatabaseError
from glad_pipeline.defs.resources import QueueResource, SdxlResource
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UnavailableError
from glad_pipeline.generation.batches import backlog_of
from glad_pipeline.generation.engine import Drawn, Engine
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.limits import PRIORITY
from glad_pipeline.media.encoding import decode_png
from glad_pipeline.pipeline.backlog import UrgentFirst
from glad_pipeline.pipeline.delivery import Delivery
from glad_pipeline.pipeline.draw import Drawing
from glad_pipeline.prompts.queue import Claim, NothingLeft
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.integration.test_graph import World, failures, metadata

BATCH = 4
WINDOW = 64


BATCHES: list[list[str]] = []  # the prompts of each batch that was begun


def MEANWHILE(batch):
    """When that batch has begun."""


BACKLOGS: list[UrgentFirst] = []  # that were drawn from


class Watching:
    """Notes each batch, and does what a test wants done meanwhile."""

    def generate(self, recipes, *, on_batch_start=lambda recipes: None):
        BACKLOGS.append(recipes)

        def begin(batch):
            on_batch_start(batch)
            BATCHES.append([recipe.prompt for recipe in batch])
            MEANWHILE(len(BATCHES))

        yield from super().generate(recipes, on_batch_start=begin)


class Watched(Watching, InstantSdxl):
    seconds_each: float = 0.02


class WatchedDemo(Watching, SdxlResource):
    """The demo model itself."""


class Noise:
    """An engine that draws noise, and notes each loading of a model."""

    loaded: ClassVar[list[str]] = []

    def __init__(self, profile, options):
        self.profile, self.load_seconds, self.warm_seconds = profile, 0.0, 0.0

    def load(self):
        self.loaded.append(self.profile.name)

    def close(self):
        pass

    def generate(self, recipes, *, on_batch_start):
        backlog = backlog_of(recipes)
        while batch := backlog.take(lambda recipe: BATCH):
            on_batch_start(batch)
            for recipe in batch:
                pixels = np.random.default_rng(recipe.seed).integers(0, 256, (18, 18, 3), dtype=np.uint8)
                yield Drawn(recipe=recipe, pixels=pixels, provenance={})


@pytest.fixture
def world(migrated_url, s3, monkeypatch):
    for name, value in {"DATABASE_URL": migrated_url, **s3}.items():
        monkeypatch.setenv(name, value)
    world = World(migrated_url)
    yield world
    world.connection.close()


@pytest.fixture
def watch(monkeypatch):
    """Have something done when a batch has begun; returns what is drawn, batch by batch."""
    BATCHES.clear()

    def meanwhile(done):
        monkeypatch.setattr(f"{__name__}.MEANWHILE", done)
        return BATCHES

    return meanwhile


def place_of(prompt):
    return next(place for place, batch in enumerate(BATCHES) if prompt in batch)


def bulk(world, count, **columns):
    names = "".join(f", {name}" for name in columns)
    values = "".join(", %s" for _ in columns)
    statement = f"INSERT INTO prompts (prompt{names}) SELECT 'hill ' || n{values} FROM generate_series(1, %s) n"
    world.sql(statement, *columns.values(), count)


def counts(world):
    found = world.sql("SELECT status, attempts, count(*) FROM prompts GROUP BY 1, 2 ORDER BY 1, 2")
    return {(row["status"], row["attempts"]): row["count"] for row in found}


def test_an_urgent_row_that_comes_while_a_run_draws_is_drawn_next(world, watch):
    bulk(world, 40)

    def meanwhile(batch):
        if batch == 5:
            world.add("urgent", priority=1)
            time.sleep(1)  # that of a slow batch: the feeder looks four times a second

    watch(meanwhile)
    world.run(sdxl=Watched())
    assert place_of("urgent") == 5
    assert all(len(batch) == BATCH for batch in BATCHES[:-1])
    assert counts(world) == {("published", 1): 41}


def test_an_urgent_row_that_came_since_the_last_look_is_in_a_batch_that_asks_for_it(world, watch, monkeypatch):
    monkeypatch.setattr("glad_pipeline.pipeline.feed.POLL", 60.0)
    bulk(world, 70)

    def meanwhile(batch):
        if batch == 4:  # a window of 64 is in hand, and more than half of it: nothing more is claimed for itself
            time.sleep(1)
            world.add("urgent", priority=1)
            BACKLOGS[-1].refresh(30)

    watch(meanwhile)
    world.run(sdxl=Watched())
    assert place_of("urgent") == 4
    assert counts(world) == {("published", 1): 71}


def test_one_run_takes_all_that_comes_until_its_batch_size_is_reached(world, watch):
    bulk(world, 10)

    def meanwhile(batch):
        if batch <= 12:
            bulk(world, 4, negative_prompt=f"of batch {batch}")
            time.sleep(0.3)

    watch(meanwhile)
    result = world.run(sdxl=Watched(), config={"batch_size": 40})
    found = counts(world)
    assert found.pop(("published", 1)) == 40
    assert set(found) == {("pending", 0)}
    assert metadata(result, "generated_images")["drawn"] == 40


def test_an_urgent_row_takes_the_place_of_another_in_a_run_that_has_its_number(world, watch):
    bulk(world, 40)

    def meanwhile(batch):
        if batch == 3:
            world.add("urgent", priority=1)
            time.sleep(1)

    watch(meanwhile)
    world.run(sdxl=Watched(), config={"batch_size": 24})
    assert place_of("urgent") == 3
    assert counts(world) == {("pending", 0): 17, ("published", 1): 24}


def test_named_prompts_are_drawn_and_no_others(world, watch):
    bulk(world, 20)
    watch(lambda batch: bulk(world, 20, priority=9) if batch == 1 else None)
    world.run(sdxl=Watched(), config={"prompt_ids": [3, 4, 5, 6, 7, 8]})
    assert counts(world) == {("pending", 0): 34, ("published", 1): 6}


def test_after_its_time_a_run_begins_no_further_batch_and_gives_the_rest_back(world, watch, monkeypatch):
    monkeypatch.setenv("GLAD_RUN_SECONDS", "1")
    bulk(world, 40)
    watch(lambda batch: time.sleep(0.4))
    began = time.monotonic()
    world.run(sdxl=Watched())
    assert time.monotonic() - began < 30
    assert 3 <= len(BATCHES) <= 5
    drawn = BATCH * len(BATCHES)
    assert counts(world) == {("pending", 0): 40 - drawn, ("published", 1): drawn}


def test_a_clock_that_jumps_does_not_end_a_run(world, watch, monkeypatch):
    bulk(world, 16)
    really = time.time
    watch(lambda batch: monkeypatch.setattr(time, "time", lambda: really() + 86_400 * (-1) ** batch))
    world.run(sdxl=Watched())
    assert counts(world) == {("published", 1): 16}


def test_priorities_at_both_ends_are_drawn_in_order(world, watch):
    for prompt, priority in [("none", 0), ("least", PRIORITY.low), ("most", PRIORITY.high), ("less", -1), ("more", 1)]:
        for n in range(BATCH):
            world.add(f"{prompt} {n}", priority=priority)
    late = [("latest", PRIORITY.high)]

    def meanwhile(batch):
        if late:
            prompt, priority = late.pop()
            world.add(prompt, priority=priority)
            time.sleep(1)

    watch(meanwhile)
    world.run(sdxl=Watched())
    order = [prompt for batch in BATCHES for prompt in batch]
    leads = [batch[0].split()[0] for batch in BATCHES]
    assert leads == ["most", "latest", "more", "none", "less", "least"]
    assert len(order) == 21


def test_a_flood_of_urgent_rows_keeps_what_is_in_hand_bounded(world, watch):
    bulk(world, 100)
    most = []

    def meanwhile(batch):
        if batch == 2:
            bulk(world, 5_000, priority=5, negative_prompt="flood")
        if batch <= 10:
            for n in range(30):  # and ever more urgent ones
                world.add(f"more {batch} {n}", priority=10 + batch)
            time.sleep(0.4)
        most.append(world.sql("SELECT count(*) FROM prompts WHERE status = 'claimed'")[0]["count"])

    watch(meanwhile)
    world.run(sdxl=Watched(), config={"batch_size": 160})
    assert max(most) <= 4 * WINDOW  # two windows wait, and what is drawn is not published yet
    assert counts(world)[("published", 1)] == 160
    assert set(counts(world)) == {("published", 1), ("pending", 0)}
    assert not any(prompt.startswith("hill") for batch in BATCHES[4:] for prompt in batch)


@pytest.mark.parametrize("source", ["*", "bulk"])
def test_a_pause_ends_at_the_batch_in_hand_and_costs_no_try(world, watch, source):
    bulk(world, 100, source="bulk")
    world.add("editor's", source="editor", priority=-1)

    def meanwhile(batch):
        if batch == 3:
            world.sql(
                "INSERT INTO prompt_sources (source, paused_since, pause_reason) VALUES (%s, now(), 'the power is cut') "
                "ON CONFLICT (source) DO UPDATE SET paused_since = now(), pause_reason = 'the power is cut'",
                source,
            )
            time.sleep(1)

    watch(meanwhile)
    world.run(sdxl=Watched())
    of_editor = source == "bulk"  # the others go on
    assert len(BATCHES) == 3 + of_editor
    assert counts(world) == {("pending", 0): 89 - of_editor, ("published", 1): 12 + of_editor}


def test_a_prompt_whose_picture_is_being_drawn_already_gets_that_one(world, watch):
    first = world.add("the same", seed=7, title="First")
    bulk(world, 40)
    told = []

    def meanwhile(batch):
        if batch in (1, 4):  # while it is drawn, and when it is stored
            told.append(world.add("the same", seed=7, title=f"Of batch {batch}", priority=3))
            time.sleep(1)

    watch(meanwhile)
    world.run(sdxl=Watched())
    assert sum(prompt == "the same" for batch in BATCHES for prompt in batch) == 1
    rows = world.prompts()
    assert {rows[i]["status"] for i in (first, *told)} == {"published"}
    assert len({rows[i]["image_id"] for i in (first, *told)}) == 1


def test_rows_that_come_later_and_cannot_be_drawn_are_rejected_with_the_reason(world, watch):
    bulk(world, 20)
    bad = []

    def meanwhile(batch):
        if batch == 2:
            bad.append(world.add("too large", width=4_096, height=2_048, priority=1))
            bad.append(world.add("whose post?", post_id="00000000-0000-0000-0000-000000000000", priority=1))
            time.sleep(1)

    watch(meanwhile)
    world.run(sdxl=Watched(), config={"batch_size": 200})
    rows = world.prompts()
    assert [rows[i]["status"] for i in bad] == ["rejected"] * 2
    assert "GLAD_MOST_PIXELS" in rows[bad[0]]["last_error"]
    assert "no post has the id" in rows[bad[1]]["last_error"]
    assert counts(world)[("published", 1)] == 20


def test_what_failed_in_a_run_and_what_was_edited_is_left_to_the_next(world, watch):
    poor, edited = world.add("UNDRAWABLE"), world.add("a hill, at first")
    bulk(world, 24)

    def meanwhile(batch):
        if batch == 1:
            world.sql("UPDATE prompts SET prompt = 'a hill, at last' WHERE id = %s", edited)
        time.sleep(0.2)  # the feeder looks four times a second

    watch(meanwhile)
    world.run(sdxl=Watched())
    rows = world.prompts()
    assert (rows[poor]["status"], rows[poor]["attempts"]) == ("pending", 1)
    assert rows[edited]["status"] == "pending"
    world.run(sdxl=Watched())
    assert world.prompts()[edited]["status"] == "published"
    assert sum("UNDRAWABLE" in batch for batch in BATCHES) == 2


def test_an_outage_that_the_feeder_meets_ends_the_run_and_costs_no_try(world, watch, monkeypatch):
    bulk(world, 100)
    asked = []

    def more(self, count, *, above=None):
        asked.append(count)
        if BATCHES:
            raise DatabaseError("the database has gone away")
        return []

    monkeypatch.setattr(Claim, "more", more)
    watch(lambda batch: time.sleep(0.2))
    result = world.run(sdxl=Watched(), expect_success=False)
    assert "the database has gone away" in failures(result)
    assert asked
    assert set(counts(world)) <= {("published", 1), ("pending", 0)}
    assert "glad-feeder" not in {thread.name for thread in threading.enumerate()}


def test_a_run_is_not_held_up_by_a_feeder_that_waits_for_the_database(world, watch, monkeypatch):
    bulk(world, 60)
    really = Claim.more

    def slow(self, count, *, above=None):
        time.sleep(1.5)
        return really(self, count, above=above)

    monkeypatch.setattr(Claim, "more", slow)
    times = []
    watch(lambda batch: times.append(time.monotonic()))
    world.run(sdxl=Watched())
    assert times[9] - times[0] < 1.5
    assert counts(world) == {("published", 1): 60}


def test_runs_of_two_models_in_turns_do_not_switch_at_each_batch_but_for_what_is_urgent(world, watch, tmp_path):
    other = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "other")
    for n in range(60):
        world.add(f"a hill {n}", **({"model": str(other)} if n % 2 else {}))

    def meanwhile(batch):
        if batch == 2:
            world.add("urgent", model=str(other), priority=1)
            time.sleep(1)

    watch(meanwhile)
    Noise.loaded.clear()
    sdxl = WatchedDemo(device="cpu", backend="process", allowed_models="/*", engine=f"{__name__}:Noise")
    world.run(sdxl=sdxl)
    assert counts(world) == {("published", 1): 61}
    assert place_of("urgent") == 2
    assert Noise.loaded == ["demo", "other", "demo"]


def test_an_urgent_row_that_joins_a_batch_changes_no_pixel(world, watch):
    for n in range(7):
        world.add(f"a hill {n}", seed=n)  # of two steps one picture in sixty is blank

    def meanwhile(batch):
        if batch == 1:
            world.add("a fox", priority=1, seed=7)
            time.sleep(1)

    watch(meanwhile)
    world.run(sdxl=WatchedDemo(device="cpu", backend="process", gpu_batch=3, steps=2, width=64, height=64))
    assert ["a fox", "a hill 3", "a hill 4"] in BATCHES
    plain = Engine(resolve_model(EngineOptions()), EngineOptions(device="cpu", gpu_batch=3), lanes=1)
    rows = world.sql("SELECT i.recipe, i.key FROM prompts p JOIN images i ON i.id = p.image_id")
    assert len(rows) == 8
    for row in rows:
        (alone,) = plain.generate([Recipe.from_dict(row["recipe"])])
        stored = world.store.client.get_object(Bucket=world.store.bucket, Key=row["key"])["Body"].read()
        assert np.array_equal(decode_png(stored), alone.pixels)


def test_a_store_that_is_unreachable_keeps_no_urgent_row_waiting(world, watch, monkeypatch):
    monkeypatch.setenv("GLAD_STORE_PATIENCE_SECONDS", "600")
    bulk(world, 40)
    down, really = threading.Event(), S3Store.heads

    def heads(self, keys):
        failing = time.monotonic()
        while down.is_set():
            self.outage.wait(StoreError("nobody answers", transient=True), failing)
        return really(self, keys)

    def meanwhile(batch):
        if batch == 2:
            down.set()
            world.add("urgent", priority=1)
            time.sleep(1)
        if batch == 8:
            down.clear()

    monkeypatch.setattr(S3Store, "heads", heads)
    watch(meanwhile)
    world.run(sdxl=Watched())
    assert place_of("urgent") == 2
    assert counts(world) == {("published", 1): 41}


def test_a_run_that_fails_does_not_wait_for_a_feeder_that_hangs(world, watch, monkeypatch):
    monkeypatch.setattr("glad_pipeline.pipeline.feed.LAST_ANSWER", 1.0)
    bulk(world, 8)
    answers = threading.Event()

    def more(self, count, *, above=None):
        answers.wait(20)
        return []

    def send(self, drawn):
        time.sleep(0.5)  # the engine has nothing to draw by now
        raise GladError("its picture cannot be sent")

    monkeypatch.setattr(Claim, "more", more)
    monkeypatch.setattr(Delivery, "send", send)
    began = time.monotonic()
    result = world.run(sdxl=Watched(), expect_success=False)
    seconds = time.monotonic() - began
    answers.set()
    assert "its picture cannot be sent" in failures(result)
    assert seconds < 15


def test_a_batch_whose_prompts_were_all_cancelled_does_not_end_a_run_that_has_more(world, watch, monkeypatch):
    bulk(world, 60)
    really, calls = Claim.begin_drawing, []

    def begin_drawing(self, ids):
        calls.append(ids)
        if len(calls) == 3:  # more was claimed just after it was looked whether anything is left
            raise NothingLeft("nothing is left to draw")
        really(self, ids)

    monkeypatch.setattr(Claim, "begin_drawing", begin_drawing)
    world.run(sdxl=Watched())
    assert sum(counts(world).values()) == 60
    assert {status for status, _ in counts(world)} == {"published"}


class Stopping(Watched):
    """Ends after three batches, as one does whose device has failed."""

    def generate(self, recipes, *, on_batch_start=lambda recipes: None):
        drawn = super().generate(recipes, on_batch_start=on_batch_start)
        yield from islice(drawn, 3 * BATCH)


def test_what_was_not_begun_when_drawing_ends_is_free_before_the_uploads_end(world, monkeypatch):
    bulk(world, 100)
    really, found = Delivery.rest, []

    def rest(self):
        found.append(world.sql("SELECT count(*) FROM prompts WHERE status = 'claimed' AND attempts = 0")[0]["count"])
        found.append(len(freed))
        yield from really(self)

    freed, free_slot = [], QueueResource.free_slot
    monkeypatch.setattr(Delivery, "rest", rest)
    monkeypatch.setattr(QueueResource, "free_slot", lambda self: (freed.append(self), free_slot(self)))
    result = world.run(sdxl=Stopping())
    assert found[0] == 0
    assert found[1] >= 1
    assert counts(world) == {("pending", 0): 88, ("published", 1): 12}
    assert metadata(result, "generated_images")["drawn"] == 12


def test_how_many_are_to_be_drawn_leaves_out_what_went_back(world, watch, monkeypatch):
    bulk(world, 100)
    reports, really = [], Drawing.begin

    def begin(self, prompts):
        stream = really(self, prompts)
        reports.append(stream.report)
        return stream

    monkeypatch.setattr(Drawing, "begin", begin)
    watch(lambda batch: pause_all(world) if batch == 3 else None)
    world.run(sdxl=Watched())
    assert (reports[0].prompts, reports[0].to_draw) == (12, 12)


def pause_all(world):
    world.sql("UPDATE prompt_sources SET paused_since = now(), pause_reason = 'a pause' WHERE source = '*'")
    time.sleep(1)


def test_of_many_paused_sources_each_prompt_has_its_own_reason_and_what_others_want_too_is_drawn(world, watch):
    for n in range(5):
        world.sql("INSERT INTO prompts (prompt, source) SELECT 'hill ' || n, %s FROM generate_series(1, 12) n", f"s{n}")
    shared = [world.add("shared", seed=1, source=source) for source in ("s0", "s1")]
    wanted = [world.add("wanted", seed=2, source=source) for source in ("s0", "editor")]

    def meanwhile(batch):
        if batch == 2:
            world.sql(
                "INSERT INTO prompt_sources (source, paused_since, pause_reason) "
                "SELECT 's' || n, now(), 'reason ' || n FROM generate_series(0, 4) n"
            )
            time.sleep(1)

    watch(meanwhile)
    world.run(sdxl=Watched(), config={"batch_size": 70})
    rows = world.prompts()
    paused = [row for row in rows.values() if row["status"] == "pending" and row["last_error"]]
    assert len(paused) > 40
    assert all(f"reason {row['source'][1:]}" in row["last_error"] for row in paused)
    assert {rows[i]["status"] for i in shared} == {"pending"}
    assert {rows[i]["status"] for i in wanted} == {"published"}


def test_a_claim_that_has_ended_claims_nothing(world, migrated_url):
    bulk(world, 10)
    claim = Claim(Database(migrated_url), worker="a run", lease=timedelta(minutes=1), max_attempts=3).open()
    claim.close()
    with pytest.raises(UnavailableError, match="has ended"):
        claim.more(5)
    assert counts(world) == {("pending", 0): 10}
