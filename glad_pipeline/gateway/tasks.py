"""`GET /api/media/tasks/{id}`: how far a picture is that somebody has asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import Field

from glad_pipeline.callers.keys import Scope, allows
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.models import Model
from glad_pipeline.gateway.problems import Problem, errors
from glad_pipeline.gateway.state import Here, State
from glad_pipeline.gateway.waiting import Waiting, Waits, progress_of
from glad_pipeline.prompts.progress import Progress

router = APIRouter(tags=["media"])
ID = 2**63 - 1  # the largest
NO_STORE = {"Cache-Control": "no-store"}
LOOK: tuple[Scope, ...] = ("submit", "read")  # one's own; everybody's
State_ = Literal[
    "pending", "claimed", "generated", "awaiting_approval", "published", "ready", "rejected", "failed", "cancelled"
]
TaskId = Annotated[int, Path(ge=1, le=ID, description="As the answer to the request had it.", examples=[17])]


class Image(Model):
    """A picture that is public."""

    url: str = Field(examples=["https://cdn.example.com/generated/ab/abcd.png"])
    thumbnail: str = Field(description="At most 256 pixels; a smaller picture's is itself.")
    source: str = Field(description="Always `sdxl`: no stock photo is ever given.")
    photographer: str = Field(description="The model that has drawn it.")
    photographer_url: str | None = None
    width: int = Field(description="Pixels, measured.")
    height: int
    alt_text: str = Field(description="What was asked for; not what was drawn.")


class Drawing(Model):
    """Its place in the batch that is drawn now."""

    picture: int
    of: int


class Links(Model):
    """Where to ask on."""

    task: str = Field(examples=["/api/media/tasks/17"])
    events: str = Field(description="Server-sent events.", examples=["/api/media/tasks/17/events"])


class Task(Model):
    """How far a picture is."""

    id: int
    state: State_ = Field(description="As docs/prompts.md has them; the last five are final.")
    message: str = Field(description="The same in words.", examples=["waiting, 17 ahead"])
    place: int | None = Field(None, description="In the queue, from 1; null: beyond 1,000, or it does not wait there.")
    eta_seconds: int | None = Field(
        None, description="Until it is drawn, by the pace of the last pictures; null: not known, or it does not wait."
    )
    drawing: Drawing | None = None
    attempts: int = Field(description="How often drawing it was begun and did not end well.")
    reason: str | None = Field(None, description="Why it is where it is, or waits again.")
    created_at: datetime
    publish: Literal["post", "picture"]
    image_url: str | None = None
    image: Image | None = None
    generation_time: float | None = Field(None, description="Seconds of drawing.")
    post: str | None = Field(None, description="The path of its post on the site.")
    links: Links
    notices: list[str] = Field([], description="What of the request has no effect, or another one than it seems.")


Looks = Annotated[Caller, needs(*LOOK)]


@router.get(
    "/api/media/tasks/{task_id}", responses=errors(401, 403, 404, 422, 429, 503), summary="How far a picture is"
)
async def task(task_id: TaskId, caller: Looks, state: Here, waiting: Waits, response: Response) -> Task:
    """Of one that was asked for with the key that is shown, or, for the scope `read`, of any."""
    response.headers.update(NO_STORE)
    return await task_of(state, waiting, await progress_for(state, caller, task_id, others="read"))


async def progress_for(state: State, caller: Caller, task_id: int, *, others: Scope) -> Progress:
    """A prompt of this caller's; of somebody else's for the scope `others`. Raises `Problem` (404), `DatabaseError`."""
    found = (await progress_of(state.pool, [task_id])).get(task_id)
    if found is None or not (found.source == caller.name or allows(caller.scopes, others)):
        raise Problem(404, f"no task {task_id} was asked for with the key {caller.name}")
    return found


async def task_of(state: State, waiting: Waiting, row: Progress, *, notices: list[str] | None = None) -> Task:
    """What is told of a prompt, with its place in the queue. Raises `DatabaseError`."""
    place = await waiting.place_of(row.id) if row.status == "pending" and row.paused is None else None
    return task_at(state, row, place, notices or [], eta=await waiting.eta_of(place))


def task_at(
    state: State, row: Progress, place: int | None = None, notices: Sequence[str] = (), *, eta: int | None = None
) -> Task:
    """What is told of a prompt that has this place in the queue."""
    batch = row.batch
    image = image_of(row)
    return Task(
        id=row.id,
        state=row.status,
        message=row.in_words(place, ahead=state.settings.draws_ahead),
        place=place,
        eta_seconds=eta,
        drawing=Drawing(picture=batch[0], of=batch[1]) if batch else None,
        attempts=row.attempts,
        reason=row.last_error,
        created_at=row.created_at,
        publish=row.publish,
        image_url=image.url if image else None,
        image=image,
        generation_time=row.seconds if image else None,
        post=row.post_path,
        links=links_to(row.id),
        notices=list(notices),
    )


def image_of(row: Progress) -> Image | None:
    """Its picture, where it is public."""
    from glad_pipeline.publishing.alt_text import alt_text_from  # many patterns, which no start has to wait for

    if row.image_url is None or row.width is None or row.height is None:
        return None
    return Image(
        url=row.image_url,
        thumbnail=row.thumbnail_url or row.image_url,
        source="sdxl",
        photographer=row.model or "",
        width=row.width,
        height=row.height,
        alt_text=row.alt_text or alt_text_from(row.prompt),
    )


def links_to(task_id: int) -> Links:
    """Where to ask on for a prompt."""
    path = f"/api/media/tasks/{task_id}"
    return Links(task=path, events=f"{path}/events")
