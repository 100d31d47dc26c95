"""Sensors: the one for prompts looks almost all the time, the one for messages every few seconds.

Whether they ask for a run is decided in `pipeline.run_requests`.
"""

import time

import dagster as dg

from glad_pipeline.database import Connection
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.jobs import DELIVERY, JOB_NAME
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.defs.runs import (
    IN_FLIGHT,
    fail_orphaned_runs,
    follow_the_workers,
    is_dead,
    pool_limit,
    recent_runs,
    runs_in_flight,
)
from glad_pipeline.outbox.messages import overdue
from glad_pipeline.pipeline.run_requests import delivery_skip_reason, skip_reason
from glad_pipeline.prompts.queue import Readiness, live_workers, readiness
from glad_pipeline.settings import Settings

SHORTEST_INTERVAL = 1  # seconds: with Dagster's own 5 every other turn of the daemon comes a bit too early
LISTENING = 3.5  # seconds of EVERY_SECONDS: how long the sensor waits for prompts before it says that there are none
AGAIN = 0.25  # seconds between its looks meanwhile
BEGINNING = 10.0  # seconds in which a run usually has claimed its prompts; a pod or machine may take longer


def _listen(connection: Connection, seconds: float) -> Readiness:
    """What is ready; if nothing is, what becomes so within these seconds."""
    until = time.monotonic() + seconds
    while not (ready := readiness(connection)) and time.monotonic() < until:
        time.sleep(AGAIN)
    return ready


def request_run(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, postgres: PostgresResource
) -> dg.RunRequest | dg.SkipReason:
    is_sensor = isinstance(context, dg.SensorEvaluationContext)
    with clearly(), postgres.connect() as connection:
        connection.autocommit = True
        ready = _listen(connection, LISTENING if is_sensor else 0.0)
        alive = live_workers(connection)
    now = time.time()
    in_flight = runs_in_flight(context.instance)
    buried = 0
    if isinstance(context, dg.SensorEvaluationContext):
        buried = fail_orphaned_runs(context, in_flight, alive, now)
    starting = sum(
        now - record.create_timestamp.timestamp() < BEGINNING
        and record.dagster_run.run_id not in alive
        and not is_dead(record.dagster_run, record.start_time, alive, now)
        for record in in_flight
    )
    lately = recent_runs(context.instance, len(in_flight) - buried, now, starting=starting)
    reason = skip_reason(ready, lately, pool_limit(context.instance))
    # no run_key: Dagster would remember it forever, and a prompt that is put back would never run again
    return dg.SkipReason(reason) if reason else dg.RunRequest()


def new_prompts(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=JOB_NAME,
        minimum_interval_seconds=SHORTEST_INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.sensor else dg.DefaultSensorStatus.STOPPED,
        description="Asks for a run when prompts wait, a picture is due, or a run died and left its prompts behind.",
    )
    def new_prompts(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.RunRequest | dg.SkipReason:
        follow_the_workers(context.instance, settings)
        return request_run(context, postgres)

    return new_prompts


def undelivered_messages(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=DELIVERY,
        minimum_interval_seconds=SHORTEST_INTERVAL,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.sensor else dg.DefaultSensorStatus.STOPPED,
        description="Asks for a run when the site, the CDN or the bucket has not been told yet, or is due once more.",
    )
    def undelivered_messages(
        context: dg.SensorEvaluationContext, postgres: PostgresResource
    ) -> dg.RunRequest | dg.SkipReason:
        with clearly(), postgres.connect() as connection:
            due = overdue(connection)
        in_flight = context.instance.get_run_records(dg.RunsFilter(job_name=DELIVERY, statuses=IN_FLIGHT), limit=1)
        reason = delivery_skip_reason(due, recent_runs(context.instance, len(in_flight), time.time(), job=DELIVERY))
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return undelivered_messages
