"""Work that outlasts a request: begun by one, followed by its id.

Kept in memory, for as long as this process lives: what must not be lost, such as a takedown and its messages, is in the
database before any of it begins, and each work may be begun again.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import psycopg
from fastapi import Depends, FastAPI, Request

from glad_pipeline.errors import GladError
from glad_pipeline.gateway.problems import AGAIN, Problem, of_database, of_error

AT_ONCE = 4
KEPT = 50  # that have ended, the newest
SOON = 10.0  # seconds for which the request that begins one waits for its end
LEAVING = 5.0  # seconds for which those that are under way are waited for when the gateway ends
PATH = "/api/studio/jobs"
Kind = Literal["audit", "redraw", "deliver", "takedown", "reproduce", "doctor"]
Tell = Callable[[Callable[[], str]], None]  # how far it is; raises where the gateway ends or time is over
Ended = tuple[Any, BaseException | None]  # what a work has returned, or raised

logger = logging.getLogger(__name__)


@dataclass(kw_only=True, slots=True)
class Job:
    """One of them, as it is shown."""

    id: str
    kind: Kind
    by: str  # the caller's name
    state: Literal["running", "done", "failed"]
    started_at: datetime
    ended_at: datetime | None = None
    progress: str | None = None
    result: Any = None
    problem: str | None = None  # why it failed
    status: int | None = None  # of a request that fails so

    @property
    def path(self) -> str:
        """Where it is followed."""
        return f"{PATH}/{self.id}"

    def require(self) -> None:
        """Raises `Problem` where it has failed."""
        if self.state == "failed":
            raise Problem(self.status or 500, self.problem or "", job=self.path)


class Stopped(GladError):
    """It was told to end."""


class Jobs:
    """Those of one process; all but the work itself happens on the event loop."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = threading.Event()

    async def begin(
        self,
        kind: Kind,
        by: str,
        work: Callable[[Tell], Any],
        *,
        alone: bool = False,
        seconds: float = 3_600.0,
        wait: float = SOON,
    ) -> Job:
        """Begin `work(tell)` in a thread of its own, and return once it has ended, or after `wait` seconds.

        Args:
            alone: not beside another one of this kind.
            seconds: after which the next `tell` ends it.

        Raises `Problem`: 409 where another one is under way and it is to be alone, 503 where AT_ONCE are.
        """
        running = [each for each in self._jobs.values() if each.state == "running"]
        if alone and (other := next((each for each in running if each.kind == kind), None)):
            where = other.path
            raise Problem(409, f"one is under way already, begun by {other.by}: {where} says how far it is", job=where)
        if len(running) >= AT_ONCE:
            headers = {"Retry-After": str(AGAIN)}
            raise Problem(503, f"{AT_ONCE} long works are under way: try again when one has ended", headers=headers)
        job = Job(id=secrets.token_urlsafe(12), kind=kind, by=by, state="running", started_at=datetime.now(UTC))
        self._keep(job)
        task = asyncio.create_task(self._follow(job, self._in_a_thread(job, work, seconds)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait([task], timeout=wait)
        return job

    def newest(self) -> list[Job]:
        """All there are, the newest first."""
        return list(reversed(self._jobs.values()))

    def get(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    async def end(self) -> None:
        """Have all of them end, and wait for them a little."""
        self._ending.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVING)

    def _keep(self, job: Job) -> None:
        ended = [each.id for each in self._jobs.values() if each.state != "running"]
        for each in ended[: max(0, len(ended) - KEPT + 1)]:
            del self._jobs[each]
        self._jobs[job.id] = job

    def _in_a_thread(self, job: Job, work: Callable[[Tell], Any], seconds: float) -> Future[Ended]:
        until = time.monotonic() + seconds
        future: Future[Ended] = Future()

        def tell(progress: Callable[[], str]) -> None:
            if self._ending.is_set():
                raise Stopped("the gateway was stopped: begin it again")
            if time.monotonic() > until:
                raise Stopped(f"it was not over after {seconds:,.0f} s: use the terminal for so much")
            job.progress = progress()

        def run() -> None:
            try:
                future.set_result((work(tell), None))
            except BaseException as error:  # noqa: BLE001  a result: raised on the loop, SystemExit ends the gateway
                future.set_result((None, error))

        threading.Thread(target=run, name=f"glad-{job.kind}", daemon=True).start()  # no process waits for it
        return future

    async def _follow(self, job: Job, future: Future[Ended]) -> None:
        result, error = await asyncio.wrap_future(future)
        if error is None:
            job.result, job.state = result, "done"
        else:
            problem = of_error(error) if isinstance(error, GladError) else None
            if isinstance(error, psycopg.Error):
                problem = of_database(error)
            if problem is None:
                logger.error("gateway.job_failed kind=%s id=%s", job.kind, job.id, exc_info=error)
                problem = Problem(500, "this is a fault of the server: its log says more")
            job.state, job.problem, job.status = "failed", problem.detail, problem.status
        job.ended_at = datetime.now(UTC)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """For a router: the application's jobs, ended with it."""
    app.state.jobs = Jobs()
    yield
    await app.state.jobs.end()


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


AllJobs = Annotated[Jobs, Depends(_jobs)]
