"""Work that outlasts a request: begun by one, followed by its id.

How far one is, is known to this process alone; what it has come to is kept in the database (`job_results`). What must
not be lost, such as a takedown and its messages, is there before any of it begins, and each work may be begun again.
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
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import psycopg
from anyio import to_thread
from fastapi import Depends, FastAPI, Request

from glad_pipeline.database import Database
from glad_pipeline.errors import GladError
from glad_pipeline.gateway.job_results import KEPT, Job, Kind, find, keep, kept
from glad_pipeline.gateway.problems import AGAIN, Problem, of_database, of_error

AT_ONCE = 4
TAKEDOWNS = 8  # at once, beside those: what long works others have begun holds up none
SOON = 10.0  # seconds for which the request that begins one waits for its end
LEAVING = 5.0  # seconds for which those that are under way are waited for when the gateway ends
Tell = Callable[[Callable[[], str]], None]  # how far it is; raises where the gateway ends or time is over
Ended = tuple[Any, BaseException | None]  # what a work has returned, or raised

logger = logging.getLogger(__name__)


class Stopped(GladError):
    """It was told to end."""


class Jobs:
    """Those of one process; all but the work itself happens on the event loop. `database`: for what they have come to;
    without one it is kept in memory."""

    def __init__(self, database: Database | None = None) -> None:
        self._database = database
        self._jobs: dict[str, Job] = {}  # that go on, or could not be kept
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

        Raises `Problem`: 409 where another one is under way and it is to be alone, 503 where AT_ONCE are, or TAKEDOWNS.
        """
        running = [each for each in self._jobs.values() if each.state == "running"]
        if alone and (other := next((each for each in running if each.kind == kind), None)):
            where = other.path
            raise Problem(409, f"one is under way already, begun by {other.by}: {where} says how far it is", job=where)
        is_takedown = kind == "takedown"
        most = TAKEDOWNS if is_takedown else AT_ONCE
        if sum((each.kind == "takedown") == is_takedown for each in running) >= most:
            headers = {"Retry-After": str(AGAIN)}
            raise Problem(503, f"{most} long works are under way: try again when one has ended", headers=headers)
        job = Job(id=secrets.token_urlsafe(12), kind=kind, by=by, state="running", started_at=datetime.now(UTC))
        self._note(job)
        task = asyncio.create_task(self._follow(job, self._in_a_thread(job, work, seconds)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.wait([task], timeout=wait)
        return job

    async def newest(self, kind: Kind | None = None, by: str | None = None) -> list[Job]:
        """Those of this kind and this caller's (None: any), the newest first, without results.

        Raises `DatabaseError`.
        """
        here = {each.id: each for each in self._jobs.values()}  # first: what ends meanwhile is in the database
        wanted = {each.id: each for each in here.values() if kind in (None, each.kind) and by in (None, each.by)}
        if self._database is not None:
            wanted |= {each.id: each for each in await to_thread.run_sync(kept, self._database, kind, by)}
        found = sorted(wanted.values(), key=lambda job: job.started_at, reverse=True)
        return [replace(each, result=None) for each in found]

    async def get(self, job_id: str) -> Job | None:
        """One of them. Raises `DatabaseError`."""
        here = self._jobs.get(job_id)
        return here if here or self._database is None else await to_thread.run_sync(find, self._database, job_id)

    async def end(self) -> None:
        """Have all of them end, and wait for them a little."""
        self._ending.set()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=LEAVING)

    def _note(self, job: Job) -> None:
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

        known = copy_context()  # for whom it is
        threading.Thread(target=known.run, args=(run,), name=f"glad-{job.kind}", daemon=True).start()  # nobody joins it
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
        await self._keep(job)

    async def _keep(self, job: Job) -> None:
        """In the database; where that is away it stays here."""
        if self._database is None:
            return
        try:
            await to_thread.run_sync(keep, self._database, job)
        except (GladError, psycopg.Error, TypeError) as error:  # the last: a value that JSON does not have
            logger.warning("what the work %s has come to is kept in memory alone: %s", job.id, error)
        else:
            self._jobs.pop(job.id, None)  # gone already where others ended meanwhile


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """For a router: the application's jobs, ended with it."""
    app.state.jobs = Jobs(app.state.glad.database)
    yield
    await app.state.jobs.end()


def _jobs(request: Request) -> Jobs:
    jobs: Jobs = request.app.state.jobs
    return jobs


AllJobs = Annotated[Jobs, Depends(_jobs)]
