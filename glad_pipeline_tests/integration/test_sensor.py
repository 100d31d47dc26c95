"""The sensor and the schedule on a real queue and a real Dagster instance."""

import os
import threading

import dagster as dg
import psycopg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType

from glad_pipeline.database.migrations import migrate
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs import runs, sensors
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.defs.schedules import publish_prompts_hourly
from glad_pipeline.defs.sensors import new_prompts
from glad_pipeline.pipeline import run_requests
from glad_pipeline.settings import Settings


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(sensors, "LISTENING", 0.0)


@pytest.fixture
def add(database_url, s3, monkeypatch):
    """Adds a prompt to the queue that the sensor looks at."""
    for name, value in {"DATABASE_URL": database_url, **s3}.items():
        monkeypatch.setenv(name, value)
    migrate(database_url)

    def add():
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("INSERT INTO prompts (prompt) VALUES ('a hill')")

    return add


@pytest.fixture
def instance():
    with dg.instance_for_test() as instance:
        yield instance


def tick(instance, cursor=None):
    """What the sensor says, and its cursor afterwards."""
    with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources()) as context:
        data = new_prompts(Settings(_env_file=None)).evaluate_tick(context)
    return data.skip_message, len(data.run_requests), data.cursor


def resources():
    return {"postgres": PostgresResource(url=os.environ["DATABASE_URL"])}


def started_run(instance, job="publish_prompts"):
    """A run that Dagster believes to be working."""
    run = instance.create_run_for_job(build_defs().resolve_job_def(job))
    event = DagsterEvent(event_type_value=DagsterEventType.RUN_START.value, job_name=job)
    instance.report_dagster_event(event, run.run_id)
    return run.run_id


def failed_run(instance):
    run = instance.create_run_for_job(build_defs().resolve_job_def("publish_prompts"))
    instance.report_run_failed(run)


def test_a_pending_prompt_asks_for_one_run_and_an_empty_queue_for_none(add, instance):
    assert tick(instance)[:2] == ("no prompt is pending and no picture is due", 0)
    add()
    assert tick(instance)[:2] == (None, 1)


def test_a_prompt_that_comes_while_the_sensor_looks_asks_for_a_run_at_once(add, instance, monkeypatch):
    monkeypatch.setattr(sensors, "LISTENING", 60.0)
    later = threading.Timer(0.5, add)
    later.start()
    assert tick(instance)[:2] == (None, 1)
    later.join()


@pytest.mark.parametrize(("limit", "told"), [(1, "1 of at most 1"), (2, "about to begin")])
def test_two_ticks_before_the_run_has_begun_ask_for_no_second_one(add, instance, limit, told):
    add()
    instance.event_log_storage.set_concurrency_slots(runs.POOL, limit)
    instance.create_run_for_job(build_defs().resolve_job_def("publish_prompts"), status=dg.DagsterRunStatus.STARTING)
    assert told in tick(instance)[0]


def test_a_run_whose_process_is_gone_is_marked_failed_at_the_second_tick_and_no_longer_in_the_way(
    add, instance, monkeypatch
):
    monkeypatch.setattr(runs, "SETTLING", -1.0)
    add()
    run_id = started_run(instance)
    skipped, _, cursor = tick(instance)
    assert "under way" in skipped
    assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.STARTED
    skipped, _, cursor = tick(instance, cursor)
    assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.FAILURE
    assert "runs failed" in skipped  # and after a pause, another run
    monkeypatch.setattr(run_requests, "EVERY_SECONDS", 0)
    assert tick(instance, cursor)[1] == 1


def test_a_run_that_has_just_started_is_not_taken_for_dead(add, instance):
    add()
    run_id = started_run(instance)
    cursor = tick(instance)[2]
    tick(instance, cursor)
    assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.STARTED


def test_a_living_run_is_left_alone(add, instance, monkeypatch, database_url):
    from datetime import timedelta

    from glad_pipeline.database import Database
    from glad_pipeline.prompts.queue import Claim

    monkeypatch.setattr(runs, "SETTLING", -1.0)
    add()
    run_id = started_run(instance)
    with (
        Database(database_url) as database,
        Claim(database, worker=run_id, lease=timedelta(60), max_attempts=3).open(),
    ):
        cursor = None
        for _ in range(3):
            _, requests, cursor = tick(instance, cursor)
            assert requests == 0
    assert instance.get_run_by_id(run_id).status == dg.DagsterRunStatus.STARTED


def test_after_failures_the_sensor_waits(add, instance):
    add()
    failed_run(instance)
    assert "the last 1 runs failed" in tick(instance)[0]


def test_the_schedule_asks_the_same_question(add, instance):
    schedule = publish_prompts_hourly(Settings(_env_file=None))

    def ask():
        with dg.build_schedule_context(instance=instance, resources=resources()) as context:
            return schedule.evaluate_tick(context)

    assert "no prompt is pending" in ask().skip_message
    add()
    assert len(ask().run_requests) == 1


@pytest.mark.parametrize("on", [True, False])
def test_sensor_and_schedule_are_switched_by_setting(on):
    settings = Settings(_env_file=None, GLAD_SENSOR=on, GLAD_SCHEDULE=on)
    assert (new_prompts(settings).default_status == dg.DefaultSensorStatus.RUNNING) is on
    assert (publish_prompts_hourly(settings).default_status == dg.DefaultScheduleStatus.RUNNING) is on
