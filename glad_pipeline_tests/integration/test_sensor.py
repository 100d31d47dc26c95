"""The sensor and the schedule on a real queue and a real Dagster instance."""

import json
import os
import threading
import time
from datetime import timedelta
from functools import partial

import dagster as dg
import psycopg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType

from glad_pipeline.database import Database, connect
from glad_pipeline.database.this_database import database_mark
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs import sensors
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.defs.runs import QUEUE_TAG
from glad_pipeline.defs.schedules import publish_prompts_hourly
from glad_pipeline.pipeline import run_requests
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.settings import Settings
from glad_pipeline_tests.ticks import asked, by_the_daemon, sensor
from glad_pipeline_tests.ticks import tick as look

DRAW = ["publish_prompts"]


@pytest.fixture
def add(migrated_url, s3, monkeypatch):
    """Adds a prompt to the queue that the sensor looks at."""
    for name, value in {"DATABASE_URL": migrated_url, **s3}.items():
        monkeypatch.setenv(name, value)

    def add():
        with psycopg.connect(migrated_url, autocommit=True) as connection:
            connection.execute("INSERT INTO prompts (prompt) VALUES ('a hill')")

    return add


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def database(database_url):
    with Database(database_url) as database:
        yield database


def tick(instance, cursor=None, **settings):
    return look(instance, os.environ["DATABASE_URL"], cursor, **settings)


def ours(queue=None):
    """The tags of a run of this queue."""
    with connect(os.environ["DATABASE_URL"]) as connection:
        return {QUEUE_TAG: queue or database_mark(connection)}


def started(instance, job=None, tags=None):
    """A run that Dagster believes to be working."""
    job = job or build_defs().resolve_job_def("publish_prompts")
    run = instance.create_run_for_job(job, tags=ours() if tags is None else tags)
    event = DagsterEvent(event_type_value=DagsterEventType.RUN_START.value, job_name=job.name)
    instance.report_dagster_event(event, run.run_id)
    return run.run_id


def killed(database, run_id):
    """That run opened a claim, and its process is gone."""
    claim = Claim(database, worker=run_id, lease=timedelta(60), max_attempts=3).open()
    claim._stop.set()
    claim._heart.join()


def status(instance, run_id):
    return instance.get_run_by_id(run_id).status


def test_a_pending_prompt_asks_for_one_run_and_an_empty_queue_for_none(add, instance):
    nothing = tick(instance)
    assert asked(nothing) == []
    assert "no prompt is pending and no picture is due" in nothing.skip_message
    add()
    data = tick(instance)
    assert asked(data) == DRAW
    assert data.run_requests[0].tags.items() >= ours().items()


def test_a_prompt_that_comes_while_the_sensor_looks_asks_for_a_run_at_once(add):
    with dg.instance_for_test(overrides={"sensors": {"use_threads": True, "num_workers": 2}}) as instance:
        later = threading.Timer(0.5, add)
        later.start()
        assert asked(tick(instance, GLAD_SENSOR_SECONDS=40)) == DRAW
        later.join()


def test_an_instance_that_evaluates_one_sensor_after_the_other_is_not_kept_waiting(add, instance):
    later = threading.Timer(30, add)
    later.start()
    assert asked(tick(instance, GLAD_SENSOR_SECONDS=40)) == []
    later.cancel()


@pytest.mark.parametrize("limit", [1, 2])
def test_two_ticks_before_the_run_has_begun_ask_for_no_second_one(add, instance, limit):
    add()
    instance.event_log_storage.set_concurrency_slots("gpu", limit)
    job = build_defs().resolve_job_def("publish_prompts")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING, tags=ours())
    assert "about to begin" in tick(instance).skip_message


def test_while_a_run_draws_and_prompts_wait_one_more_is_asked_for_and_no_third(add, instance, database):
    """It waits in the queue, and begins as soon as the pool is free."""
    add()
    with Claim(database, worker=started(instance), lease=timedelta(60), max_attempts=3).open():
        assert asked(tick(instance)) == DRAW
        job = build_defs().resolve_job_def("publish_prompts")
        instance.create_run_for_job(job, status=dg.DagsterRunStatus.NOT_STARTED, tags=ours())
        assert "2 of at most 2 runs are under way" in tick(instance).skip_message


def test_what_the_run_under_way_takes_at_once_is_no_reason_for_another(add, database, migrated_url):
    with (
        dg.instance_for_test(overrides={"sensors": {"use_threads": True, "num_workers": 2}}) as instance,
        Claim(database, worker=started(instance), lease=timedelta(60), max_attempts=3).open() as claim,
    ):
        add()
        taking = threading.Timer(0.4, claim.take, [10])
        taking.start()
        assert "is taken by the runs under way" in tick(instance, GLAD_SENSOR_SECONDS=5).skip_message
        taking.join()
        add()
        assert asked(tick(instance, GLAD_SENSOR_SECONDS=5)) == DRAW


def later(cursor):
    """The sensor's memory, as if a minute had passed."""
    memory = json.loads(cursor)
    return json.dumps({**memory, "orphans": {run_id: since - 60 for run_id, since in memory["orphans"].items()}})


def test_a_run_whose_process_is_gone_for_good_is_marked_failed_and_no_longer_in_the_way(
    add, instance, database, monkeypatch
):
    add()
    run_id = started(instance)
    killed(database, run_id)
    first = tick(instance)
    for _ in range(3):  # its lock may be back in seconds, whatever the number of ticks
        first = tick(instance, first.cursor)
        assert "about to begin" in first.skip_message
        assert status(instance, run_id) == dg.DagsterRunStatus.STARTED
    second = tick(instance, later(first.cursor))
    assert status(instance, run_id) == dg.DagsterRunStatus.FAILURE
    assert "runs failed" in second.skip_message  # and after a pause, another run
    monkeypatch.setattr(run_requests, "EVERY_SECONDS", 0)
    assert asked(tick(instance, second.cursor)) == DRAW
    assert database.read(lambda c: c.execute("SELECT * FROM run_claims").fetchall()) == []


@pytest.mark.parametrize("cursor", ["[]", '["a run of the version before"]'])
def test_the_memory_of_an_earlier_version_is_no_obstacle(add, instance, cursor):
    add()
    assert asked(tick(instance, cursor)) == DRAW


def test_of_a_run_that_may_go_on_without_a_step_of_ours_only_the_claim_is_forgotten(add, instance, database):
    """With an executor of many processes the step that drew may die, and the host's training goes on."""
    run_id = started(instance, foreign_job("theirs"), tags=ours())
    killed(database, run_id)
    look = partial(whole_tick, instance, Names(name="blog"))
    assert look(later(look(None).cursor)).run_requests == []
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED
    instance.report_run_canceled(instance.get_run_by_id(run_id))
    look(later(look(None).cursor))
    assert database.read(lambda c: c.execute("SELECT * FROM run_claims").fetchall()) == []


def test_the_ui_s_preview_of_a_tick_only_says_what_it_would_ask_for(add, instance, database):
    add()
    run_id = started(instance)
    killed(database, run_id)
    cursor = later(tick(instance).cursor)
    resources = {"postgres": PostgresResource(url=os.environ["DATABASE_URL"])}
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
        data = sensor(GLAD_POOL_FOLLOWS_WORKERS=True).evaluate_tick(context)
    assert "about to begin" in data.skip_message
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED
    tick(instance, cursor)
    assert status(instance, run_id) == dg.DagsterRunStatus.FAILURE


def whole_tick(instance, names, cursor):
    resources = {names.of("postgres"): PostgresResource(url=os.environ["DATABASE_URL"])}
    with by_the_daemon(instance, cursor, resources) as context:
        return sensor(names).evaluate_tick(context)


def test_orphans_of_nobody_do_not_keep_the_sensor_from_waiting(add, database):
    killed(database, "a run of an instance that is no more")
    with dg.instance_for_test(overrides={"sensors": {"use_threads": True, "num_workers": 2}}) as instance:
        cursor = later(tick(instance).cursor)
        started_at = time.monotonic()
        tick(instance, cursor, GLAD_SENSOR_SECONDS=2)
        assert time.monotonic() - started_at > 1.5


def test_a_run_that_has_no_claim_yet_is_left_alone(add, instance):
    """Another asset may run for minutes before `prompts`."""
    add()
    run_id, cursor = started(instance), None
    for _ in range(3):
        cursor = tick(instance, cursor).cursor
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED


def test_a_living_run_is_left_alone(add, instance, database):
    run_id, cursor = started(instance), None
    with Claim(database, worker=run_id, lease=timedelta(60), max_attempts=3).open():
        for _ in range(3):
            data = tick(instance, cursor)
            assert asked(data) == []
            cursor = data.cursor
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED


def foreign_job(name="train", pool="gpu"):
    @dg.op(pool=pool)
    def work():
        pass

    @dg.job(name=name)
    def train():
        work()

    return train


@pytest.mark.parametrize(
    ("job", "queue"), [("train", None), ("publish_prompts", None), ("publish_prompts", "another/database")]
)
def test_a_run_that_is_not_of_this_queue_is_nobody_s_business(add, instance, job, queue):
    """In the same pool, of a job with our job's name, of another deployment: neither counted nor ended."""
    add()
    theirs = started(instance, foreign_job(job), tags={QUEUE_TAG: queue} if queue else {})
    cursor = None
    for _ in range(3):
        data = tick(instance, cursor)
        assert asked(data) == DRAW
        cursor = data.cursor
    assert status(instance, theirs) == dg.DagsterRunStatus.STARTED


def test_runs_that_another_instance_has_are_not_forgotten_for_it(add, instance, database):
    """Two Dagster instances on one database: each ends its own runs."""
    killed(database, "a run of the other instance")
    tick(instance, later(tick(instance).cursor))
    assert len(database.read(lambda c: c.execute("SELECT * FROM run_claims").fetchall())) == 1


def test_a_copy_of_the_database_ends_no_run_of_the_original(add, instance, database):
    run_id = started(instance)
    killed(database, run_id)
    database.transact("test", lambda c: c.execute("UPDATE run_claims SET database = 'the original'"))
    tick(instance, later(tick(instance).cursor))
    assert status(instance, run_id) == dg.DagsterRunStatus.STARTED


def test_after_failures_the_sensor_waits(add, instance):
    add()
    instance.report_run_failed(instance.create_run_for_job(foreign_job("publish_prompts")))
    assert asked(tick(instance)) == DRAW
    job = build_defs().resolve_job_def("publish_prompts")
    instance.report_run_failed(instance.create_run_for_job(job, tags=ours()))
    assert "the last 1 runs failed" in tick(instance).skip_message


def test_the_schedule_asks_the_same_question(add, instance):
    schedule = publish_prompts_hourly(Names(), Settings(_env_file=None))

    def ask():
        resources = {"postgres": PostgresResource(url=os.environ["DATABASE_URL"])}
        with dg.build_schedule_context(instance=instance, resources=resources) as context:
            return schedule.evaluate_tick(context)

    assert "no prompt is pending" in ask().skip_message
    add()
    [request] = ask().run_requests
    assert request.tags.items() >= ours().items()


def test_an_idle_look_asks_nothing_of_dagster_s_database(add, instance, monkeypatch):
    cursor = tick(instance).cursor
    for name in ("get_run_records", "get_runs", "add_run_tags"):
        monkeypatch.setattr(instance, name, lambda *a, **k: pytest.fail("asked Dagster"))
    assert asked(tick(instance, cursor)) == []


def test_the_pool_s_limit_is_looked_at_once_while_there_are_no_workers(add, instance, monkeypatch):
    looks, cursor, seen = [], None, []
    for workers in (None, None, None, 2, 2, None, None):
        monkeypatch.setattr(sensors, "fit_the_pool", lambda *_: looks.append(1) or workers)  # noqa: B023
        monkeypatch.setattr(sensors, "_workers", lambda _: workers)  # noqa: B023
        cursor = tick(instance, cursor).cursor
        seen.append(len(looks))
    assert seen == [1, 1, 1, 2, 3, 4, 4]


def test_the_table_and_the_model_are_observed_when_they_change_and_only_then(add, instance):
    add()
    data = tick(instance, GLAD_MODEL="demo")
    seen = {event.asset_key.to_user_string(): event for event in data.asset_events}
    assert seen.keys() == {"prompts_table", "sdxl_model"}
    assert seen["prompts_table"].metadata["pending"].value == 1
    assert seen["prompts_table"].metadata["dagster/column_schema"].value.columns[0].name == "id"
    job = build_defs().resolve_job_def("publish_prompts")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTING, tags=ours())
    again = tick(instance, data.cursor)
    assert again.asset_events == []
    add()
    assert [e.asset_key.to_user_string() for e in tick(instance, again.cursor).asset_events] == ["prompts_table"]


@pytest.mark.parametrize("on", [True, False])
def test_sensor_and_schedule_are_switched_by_setting(on):
    schedule = publish_prompts_hourly(Names(), Settings(_env_file=None, GLAD_SCHEDULE=on))
    assert (sensor(GLAD_SENSOR=on).default_status == dg.DefaultSensorStatus.RUNNING) is on
    assert (schedule.default_status == dg.DefaultScheduleStatus.RUNNING) is on
