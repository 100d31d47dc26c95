"""What rings the bell: a sensor that looks every five seconds, and a schedule as a safety net.

A run pulls what is pending by itself, so a bell that rings twice is harmless; these only avoid runs that would
find nothing, would have to queue behind others, or would fail as the last ones did.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.prompts.queue import Readiness, readiness
from glad_pipeline.settings import Settings

POOL = "gpu"
EVERY_SECONDS = 5
LONGEST_PAUSE = 300.0  # seconds between runs when they keep failing
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Lately:
    """How the newest runs of the job went."""

    in_flight: int
    failures_in_a_row: int
    seconds_since_last: float  # since the newest run ended


def why_not(ready: Readiness, lately: Lately, limit: int) -> str | None:
    """Why no run is asked for now, or None: ask for one. Pure: what is, and what runs, decide."""
    if not ready:
        return "no prompt is pending and no picture is due"
    if lately.in_flight >= limit:
        return f"{lately.in_flight} of at most {limit} runs are under way and will take what is pending"
    if lately.failures_in_a_row:
        pause = min(EVERY_SECONDS * 2.0**lately.failures_in_a_row, LONGEST_PAUSE)
        if lately.seconds_since_last < pause:
            return (
                f"the last {lately.failures_in_a_row} runs failed: the next is asked for in "
                f"{pause - lately.seconds_since_last:.0f} s. The failed runs say what to mend"
            )
    return None


def _lately(instance: dg.DagsterInstance, now: float) -> Lately:
    in_flight = instance.get_runs_count(dg.RunsFilter(job_name=JOB_NAME, statuses=IN_FLIGHT))
    ended = instance.get_run_records(
        dg.RunsFilter(
            job_name=JOB_NAME,
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        ),
        limit=8,
    )
    failures = _leading([record.dagster_run.status == dg.DagsterRunStatus.FAILURE for record in ended])
    newest = max((record.end_time or 0.0 for record in ended), default=0.0)
    return Lately(in_flight=in_flight, failures_in_a_row=failures, seconds_since_last=now - newest)


def _leading(flags: Sequence[bool]) -> int:
    """How many flags are set before the first that is not."""
    return next((i for i, flag in enumerate(flags) if not flag), len(flags))


def _limit(instance: dg.DagsterInstance) -> int:
    """How many runs the pool `gpu` lets work at once."""
    slots = next((pool.limit for pool in instance.event_log_storage.get_pool_limits() if pool.name == POOL), None)
    return slots or instance.get_concurrency_config().pool_config.default_pool_limit or 1


def _request(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, postgres: PostgresResource
) -> dg.RunRequest | dg.SkipReason:
    import time

    with clearly(), postgres.connect() as connection:
        ready = readiness(connection)
    reason = why_not(ready, _lately(context.instance, time.time()), _limit(context.instance))
    # no run_key: Dagster would remember it forever, and a prompt that is put back would never run again
    return dg.SkipReason(reason) if reason else dg.RunRequest()


def new_prompts(settings: Settings) -> dg.SensorDefinition:
    @dg.sensor(
        job_name=JOB_NAME,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if settings.sensor else dg.DefaultSensorStatus.STOPPED,
        description="Asks for a run when prompts wait, a picture is due, or a run died and left its prompts behind.",
    )
    def new_prompts(context: dg.SensorEvaluationContext, postgres: PostgresResource) -> dg.RunRequest | dg.SkipReason:
        return _request(context, postgres)

    return new_prompts


def publish_prompts_hourly(settings: Settings) -> dg.ScheduleDefinition:
    @dg.schedule(
        job_name=JOB_NAME,
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.schedule else dg.DefaultScheduleStatus.STOPPED,
        description="The same question once an hour, should the sensor be switched off.",
    )
    def publish_prompts_hourly(
        context: dg.ScheduleEvaluationContext, postgres: PostgresResource
    ) -> dg.RunRequest | dg.SkipReason:
        return _request(context, postgres)

    return publish_prompts_hourly
