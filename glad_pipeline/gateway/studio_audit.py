"""The studio's audit, and long works with their results."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Response
from pydantic import ConfigDict, Field
from pydantic.config import JsonDict

from glad_pipeline.callers.keys import allows
from glad_pipeline.database import Database
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.job_results import KEPT, PATH, Job, Kind
from glad_pipeline.gateway.jobs import AllJobs, Tell, lifespan
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import LARGEST, Answer, Body, Whole, answer, refusals
from glad_pipeline.gateway.studio_posts import BEGUN, JobAnswer, answer_of_job

if TYPE_CHECKING:
    from glad_pipeline.operations.audit.report import Report

router = APIRouter(tags=["studio: audit"], lifespan=lifespan)
Reader = Annotated[Caller, needs("read")]
Admin = Annotated[Caller, needs("admin")]
JobId = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{16}$")]
DAYS = 366
WITH_FIX: JsonDict = {"properties": {"fix": {"const": True}}, "required": ["fix"]}


class Audit(Body):
    """How it looks, and whether it mends; as `glad audit`."""

    model_config = ConfigDict(json_schema_extra={"dependentSchemas": {"at_most": WITH_FIX}})

    fix: bool = Field(default=False, description="mend what can be mended safely")
    at_most: Annotated[Whole, Field(ge=0, le=LARGEST)] | None = Field(
        default=None, description="with fix: how many pictures and objects may be moved where it is over a tenth"
    )
    deep: bool = Field(default=False, description="read pictures and renditions whole, compare their SHA-256")
    grace_seconds: Whole = Field(default=3_600, ge=0, le=DAYS * 86_400, description="younger objects are spared")
    urls: Literal["all", "sample", "none"] | None = Field(
        default=None, description="visit published pictures by their addresses; null: as the settings say"
    )


@router.post("/api/studio/audit", response_model=JobAnswer, responses={**BEGUN, **refusals(409)})
async def audit(state: Here, caller: Admin, jobs: AllJobs, asked: Audit) -> Response:
    """Compare bucket and database both ways and say what is amiss; changes nothing without `fix`. One at a time."""
    from glad_pipeline.operations.audit.whole import Asked, audit_all
    from glad_pipeline.storage.opening import open_store

    if "at_most" in asked.model_fields_set and not asked.fix:
        raise Problem(422, "at_most goes with fix")
    settings, url = state.settings, state.database.url
    how = Asked(
        fix=asked.fix,
        at_most=asked.at_most,
        deep=asked.deep,
        grace=timedelta(seconds=asked.grace_seconds),
        urls=asked.urls,
    )

    def work(tell: Tell) -> dict[str, Any]:
        patience = settings.database_patience_seconds
        with Database(url, application_name="glad audit", patience=patience, blog=settings.blog) as database:
            done = audit_all(
                database,
                open_store(settings),
                how,
                public_check=settings.public_check,
                tell=lambda report: tell(lambda: _so_far(report)),
            )
        return done.as_dict() | {"clean": done.is_clean}

    return answer_of_job(await jobs.begin("audit", caller.name, work, alone=True))


def _so_far(report: Report) -> str:
    return f"{report.objects:,} objects and {report.pictures:,} pictures compared, {report.visited:,} addresses visited"


@router.get(PATH, response_model=Answer[list[Job]], responses=refusals())
async def list_jobs(caller: Reader, jobs: AllJobs, kind: Kind | None = None) -> Response:
    """Long works, the newest first: what goes on in this process, and of the last 50 that have ended, but for their
    results: `jobs/{id}` has that. Others' need admin."""
    return answer(await jobs.newest(kind, None if allows(caller.scopes, "admin") else caller.name))


@router.get(f"{PATH}/{{job_id}}", response_model=JobAnswer, responses=refusals(404))
async def show_job(caller: Reader, jobs: AllJobs, job_id: JobId) -> Response:
    """One of them: how far it is, or its result."""
    job = await jobs.get(job_id)
    if job is None or not _may_see(caller, job):
        raise Problem(404, f"there is no work {job_id}: of those that have ended the last {KEPT} are kept")
    return answer(job)


def _may_see(caller: Caller, job: Job) -> bool:
    return job.by == caller.name or allows(caller.scopes, "admin")
