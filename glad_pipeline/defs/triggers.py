"""What rings the bell: two sensors, of which the one for prompts looks almost all the time, and a schedule as a safety
net.

A run pulls what is pending by itself, so a bell that rings twice is harmless; these only avoid runs that would
find nothing, would have to queue behind others, or would fail as the last ones did.

Dagster does not notice that a run's process is gone, keeps it as started and its place in the pool taken. The claim
does: the sensor marks such runs as failed.
"""

import json
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dagster as dg

from glad_pipeline.database import Connection
from glad_pipeline.defs import in_vain
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.jobs import DELIVERY, JOB_NAME
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.outbox.messages import overdue
from glad_pipeline.prompts.queue import Readiness, live_workers, readiness
from glad_pipeline.settings import Settings
from glad_pipeline.workers.cluster import Cluster

POOL = "gpu"
LIMITS = "glad/limits that followed the workers"
EVERY_SECONDS = 5  # as Dagster's daemon does
SHORTEST_INTERVAL = (
    1  # seconds, as Dagster is told: with its own 5 every other turn of the daemon comes a bit too early
)
LISTENING = 3.5  # of these seconds: how long the sensor waits for prompts before it says that there are none
AGAIN = 0.25  # seconds between its looks meanwhile
LONGEST_PAUSE = 300.0  # seconds between runs when they keep failing
BEGINNING = 10.0  # seconds in which a run usually has claimed its prompts; a pod or machine may take longer
SETTLING = 30.0  # seconds after its start in which a run may have no claim yet
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecentRuns:
    """How the newest runs of the job went."""

    in_flight: int
    starting: int  # of these: are new and have not claimed any prompt yet
    failures_in_a_row: int
    seconds_since_last: float  # since the newest run ended
    in_vain: str | None = None  # which rows they were holding, if they settled none


def skip_reason(ready: Readiness, lately: RecentRuns, limit: int) -> str | None:
    """Why no run is asked for now, or None: ask for one. Pure: what is, and what runs, decide."""
    if not ready:
        return "no prompt is pending and no picture is due"
    if lately.in_flight >= limit:
        return f"{lately.in_flight} of at most {limit} runs are under way and will take what is pending"
    if lately.starting:
        return "a run is about to begin and will take what is pending"
    return _failing(lately)


def delivery_skip_reason(due: bool, lately: RecentRuns) -> str | None:
    """Why no run of `deliver_messages` is asked for now, or None: ask for one."""
    if not due:
        return "no message is due"
    if lately.in_flight:
        return "a run is under way and will deliver what is due"
    return _failing(lately)


def _failing(lately: RecentRuns) -> str | None:
    """Why one waits after runs that failed, or None."""
    if not lately.failures_in_a_row:
        return None
    pause = min(EVERY_SECONDS * 2.0**lately.failures_in_a_row, LONGEST_PAUSE)
    if lately.seconds_since_last >= pause:
        return None
    return (
        f"the last {lately.failures_in_a_row} runs failed: the next is asked for in "
        f"{pause - lately.seconds_since_last:.0f} s. The failed runs say what to mend"
        + (f". {lately.in_vain}" if lately.in_vain else "")
    )


def is_dead(run: dg.DagsterRun, started: float | None, alive: Collection[str], now: float) -> bool:
    """Whether a run that Dagster believes to be working has no claim on the queue any more, or never got one."""
    working = run.status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
    return working and run.run_id not in alive and now - (started or now) > SETTLING


def _in_flight(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """The runs that wait for the GPU or have it: the job's, and those of *Materialize* in the web UI."""
    records = instance.get_run_records(dg.RunsFilter(statuses=IN_FLIGHT))
    return [record for record in records if _uses_gpu(record.dagster_run)]


def _uses_gpu(run: dg.DagsterRun) -> bool:
    pools = run.run_op_concurrency.all_pools if run.run_op_concurrency else None
    return run.job_name == JOB_NAME or POOL in (pools or ())


def _fail_orphaned_runs(
    context: dg.SensorEvaluationContext, in_flight: Sequence[dg.RunRecord], alive: Collection[str], now: float
) -> int:
    """Mark runs as failed that were dead at two ticks in a row: a living one may be connecting anew. How many."""
    dead = [record.dagster_run for record in in_flight if is_dead(record.dagster_run, record.start_time, alive, now)]
    suspected = set(json.loads(context.cursor or "[]"))
    sure = [run for run in dead if run.run_id in suspected]
    for run in sure:
        context.instance.report_run_failed(run, "The process of this run is gone. The next run takes its prompts over.")
    context.update_cursor(json.dumps([run.run_id for run in dead if run not in sure]))
    return len(sure)


def _recent_runs(
    instance: dg.DagsterInstance, in_flight: int, now: float, *, job: str = JOB_NAME, starting: int = 0
) -> RecentRuns:
    ended = instance.get_run_records(
        dg.RunsFilter(
            job_name=job,
            statuses=[dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED],
        ),
        limit=8,
    )
    failures = _leading([record.dagster_run.status == dg.DagsterRunStatus.FAILURE for record in ended])
    newest = max((record.end_time or 0.0 for record in ended), default=0.0)
    return RecentRuns(
        in_flight=in_flight,
        starting=starting,
        failures_in_a_row=failures,
        seconds_since_last=now - newest,
        in_vain=in_vain.told(instance) if failures >= in_vain.IN_A_ROW and job == JOB_NAME else None,
    )


def _leading(flags: Sequence[bool]) -> int:
    """How many flags are set before the first that is not."""
    return next((i for i, flag in enumerate(flags) if not flag), len(flags))


def _follow_the_workers(instance: dg.DagsterInstance, settings: Settings) -> None:
    """The pool lets as many runs work at once as there are workers. A limit that a person has set is left alone."""
    workers = Cluster(settings).workers if settings.backend != "process" else None
    limits = instance.event_log_storage.get_pool_limits()
    limit = next((pool.limit for pool in limits if pool.name == POOL and not pool.from_default), None)
    if limit == workers:
        return
    memory = instance.daemon_cursor_storage
    ours = memory.get_cursor_values({LIMITS}).get(LIMITS, "").split()
    if limit is not None and str(limit) not in ours:
        return
    if workers is None:
        instance.event_log_storage.delete_concurrency_limit(POOL)
    else:
        memory.set_cursor_values({LIMITS: f"{limit or ''} {workers}"})  # both: this may be stopped between the two
        instance.event_log_storage.set_concurrency_slots(POOL, workers)
        memory.set_cursor_values({LIMITS: str(workers)})


def _limit(instance: dg.DagsterInstance) -> int:
    """How many runs the pool `gpu` lets work at once."""
    slots = next((pool.limit for pool in instance.event_log_storage.get_pool_limits() if pool.name == POOL), None)
    return slots or instance.get_concurrency_config().pool_config.default_pool_limit or 1


def _listen(connection: Connection, seconds: float) -> Readiness:
    """What is ready; if nothing is, what becomes so within these seconds."""
    until = time.monotonic() + seconds
    while not (ready := readiness(connection)) and time.monotonic() < until:
        time.sleep(AGAIN)
    return ready


def _request(
    context: dg.SensorEvaluationContext | dg.ScheduleEvaluationContext, postgres: PostgresResource
) -> dg.RunRequest | dg.SkipReason:
    is_sensor = isinstance(context, dg.SensorEvaluationContext)
    with clearly(), postgres.connect() as connection:
        connection.autocommit = True
        ready = _listen(connection, LISTENING if is_sensor else 0.0)
        alive = live_workers(connection)
    now = time.time()
    in_flight = _in_flight(context.instance)
    buried = 0
    if isinstance(context, dg.SensorEvaluationContext):
        buried = _fail_orphaned_runs(context, in_flight, alive, now)
    starting = sum(
        now - record.create_timestamp.timestamp() < BEGINNING
        and record.dagster_run.run_id not in alive
        and not is_dead(record.dagster_run, record.start_time, alive, now)
        for record in in_flight
    )
    lately = _recent_runs(context.instance, len(in_flight) - buried, now, starting=starting)
    reason = skip_reason(ready, lately, _limit(context.instance))
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
        _follow_the_workers(context.instance, settings)
        return _request(context, postgres)

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
        reason = delivery_skip_reason(due, _recent_runs(context.instance, len(in_flight), time.time(), job=DELIVERY))
        return dg.SkipReason(reason) if reason else dg.RunRequest()

    return undelivered_messages


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
