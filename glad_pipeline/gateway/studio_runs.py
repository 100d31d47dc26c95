"""The studio's health: what runs have done, and the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Response

from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.commands import run_command
from glad_pipeline.gateway.jobs import AllJobs, Tell
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import Answer, Limit, answer, refusals
from glad_pipeline.gateway.studio_posts import BEGUN, JobAnswer, answer_of_job
from glad_pipeline.prompts.runs import RunOfPrompts, runs
from glad_pipeline.records import values_of

router = APIRouter(prefix="/api/studio", tags=["studio: health"])
Reader = Annotated[Caller, needs("read")]
Admin = Annotated[Caller, needs("admin")]
SECONDS = 300.0  # of one doctor
CODES = (0, 1, 3)  # exit codes of `glad doctor` with an answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Run(RunOfPrompts):
    """A run of Dagster's, as far as prompts tell of it."""

    dagster_url: str | None  # where Dagster shows it; None: not known


@router.get("/runs", response_model=Answer[list[Run]], responses=refusals())
async def list_runs(state: Here, caller: Reader, limit: Limit = 20) -> Response:
    """Runs that are alive, and what those of the last week have done with prompts, the latest first."""
    found = await state.blocking(state.database.read, lambda connection: runs(connection, limit=limit))
    web = (state.settings.web_url or "").rstrip("/")
    told = [{**values_of(each), "dagster_url": _address(web, each.run_id)} for each in found]
    return answer(told)


def _address(web: str, run_id: str) -> str | None:
    try:
        return f"{web}/runs/{UUID(run_id)}" if web else None
    except ValueError:  # no run of Dagster's: a test's, or a program's
        return None


@router.post("/doctor", response_model=JobAnswer, responses={**BEGUN, **refusals(409)})
async def doctor(state: Here, caller: Admin, jobs: AllJobs) -> Response:
    """Try everything but drawing, as `glad doctor --quick --json`. One at a time, five minutes at most.

    The job's `result`: the worst `level`, and `checks`, each with its level, text and cure.
    """

    def work(tell: Tell) -> Any:
        return run_command(["doctor", "--quick"], state.settings, tell, codes=CODES)

    return answer_of_job(await jobs.begin("doctor", caller.name, work, alone=True, seconds=SECONDS))
