"""What Dagster knows of our runs: which are under way, which have lost their process, how the last ones ended.

Dagster does not notice that a run's process is gone, keeps it as started and its place in the pool taken. The claim
does: such a run is marked as failed.
"""

import json
from collections.abc import Collection, Sequence

import dagster as dg

from glad_pipeline.defs import in_vain
from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.pipeline.run_requests import RecentRuns
from glad_pipeline.settings import Settings
from glad_pipeline.workers.cluster import Cluster

POOL = "gpu"
LIMITS = "glad/limits that followed the workers"
SETTLING = 30.0  # seconds after its start in which a run may have no claim yet
IN_FLIGHT = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def is_dead(run: dg.DagsterRun, started: float | None, alive: Collection[str], now: float) -> bool:
    """Whether a run that Dagster believes to be working has no claim on the queue any more, or never got one."""
    working = run.status in (dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING)
    return working and run.run_id not in alive and now - (started or now) > SETTLING


def runs_in_flight(instance: dg.DagsterInstance) -> list[dg.RunRecord]:
    """The runs that wait for the GPU or have it: the job's, and those of *Materialize* in the web UI."""
    records = instance.get_run_records(dg.RunsFilter(statuses=IN_FLIGHT))
    return [record for record in records if _uses_gpu(record.dagster_run)]


def _uses_gpu(run: dg.DagsterRun) -> bool:
    pools = run.run_op_concurrency.all_pools if run.run_op_concurrency else None
    return run.job_name == JOB_NAME or POOL in (pools or ())


def fail_orphaned_runs(
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


def recent_runs(
    instance: dg.DagsterInstance, in_flight: int, now: float, *, job: str = JOB_NAME, starting: int = 0
) -> RecentRuns:
    ended = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=in_vain.ENDED), limit=8)
    states = [record.dagster_run.status for record in ended]
    failures = next((i for i, state in enumerate(states) if state != dg.DagsterRunStatus.FAILURE), len(states))
    newest = max((record.end_time or 0.0 for record in ended), default=0.0)
    return RecentRuns(
        in_flight=in_flight,
        starting=starting,
        failures_in_a_row=failures,
        seconds_since_last=now - newest,
        in_vain=in_vain.told(instance) if failures >= in_vain.IN_A_ROW and job == JOB_NAME else None,
    )


def follow_the_workers(instance: dg.DagsterInstance, settings: Settings) -> None:
    """The pool lets as many runs work at once as there are workers. A limit that a person has set is left alone."""
    workers = Cluster(settings.engine).workers if settings.backend != "process" else None
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


def pool_limit(instance: dg.DagsterInstance) -> int:
    """How many runs the pool `gpu` lets work at once."""
    slots = next((pool.limit for pool in instance.event_log_storage.get_pool_limits() if pool.name == POOL), None)
    return slots or instance.get_concurrency_config().pool_config.default_pool_limit or 1
