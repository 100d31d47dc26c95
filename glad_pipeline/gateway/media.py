"""`/api/media`: pictures by request, as the source document's page and the blog's own front end ask for them.

A request is a row of `prompts` whose source is the name of the key, and the next run draws it as any other. It is
answered when its picture is public, or after `wait` seconds with where to ask on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Literal, TypeGuard

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import JSONResponse
from pydantic import Field

from glad_pipeline.database import DatabaseError
from glad_pipeline.display import quoted
from glad_pipeline.errors import GladError, NotAllowedError, UnavailableError, UsageError
from glad_pipeline.gateway.callers import FOR_ANYBODY, Caller, caller_of, needs
from glad_pipeline.gateway.image_request import ImageRequest, PostFields, fields_of, notices_of
from glad_pipeline.gateway.models import Model
from glad_pipeline.gateway.problems import Problem, errors
from glad_pipeline.gateway.state import Here, State
from glad_pipeline.gateway.studio_answers import may_approve
from glad_pipeline.gateway.tasks import (
    NO_STORE,
    Image,
    Links,
    Task,
    TaskId,
    image_of,
    links_to,
    progress_for,
    task_of,
)
from glad_pipeline.gateway.waiting import DELETED, Full, Waiting, Waits, progress_of
from glad_pipeline.prompts import editing, management
from glad_pipeline.prompts.intake import KeyTaken, add_prompt, key_of
from glad_pipeline.prompts.progress import QUERIES, Progress
from glad_pipeline.prompts.sources import LimitReached
from glad_pipeline.redaction import redact

router = APIRouter(tags=["media"])
LONGEST = 120.0  # seconds that a call is held open
WAIT = 60.0  # where it does not say
LOOK = 5.0  # seconds between looks whether the client is still there
STALLED = 300.0  # seconds that a prompt waits while no run is alive, after which nothing seems to draw
FULL = 60  # seconds after which a source that has reached its limit may ask again
FAILURES = {"rejected": 422, "failed": 500, "cancelled": 409}
Submits = Annotated[Caller, needs("submit")]


class Picture(Model):
    """A picture that is there."""

    success: Literal[True] = True
    image_url: str
    image: Image
    message: str
    generation_time: float | None = Field(description="Seconds of drawing; null: not known.")
    id: int
    post: str | None = Field(description="The path of its post on the site.")
    links: Links
    notices: list[str] = Field(description="What of the request has no effect, or another one than it seems.")


class Health(Model):
    """Whether pictures are drawn."""

    status: Literal["healthy", "paused", "stalled"]
    pexels_available: Literal[False] = False
    sdxl_available: bool
    message: str


@router.post(
    "/api/media/generate-image",
    response_model=None,
    responses={
        200: {"model": Picture},
        202: {"model": Task, "description": "Not yet: `links` says where to ask on"},
        **errors(401, 403, 409, 410, 413, 415, 422, 429, 500, 503),
    },
    summary="Have a picture drawn",
)
async def generate_image(
    *,
    request: Request,
    body: ImageRequest,
    caller: Submits,
    state: Here,
    waiting: Waits,
    wait: Annotated[
        float, Query(ge=0, le=LONGEST, allow_inf_nan=False, description="Seconds to hold the call open.")
    ] = WAIT,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=255,
            pattern="^[!-~]([ -~]*[!-~])?$",
            description="Asked again with it, the same is answered; without it, `task_id` of the body is meant.",
        ),
    ] = None,
) -> JSONResponse:
    """A row of the queue, drawn by the next run. Answers with the picture once it is public, else 202 after `wait`.

    A title, or `publish`, asks for a post of it too. 422: it cannot be drawn as it is; 409: the key was used for
    something else, or it was cancelled; 500: drawing it has failed as often as may be.
    """
    notices = notices_of(body, state.settings)
    task_id = await _submitted(state, caller, body, idempotency_key or body.task_id)
    row = await _row_of(state, caller, task_id)
    if wait and not _is_settled(row):
        with suppress(Full), waiting.held_by(caller.key_id):  # too many wait: it is asked for all the same
            row = await _waited(request, state, waiting, row, wait)
    return await _answer(state, waiting, row, notices)


async def _submitted(state: State, caller: Caller, body: ImageRequest, key: str | None) -> int:
    given = {**fields_of(body, state.settings), "source": caller.name}
    if key is not None:
        given["idempotency_key"] = key_of(caller.name, key)
    try:
        task_id, _ = await state.blocking(add_prompt, state.database, given, zone=state.settings.zone)
    except KeyTaken as error:
        task = f" or the task_id {quoted(given['task_id'])}" if "task_id" in given else ""
        raise Problem(409, f"the key {quoted(key)}{task} was used for another request: take another one") from error
    except LimitReached as error:
        raise Problem(429, str(error), headers={"Retry-After": str(FULL)}) from error
    return task_id


async def _row_of(state: State, caller: Caller, task_id: int) -> Progress:
    row = await _looked(state, task_id)
    if row.source != caller.name:  # a prompt has one `task_id`, and it is somebody else's
        raise Problem(409, "a prompt with this task_id is there already, and was not asked for with this key")
    return row


async def _looked(state: State, task_id: int) -> Progress:
    now = (await progress_of(state.pool, [task_id])).get(task_id)
    if now is None:
        raise Problem(410, f"task {task_id} was deleted")
    return now


def _is_settled(row: Progress | None) -> TypeGuard[Progress]:
    return row is not None and (row.has_ended or row.waits_for_others)


async def _waited(request: Request, state: State, waiting: Waiting, row: Progress, wait: float) -> Progress:
    """The prompt once it is settled, or as it is after so many seconds. Raises `DatabaseError` if it is away then."""
    clock = asyncio.get_running_loop().time
    until = clock() + wait
    with waiting.subscribe(row.id, row.event_id) as subscription:
        while (left := until - clock()) > 0 and not (waiting.is_ending or await request.is_disconnected()):
            news = await subscription.news(min(left, LOOK))
            if _is_settled(subscription.row):
                return subscription.row
            if any(each.event == DELETED for each in news):
                break
    return await _looked(state, row.id)


async def _answer(state: State, waiting: Waiting, row: Progress, notices: list[str]) -> JSONResponse:
    if row.status in FAILURES:
        taken_down = (row.last_error or "").startswith("taken down: ")
        raise _failure(410 if taken_down else FAILURES[row.status], row, row.last_error or f"it is {row.status}")
    image = image_of(row)
    if not row.has_ended:
        task = await task_of(state, waiting, row, notices=notices)
        return JSONResponse(task.model_dump(mode="json"), 202, {**NO_STORE, "Location": task.links.task})
    if image is None:
        raise _failure(410, row, f"its picture was taken down: {row.removed_reason or 'no reason was given'}")
    published = f"published: the picture of the post {row.post_path}"
    answer = Picture(
        image_url=image.url,
        image=image,
        message=published if row.post_path else "the picture is in the store, and public",
        generation_time=row.seconds,
        id=row.id,
        post=row.post_path,
        links=links_to(row.id),
        notices=notices,
    )
    return JSONResponse(answer.model_dump(mode="json"), headers=NO_STORE)


def _failure(status: int, row: Progress, reason: str) -> Problem:
    links = links_to(row.id).model_dump()
    told: dict[str, Any] = {"success": False, "image_url": None, "image": None, "message": redact(reason)}
    return Problem(status, reason, **told, id=row.id, state=row.status, links=links)


@router.post(
    "/api/media/{task_id}/publish",
    response_model=None,
    responses={
        200: {"model": Task, "description": "It is published"},
        202: {"model": Task, "description": "The next run publishes it"},
        **errors(401, 403, 404, 409, 413, 415, 422, 429, 503),
    },
    summary="Make a post of a picture",
)
async def publish(
    task_id: TaskId, caller: Submits, state: Here, waiting: Waits, body: PostFields | None = None
) -> JSONResponse:
    """Of one's own, or, with the scope `review`, of any. Asked again it changes nothing.

    403: it needs approval, and this is for who reviews it. 409: it was rejected, has failed or was cancelled, or is
    published with another text.
    """
    await progress_for(state, caller, task_id, others="review")
    given = body.model_dump(exclude_none=True) if body else {}
    asked = {**given, "publish": "post"}
    try:
        await state.blocking(
            editing.edit_prompt,
            state.database,
            task_id,
            asked,
            zone=state.settings.zone,
            unless=editing.ENDED,
            may_approve=may_approve(caller),
        )
    except (UsageError, UnavailableError, NotAllowedError):
        raise
    except GladError as error:
        if not await state.blocking(_is_published_so, state, task_id, given):
            raise Problem(409, str(error)) from error
    row = await progress_for(state, caller, task_id, others="review")
    task = await task_of(state, waiting, row)
    status = 200 if row.status == "published" else 202
    return JSONResponse(task.model_dump(mode="json"), status, {**NO_STORE, "Location": task.links.task})


def _is_published_so(state: State, task_id: int, given: dict[str, Any]) -> bool:
    """Whether it is published already, with this text."""
    row = management.show_prompt(state.database, task_id)
    texts = {name: value for name, value in given.items() if name != "publish_at"}
    return (
        row is not None
        and row.status == "published"
        and all(getattr(row, name) == value for name, value in texts.items())
    )


@router.get(
    "/api/media/health",
    responses=errors(401, 429, 503),
    openapi_extra=FOR_ANYBODY,
    summary="Whether pictures are drawn",
)
async def health(state: Here, caller: Annotated[Caller | None, Depends(caller_of)]) -> Health:
    """By what the queue shows: the GPU may be on another machine. Why, and how much, is for who has a key."""
    found = await _health(state)
    return found if caller else found.model_copy(update={"message": found.status})


async def _health(state: State) -> Health:
    row = await state.pool.row(QUERIES["is_drawing"], {"ahead": state.settings.draws_ahead})
    if row is None:
        raise DatabaseError("the database has not said whether anything is drawn")
    if row["paused"]:
        return Health(status="paused", sdxl_available=False, message=f"the queue is paused since {row['paused']}")
    if not row["runs"] and (row["waits"] or 0) > STALLED:
        words = f"no run is alive, and the next prompt has waited for {row['waits'] / 60:,.0f} minutes"
        return Health(status="stalled", sdxl_available=False, message=words)
    runs = f"{row['runs']} run(s) at work" if row["runs"] else "no run at work: one begins with the next prompt"
    last = (
        "no picture was drawn yet"
        if row["last_drawn"] is None
        else f"the last picture is {row['last_drawn']:,.0f} s old"
    )
    return Health(status="healthy", sdxl_available=True, message=f"{runs}; {last}. Stock photos are never given")
