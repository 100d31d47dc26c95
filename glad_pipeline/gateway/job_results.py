"""What long works have come to, kept in the database: they are there after a restart, and in every other gateway.

Knows the table `gateway_jobs`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from glad_pipeline.database import Database, named_queries
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.records import records_of, values_of

KEPT = 50  # the newest
PATH = "/api/studio/jobs"
Kind = Literal["audit", "redraw", "deliver", "takedown", "reproduce", "doctor"]
QUERIES = named_queries(__package__, "jobs.sql")


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


def keep(database: Database, job: Job) -> None:
    """One that has ended, in place of the oldest."""
    bound = {**values_of(job), "result": orjson.dumps(job.result, option=orjson.OPT_NON_STR_KEYS).decode()}
    with database.transaction() as connection:
        connection.execute(QUERIES["keep"], bound)
        connection.execute(QUERIES["prune"], {"most": KEPT})


def kept(database: Database, kind: Kind | None = None, by: str | None = None) -> list[Job]:
    """Those that are kept, the newest first, without their results; None: of any kind, or caller."""
    bound = {"kind": kind, "by": by}
    return database.read(lambda connection: records_of(Job, connection.execute(QUERIES["kept"], bound)))


def find(database: Database, job_id: str) -> Job | None:
    """One of those that are kept, with its result."""
    found = database.read(lambda connection: records_of(Job, connection.execute(QUERIES["one"], {"id": job_id})))
    return next(iter(found), None)
