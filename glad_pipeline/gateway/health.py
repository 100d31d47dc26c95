"""`GET /healthz` and `GET /readyz`, for whoever keeps the process running. They tell nothing about whose it is."""

from __future__ import annotations

import logging
import time

from fastapi import APIRouter, Request
from psycopg.errors import UndefinedTable

from glad_pipeline.database import DatabaseError
from glad_pipeline.database.pool import Pool
from glad_pipeline.database.schema_version import NEEDED, QUERIES
from glad_pipeline.gateway.models import Model
from glad_pipeline.gateway.problems import AGAIN, Problem
from glad_pipeline.gateway.state import Here

ANSWER = 0.9  # seconds for the database
FRESH = 0.5  # seconds for which an answer is given again
logger = logging.getLogger(__name__)
router = APIRouter(tags=["monitoring"])


class Health(Model):
    """That all is well."""

    status: str


class Readiness:
    """Whether requests can be answered; asked again and again by whoever likes."""

    def __init__(self) -> None:
        self._why: str | None = None
        self._logged: str | None = None
        self._until = 0.0

    async def why_not(self, pool: Pool) -> str | None:
        """What is wrong; None: nothing. Of which version the tables are is for the log alone."""
        if time.monotonic() >= self._until:
            self._until = time.monotonic() + FRESH
            self._why, more = await _why_not(pool)
            if more != self._logged:
                self._logged = more
                logger.warning("gateway.not_ready %s", more or "no longer")
            self._until = time.monotonic() + FRESH
        return self._why


@router.get("/healthz", summary="Whether the process lives")
async def healthz() -> Health:
    """It does, if this is answered."""
    return Health(status="ok")


@router.get("/readyz", summary="Whether requests can be answered", responses={503: {"description": "what is missing"}})
async def readyz(request: Request, state: Here) -> Health:
    """The database answers within a second, and has the tables of this version."""
    if why := await request.app.state.readiness.why_not(state.pool):
        raise Problem(503, why, headers={"Retry-After": str(AGAIN)})
    return Health(status="ready")


async def _why_not(pool: Pool) -> tuple[str | None, str | None]:
    """For everybody; for the log."""
    other = "the database has not the tables of this version"
    try:
        row = await pool.row(QUERIES["version"], within=ANSWER)
    except DatabaseError as error:
        if isinstance(error.__cause__, UndefinedTable):
            return other, "the database has no tables of ours: ./glad migrate makes them"
        return "the database does not answer", str(error)
    version = row["version"] if row else "of nothing"
    if version < NEEDED:  # a later one is that of a newer program, which is about to take over
        return other, f"the database's tables are those of {version}, this needs {NEEDED}: ./glad migrate"
    return None, None
