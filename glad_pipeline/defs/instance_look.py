"""What `glad doctor` asks of Dagster's instance: storage, daemon, coordinator, pool, sensor, schedules, last runs."""

import os
import time
from collections.abc import Iterator, Sequence

import dagster as dg

from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.pool_limit import is_limited
from glad_pipeline.defs.runs import ENDED
from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.display import one_line
from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import not_tested, right, risk, wrong
from glad_pipeline.redaction import redact

SILENT = 120.0  # seconds without a heartbeat after which a daemon is gone
LONG = 900.0  # seconds in the queue
IN_A_ROW = 3
REPOSITORY_TAG = ".dagster/repository"  # of a run: Dagster's own
SENSOR, SCHEDULES = "new_prompts", ("publish_prompts_hourly", "audit_store_daily")


def look_at_dagster(deployment: Deployment) -> Iterator[Diagnosis]:
    """The instance of DAGSTER_HOME."""
    if why := deployment.trouble.get("dagster"):
        yield wrong("storage", why, None)
        return
    if not os.environ.get("DAGSTER_HOME"):
        yield not_tested("storage", "DAGSTER_HOME is not set: there is no instance to look at")
        return
    try:
        instance = dg.DagsterInstance.get()
    except Exception as error:  # noqa: BLE001  of its configuration, of any storage's library
        text = f"Dagster's instance cannot be opened: {type(error).__name__}: {one_line(redact(str(error)), 300)}"
        yield wrong("storage", text, "see dagster.yaml in DAGSTER_HOME, and DAGSTER_DATABASE_URL")
        return
    with instance:
        yield from look_at_instance(instance, Names(pool=deployment.settings.pool), None, deployment)


def look_at_instance(
    instance: dg.DagsterInstance, names: Names, repository: str | None, deployment: Deployment
) -> Iterator[Diagnosis]:
    """Any instance. `repository`: the label of ours (`name@location`); None: whichever has these names."""
    tags = {} if repository is None else {REPOSITORY_TAG: repository}
    wanted = dg.RunsFilter(job_name=names.of(JOB_NAME), statuses=ENDED, tags=tags)
    runs = instance.get_run_records(wanted, limit=IN_A_ROW)
    yield right("storage", f"its storage answers ({type(instance.run_storage).__name__})")
    yield from _daemon(instance, deployment)
    yield from _queue(instance, names.pool)
    yield from _instigators(instance, names, repository, is_on=deployment.settings.sensor)
    yield from _runs(runs)


def _daemon(instance: dg.DagsterInstance, deployment: Deployment) -> Iterator[Diagnosis]:
    heartbeats = instance.get_daemon_heartbeats().values()
    silent_for = time.time() - max((each.timestamp for each in heartbeats), default=0.0)
    is_up = describe(Home(deployment.settings.home)) is not None
    if silent_for < SILENT:
        errors = [str(error.message).strip() for each in heartbeats for error in each.errors or ()]
        if errors:
            cure = "see the daemon's log, .glad/logs/daemon.log"
            yield risk("daemon", f"it runs, and one of its parts fails: {errors[0]}", cure)
        else:
            yield right("daemon", "it runs")
    elif is_up:
        cure = "./glad down, then ./glad up"
        yield wrong("daemon", "glad up runs, and the daemon has given no sign of life for minutes", cure)
    else:
        yield not_tested("daemon", "none runs: nothing starts runs by itself", "./glad up")


def _queue(instance: dg.DagsterInstance, pool: str) -> Iterator[Diagnosis]:
    if type(instance.run_coordinator).__name__ != "QueuedRunCoordinator":
        cure = "in dagster.yaml: run_coordinator: QueuedRunCoordinator"
        yield risk("queue", "runs do not queue: two may draw on one GPU", cure)
    if is_limited(instance, pool):
        yield right("pool", f"the pool {pool} is limited")
    else:
        cure = f"dagster instance concurrency set {pool} 1"
        yield risk("pool", f"the pool {pool} has no limit: two runs may draw on one GPU", cure)
    waiting = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), limit=100)
    old = [each for each in waiting if time.time() - each.create_timestamp.timestamp() > LONG]
    if old:
        cure = "see Runs in the web UI: what holds the pool, or that the daemon runs"
        yield risk("queue", f"{len(old)} runs wait for over {LONG / 60:.0f} minutes", cure)


def _instigators(
    instance: dg.DagsterInstance, names: Names, repository: str | None, *, is_on: bool
) -> Iterator[Diagnosis]:
    """Sensor and schedules that a person has switched off. Without a word of theirs the settings' default holds."""
    sensor, *schedules = (names.of(each) for each in (SENSOR, *SCHEDULES))
    stopped = {
        each.instigator_name
        for each in instance.all_instigator_state()
        if each.instigator_name in (sensor, *schedules)
        and each.status.value == "STOPPED"
        and repository in (None, each.origin.repository_origin.get_label())
    }
    for name in sorted(stopped):
        yield risk(name, f"{name} is switched off", "switch it on under Automation in the web UI")
    if sensor not in stopped:
        by = "" if is_on else " unless somebody has switched it on: GLAD_SENSOR is false"
        yield right(sensor, f"{sensor} is {'on' if is_on else 'off'}{by}")


def _runs(ended: Sequence[dg.RunRecord]) -> Iterator[Diagnosis]:
    if len(ended) == IN_A_ROW and all(each.dagster_run.status == dg.DagsterRunStatus.FAILURE for each in ended):
        cure = "see the newest one under Runs in the web UI: its message has the cure"
        yield risk("runs", f"the last {IN_A_ROW} runs of {JOB_NAME} failed", cure)
