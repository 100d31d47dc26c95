"""The studio's outbox: what site, CDN and bucket have to be told, and what became of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from glad_pipeline.database import Connection
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.jobs import AllJobs, Tell
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import (
    SEVERAL,
    After,
    Body,
    Counts,
    Id,
    Limit,
    Outcomes,
    Told,
    outcomes,
    page,
    refusals,
)
from glad_pipeline.gateway.studio_posts import BEGUN, JobAnswer, answer_of_job
from glad_pipeline.outbox import messages as outbox
from glad_pipeline.outbox.messages import MessageStatus, Status

router = APIRouter(prefix="/api/studio/outbox", tags=["studio: outbox"])
Admin = Annotated[Caller, needs("admin")]


class MessageCounts(Counts):
    """Of a page of messages."""

    counts: dict[str, int] = Field(description="messages by status")


class MessagePage(Told):
    """Some messages, the newest first."""

    data: list[MessageStatus]
    meta: MessageCounts


@router.get("", response_model=MessagePage, responses=refusals())
async def list_messages(
    state: Here,
    caller: Admin,
    status: Annotated[Status | None, Query()] = None,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    """Messages, the newest first."""

    def look(connection: Connection) -> tuple[list[MessageStatus], dict[str, int]]:
        rows = outbox.messages(connection, status=status, limit=limit, before=after)
        return rows, outbox.counts(connection)

    rows, counts = await state.blocking(state.database.read, look)
    return page(rows, limit, counts=counts)


class RetryMessages(Body):
    """Which: by their ids, or all that are dead."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["ids"]}, {"required": ["dead"]}]})

    ids: list[Id] | None = Field(default=None, min_length=1, max_length=SEVERAL)
    dead: Literal[True] | None = None


@router.post("/retry", response_model=Outcomes, responses=refusals())
async def retry_messages(state: Here, caller: Admin, asked: RetryMessages) -> Response:
    """Let dead messages be delivered again, with all attempts before them."""
    if (asked.ids is None) is (asked.dead is None):
        raise Problem(422, "name messages by their ids, or all that are dead with dead")
    moved, refused = await state.blocking(outbox.retry_now, state.database, asked.ids)
    return outcomes(dict.fromkeys(moved, "to be delivered again"), refused, asked.ids or moved)


@router.post("/deliver", response_model=JobAnswer, responses={**BEGUN, **refusals(409)})
async def deliver(state: Here, caller: Admin, jobs: AllJobs) -> Response:
    """Deliver what waits, now, also what waits for its next try."""

    from glad_pipeline.operations.follow_up import deliver_now
    from glad_pipeline.operations.removal import removal_of

    def work(tell: Tell) -> dict[str, Any]:
        report = deliver_now(
            state.database,
            state.settings,
            removal_of(state.settings, state.database),
            look=lambda report: tell(lambda: f"{report.delivered:,} delivered"),
        )
        return {
            "delivered": report.delivered,
            "skipped": report.skipped,
            "waiting": report.waiting,
            "dead": report.dead,
            "errors": report.errors,
        }

    return answer_of_job(await jobs.begin("deliver", caller.name, work, alone=True))
