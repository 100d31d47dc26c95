"""The studio's queue: what is in it, whether it moves, and what each source may put into it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import ConfigDict, Field

from glad_pipeline.database import Connection
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import Answer, Body, Reason, Text, Told, Whole, answer, refusals
from glad_pipeline.gateway.waiting import Waits
from glad_pipeline.limits import CHARS
from glad_pipeline.prompts import management, sources
from glad_pipeline.prompts.pauses import ALL, pauses
from glad_pipeline.prompts.queue_state import readiness
from glad_pipeline.prompts.sources import Source

router = APIRouter(prefix="/api/studio/queue", tags=["studio: queue"])
Reader = Annotated[Caller, needs("read")]
Admin = Annotated[Caller, needs("admin")]
MOST = 2**31 - 1
SourceName = Annotated[Text, Field(max_length=CHARS["source"])]


class Queue(Told):
    """The queue at this moment."""

    counts: dict[str, int] = Field(description="prompts by status")
    paused: str | None = Field(description="what is paused, since when and why, in words; null: nothing")
    pending: bool = Field(description="prompts wait to be drawn, and are not paused")
    due: bool = Field(description="drawn pictures wait whose time to be published has come")
    eta_seconds: int | None = Field(
        description="until the last that waits is drawn, by the pace of the last pictures; null: not known"
    )
    sources: list[Source]


@router.get("", response_model=Answer[Queue], responses=refusals())
async def show_queue(state: Here, caller: Reader, waiting: Waits) -> Response:
    """How many prompts are in each state, what is paused, and what each source has waiting, with its limits."""

    def look(connection: Connection) -> dict[str, Any]:
        ready = readiness(connection, ahead=state.settings.draws_ahead)
        paused = pauses(connection).in_words()
        return {"paused": paused or None, "pending": ready.pending, "due": ready.due}

    found = await state.blocking(state.database.read, look)
    found["counts"] = await state.blocking(management.counts_by_status, state.database)
    found["eta_seconds"] = await waiting.eta_of(found["counts"].get("pending"))
    found["sources"] = await state.blocking(sources.list_sources, state.database)
    return answer(found)


class OneSource(Body):
    """Whose prompts are meant."""

    source: SourceName | None = Field(
        default=None, description="only prompts of this source; '': those without one; null: the whole queue"
    )

    @property
    def name(self) -> str:
        return ALL if self.source is None else self.source


class Pause(OneSource):
    """What is paused, and why."""

    reason: Reason | None = Field(default=None, description="shown wherever the pause is")


class Paused(Told):
    """What a pause, or its end, has found."""

    paused: bool
    before: datetime | None = Field(description="since when it was paused before; null: it was not")
    still: str | None = Field(description="all that is paused now, in words")


@router.post("/pause", response_model=Answer[Paused], responses=refusals())
async def pause(state: Here, caller: Admin, asked: Pause) -> Response:
    """Let runs finish the batch in hand and begin no more; what is drawn is published. Until `resume`."""
    before = await state.blocking(sources.pause, state.database, asked.name, reason=asked.reason)
    return await _paused(state, paused=True, before=before)


@router.post("/resume", response_model=Answer[Paused], responses=refusals())
async def resume(state: Here, caller: Admin, asked: OneSource) -> Response:
    """End a pause."""
    before = await state.blocking(sources.resume, state.database, asked.name)
    return await _paused(state, paused=False, before=before)


async def _paused(state: Here, *, paused: bool, before: datetime | None) -> Response:
    still = (await state.blocking(state.database.read, pauses)).in_words()
    return answer({"paused": paused, "before": before, "still": still or None})


class Limits(Body):
    """What a source may put into the queue; null: any number; absent: as it is."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["queued"]}, {"required": ["daily"]}]})

    source: Annotated[SourceName, Field(min_length=1)] = Field(
        description="'*': every source without limits of its own", examples=["newsletter"]
    )
    queued: Annotated[Whole, Field(ge=0, le=MOST)] | None = Field(
        default=None, description="prompts that may wait at once"
    )
    daily: Annotated[Whole, Field(ge=0, le=MOST)] | None = Field(
        default=None, description="prompts that may be added in 24 hours"
    )


@router.post("/limits", response_model=Answer[list[Source]], responses=refusals())
async def limit_source(state: Here, caller: Admin, asked: Limits) -> Response:
    """Limit what a source may put into the queue: more is refused, by whatever way it comes. Answers all sources."""
    given = asked.model_dump(exclude_unset=True, exclude={"source"})
    if not given:
        raise Problem(422, "say queued, daily or both; null takes a limit away")
    limits = {f"{name}_limit": most for name, most in given.items()}
    await state.blocking(sources.limit, state.database, asked.source, limits)
    return answer(await state.blocking(sources.list_sources, state.database))
