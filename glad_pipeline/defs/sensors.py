"""The sensor: it looks at the queue and at the outbox nearly all the time, and asks for runs.

Whether a run is asked for is decided in `pipeline.run_requests`.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import dagster as dg

from glad_pipeline.database import SILENCE, Connection
from glad_pipeline.database.this_database import database_mark
from glad_pipeline.defs import sources
from glad_pipeline.defs.failures import as_failure
from glad_pipeline.defs.jobs import DELIVERY, JOB_NAME, Job
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.pool_limit import follow, pool_limit
from glad_pipeline.defs.runs import OUTBOX_TAG, QUEUE_TAG, fail_orphaned_runs, recent_runs
from glad_pipeline.outbox.messages import overdue
from glad_pipeline.pipeline.run_requests import NOTHING_OVERDUE, delivery_skip_reason, nothing_ready, skip_reason
from glad_pipeline.prompts.queue_state import Readiness, forget_runs, live_workers, looks, orphaned_runs, readiness
from glad_pipeline.settings import Settings
from glad_pipeline.workers.cluster import Cluster

SHORTEST_INTERVAL = 1  # seconds: the daemon's own loop decides, every 5
AGAIN = 0.5  # seconds between looks at the queue
ROUND = 2.0  # seconds between looks at messages, and at runs that are gone
GONE = SILENCE + 10.0  # seconds without a lock after which a run's process is gone: a living one is back by then
TAKEN_WITHIN = 1.0  # seconds after which a run that draws has taken what has come
BEGINNING = 10.0  # seconds in which a run usually has claimed its prompts; a pod or machine may take longer
Context = dg.SensorEvaluationContext | dg.ScheduleEvaluationContext


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What queue and outbox say at one moment."""

    ready: Readiness
    overdue: bool  # a message that no run has taken
    orphans: set[str]  # runs whose lock is gone


@dataclass(frozen=True)
class Watch:
    """What sensor and schedule ask about one queue."""

    names: Names
    settings: Settings

    def tick(self, context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """One look of the sensor, which lasts until there is something to do, or GLAD_SENSOR_SECONDS.

        By the UI's *Preview tick result* it only says what it would ask for.
        """
        memory, is_preview = _remembered(context.cursor), _is_preview(context)
        with self._connection(context) as connection:
            queue = database_mark(connection)
            seen = self._listen(
                connection, queue, 0.0 if is_preview else self._seconds(context.instance), memory["orphans"]
            )
            if not is_preview:
                self._end_orphans(context.instance, connection, seen.orphans, memory)
            asked = {name: self._reason(context, connection, name, seen, queue) for name in (JOB_NAME, DELIVERY)}
            waits, claims = seen.ready.pending, asked[JOB_NAME] is None
            events = sources.changes(self.names, self.settings, connection, memory, waits=waits, claims=claims)
        # While there are no workers the limit is looked at once: that asks Dagster's database.
        if not is_preview and (memory.get("workers", True) or _workers(self.settings)):
            memory["workers"] = fit_the_pool(context.instance, self.settings, self.names.pool)
        requests = [self._request(name, queue) for name, reason in asked.items() if reason is None]
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else "; ".join(filter(None, asked.values())),
            cursor=json.dumps(memory),
            asset_events=events,
        )

    def ask_once(self, context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
        """The schedule's look."""
        with self._connection(context) as connection:
            queue = database_mark(connection)
            seen = self._look(connection, queue)
            reason = self._reason(context, connection, JOB_NAME, seen, queue)
        return dg.SkipReason(reason) if reason else self._request(JOB_NAME, queue)

    def _look(self, connection: Connection, queue: str) -> Seen:
        ready = readiness(connection, ahead=self.settings.draws_ahead)
        return Seen(ready=ready, overdue=overdue(connection), orphans=orphaned_runs(connection, queue))

    def _listen(self, connection: Connection, queue: str, seconds: float, known: dict[str, float]) -> Seen:
        """What there is to do; if there is nothing, what comes within these seconds. `known`: orphans seen before."""
        until = time.monotonic() + seconds
        seen, next_round = self._look(connection, queue), time.monotonic() + ROUND
        ready_now = looks(connection, ahead=self.settings.draws_ahead)
        while True:
            ripe = any(GONE <= time.time() - known[each] < 2 * GONE for each in seen.orphans & known.keys())
            if seen.ready or seen.overdue or seen.orphans - known.keys() or ripe or time.monotonic() >= until:
                return seen
            time.sleep(AGAIN)
            if time.monotonic() < next_round:
                seen = replace(seen, ready=ready_now())
            else:
                seen, next_round = self._look(connection, queue), time.monotonic() + ROUND

    @contextmanager
    def _connection(self, context: Context) -> Iterator[Connection]:
        with as_failure(), self.names.resources(context).postgres.connect() as connection:
            connection.autocommit = True
            yield connection

    def _seconds(self, instance: dg.DagsterInstance) -> float:
        """How long to look. A daemon that evaluates one sensor after the other is not held up."""
        daemon = instance.get_sensor_settings()
        has_room = daemon.get("use_threads") and (daemon.get("num_workers") or 2) > 1
        return self.settings.sensor_seconds if has_room else 0.0

    def _end_orphans(
        self, instance: dg.DagsterInstance, connection: Connection, orphans: set[str], memory: dict[str, Any]
    ) -> None:
        """Have runs of ours end whose process is gone for good; `memory` knows since when each has had no lock."""
        now = time.time()
        since = {run_id: memory["orphans"].get(run_id, now) for run_id in sorted(orphans)}
        gone = {run_id for run_id, first in since.items() if now - first >= GONE}
        ended = fail_orphaned_runs(instance, gone, None if self.names.whole_runs else self._job_names)
        if ended:
            forget_runs(connection, ended)
        memory["orphans"] = {run_id: first for run_id, first in since.items() if run_id not in ended}

    @property
    def _job_names(self) -> set[str]:
        return {self.names.of(JOB_NAME)}

    def _reason(self, context: Context, connection: Connection, name: str, seen: Seen, queue: str) -> str | None:
        """Why no run of this job is asked for now, or None: one is. Dagster is asked only where there is work."""
        now = time.time()
        if name == DELIVERY:
            if not seen.overdue:
                return NOTHING_OVERDUE
            return delivery_skip_reason(True, recent_runs(context.instance, OUTBOX_TAG, queue, now))
        if not seen.ready:
            return nothing_ready(seen.ready)
        alive = live_workers(connection)
        runs = recent_runs(context.instance, QUEUE_TAG, queue, now, alive=alive, beginning=BEGINNING)
        drawing = drawing_at_once(context.instance, self.settings, self.names.pool)
        reason = skip_reason(seen.ready, runs, drawing)
        if reason is None and runs.in_flight >= drawing and self._is_taken(context, connection, queue):
            return "what came is taken by the runs under way"
        return reason

    def _is_taken(self, context: Context, connection: Connection, queue: str) -> bool:
        """Whether what is pending is so only until the runs under way look: they take what comes while they draw."""
        if not self._seconds(context.instance):
            return False
        time.sleep(TAKEN_WITHIN)
        return not self._look(connection, queue).ready.pending

    def _request(self, name: str, queue: str) -> dg.RunRequest:
        # no run_key: Dagster would remember it forever, and a prompt that is put back would never run again
        tag = QUEUE_TAG if name == JOB_NAME else OUTBOX_TAG
        return dg.RunRequest(job_name=self.names.of(name), tags={tag: queue})


def _is_preview(context: dg.SensorEvaluationContext) -> bool:
    """Whether this is the UI's *Preview tick result*, which keeps nothing of it: the daemon says when it began."""
    return context.last_sensor_start_time is None and context.last_tick_completion_time is None


def _remembered(cursor: str | None) -> dict[str, Any]:
    """The sensor's memory; earlier versions kept a list of runs there."""
    state = json.loads(cursor or "{}")
    return {"orphans": {}, **(state if isinstance(state, dict) else {})}


def fit_the_pool(instance: dg.DagsterInstance, settings: Settings, pool: str) -> int | None:
    """One run for each warm worker draws, and one more prepares, where the settings allow that the limit is changed.

    Returns how many workers there are; None: none, or nobody knows.
    """
    workers = _workers(settings)
    if settings.pool_follows_workers:
        follow(instance, pool, workers and workers + 1)
    return workers


def drawing_at_once(instance: dg.DagsterInstance, settings: Settings, pool: str) -> int:
    """How many runs may draw at once: by the pool, and by the drawing slots of warm workers."""
    limit = pool_limit(instance, pool)
    return min(limit, _workers(settings) or limit)


def _workers(settings: Settings) -> int | None:
    return Cluster(settings.engine).workers if settings.backend != "process" else None


def new_prompts(names: Names, settings: Settings, jobs: dict[str, Job]) -> dg.SensorDefinition:
    @dg.sensor(
        name=names.of("new_prompts"),
        jobs=[jobs[JOB_NAME], jobs[DELIVERY]],
        minimum_interval_seconds=SHORTEST_INTERVAL,
        required_resource_keys={names.of("postgres")},
        default_status=dg.DefaultSensorStatus.RUNNING if settings.sensor else dg.DefaultSensorStatus.STOPPED,
        description="Asks for a run when prompts wait, a picture is due, a run died and left its prompts behind, or "
        "the site, the CDN or the bucket has not been told of a change.",
    )
    def new_prompts(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        return Watch(names, settings).tick(context)

    return new_prompts
