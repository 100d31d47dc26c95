"""What Dagster knows of our runs: which are under way, which have lost their process, how the last ones ended.

Ours are those with the tag of our queue; whatever else shares the instance, a job's name or the pool is not looked at.
Dagster does not notice that a run's process is gone, keeps it as started and its place in the pool taken. The queue
does: a run that has opened a claim and whose lock is gone is marked as failed.
"""

from collections.abc import Collection

import dagster as dg

from glad_pipeline.defs import repeated_failures
from glad_pipeline.pipeline.run_requests import RecentRuns

QUEUE_TAG = "glad/queue"  # on each run that takes prompts: which database's
OUTBOX_TAG = "glad/outbox"  # on each run that only delivers messages
WORKING = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
IN_FLIGHT = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, *WORKING]
ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


def fail_orphaned_runs(
    instance: dg.DagsterInstance, orphans: Collection[str], jobs: Collection[str] | None
) -> set[str]:
    """Mark runs as failed whose process is gone.

    `jobs`: only runs of these, each of which is one process; of others a step may have died while the run goes on.
    None: all are. Returns the orphans that have ended, now or before. Runs that this instance does not know are
    another's.
    """
    if not orphans:
        return set()
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(run_ids=list(orphans)))]
    dead = [run for run in runs if run.status in WORKING and (jobs is None or run.job_name in jobs)]
    for run in dead:
        instance.report_run_failed(run, "The process of this run is gone. The next run takes its prompts over.")
    return {run.run_id for run in runs if run in dead or run.is_finished}


def recent_runs(
    instance: dg.DagsterInstance, tag: str, queue: str, now: float, *, alive: Collection[str] = (), beginning: float = 0
) -> RecentRuns:
    """How the runs with this tag went. `starting`: those without a claim that are younger than `beginning` seconds."""
    ours = {tag: queue}
    in_flight = instance.get_run_records(dg.RunsFilter(tags=ours, statuses=IN_FLIGHT))
    ended = instance.get_run_records(dg.RunsFilter(tags=ours, statuses=ENDED), limit=8)
    states = [record.dagster_run.status for record in ended]
    failures = next((i for i, state in enumerate(states) if state != dg.DagsterRunStatus.FAILURE), len(states))
    return RecentRuns(
        in_flight=len(in_flight),
        starting=sum(
            record.dagster_run.run_id not in alive and now - record.create_timestamp.timestamp() < beginning
            for record in in_flight
        ),
        failures_in_a_row=failures,
        seconds_since_last=now - max((record.end_time or 0.0 for record in ended), default=0.0),
        in_vain=repeated_failures.described(instance, ours)
        if failures >= repeated_failures.IN_A_ROW and tag == QUEUE_TAG
        else None,
    )
