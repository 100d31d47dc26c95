"""`GET /api/media/tasks/{id}/events`: what happens to a prompt, as it happens (server-sent events).

An event's id is its number in `prompt_events`: a client that comes again with `Last-Event-ID` is told what it has
missed. After an event that ends the prompt the stream is over, and after ten minutes: who comes again shows a key anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent

from glad_pipeline.database import DatabaseError
from glad_pipeline.gateway.state import Here, State
from glad_pipeline.gateway.tasks import ID, Looks, Task, TaskId, errors, progress_for, task_at
from glad_pipeline.gateway.waiting import DELETED, POLL, Subscription, Waiting, Waits
from glad_pipeline.prompts.progress import News, Progress, waiting_in_words

router = APIRouter(tags=["media"])
LONGEST = 600.0  # seconds of a stream: no longer does it outlive its key
NEVER = 3_600_000  # milliseconds after which a client that does not know that all is told may ask again


_EXAMPLE = 'event: queued\ndata: {"place": 18, "message": "waiting, 17 ahead", "eta_seconds": 95}\n\n'


async def _opened(
    task_id: TaskId,
    caller: Looks,
    state: Here,
    waiting: Waits,
    last_event_id: Annotated[
        int | None, Header(ge=0, le=ID, description="Only what has happened after the event of this number.")
    ] = None,
) -> AsyncIterator[tuple[Progress, Subscription]]:
    """The prompt as it is, and its news after the event that the client knows. Refusals come before the first byte."""
    with ExitStack() as stack:
        stack.enter_context(waiting.held_by(caller.key_id))
        row = await progress_for(state, caller, task_id, others="read")
        place = await waiting.place_of(task_id) if row.status == "pending" else None
        since = min(last_event_id or 0, row.event_id)
        subscription = stack.enter_context(waiting.subscribe(task_id, since))
        if row.status == "pending":
            subscription.ask_place(place, row)
        yield row, subscription


@router.get(
    "/api/media/tasks/{task_id}/events",
    response_class=EventSourceResponse,
    responses={
        200: {"content": {"text/event-stream": {"example": _EXAMPLE}}},
        **errors(401, 403, 404, 422, 429, 503),
    },
    summary="What happens to it, as it happens",
)
async def events(
    opened: Annotated[tuple[Progress, Subscription], Depends(_opened)], state: Here, waiting: Waits
) -> AsyncIterator[ServerSentEvent]:
    """Server-sent events: `queued` with its place, and whatever docs/prompts.md has as an event, until one ends it.

    The data of the last one is the whole task. Over after ten minutes: come again with `Last-Event-ID`.
    """
    row, subscription = opened
    clock = asyncio.get_running_loop().time
    until, ahead = clock() + LONGEST, state.settings.draws_ahead
    if row.status == "pending":
        yield await _queued(waiting, subscription.place, row.in_words(subscription.place, ahead=ahead))
    if row.has_ended and row.event_id <= subscription.since:  # all was told, or its history is too old to be kept
        yield _last(row.event or row.status, row.event_id, task_at(state, row))
        return
    while (left := until - clock()) > 0:
        news = await subscription.news(left)
        now = subscription.row
        if not news and subscription.asks_place:
            yield await _queued(waiting, subscription.seen, _words(subscription.seen, now, state))
        for each in news[:-1]:
            yield _told(each)
        for newest in news[-1:]:
            is_last = newest.event == DELETED or (now is not None and now.has_ended and newest.id >= now.event_id)
            if is_last:
                yield _last(newest.event, newest.id, task_at(state, now) if now else None)
                return
            yield _told(newest)
            if now is not None and now.status == "pending" and newest.id >= now.event_id:
                place = await _place_of(waiting, row.id)
                subscription.ask_place(place, now)
                yield await _queued(waiting, place, now.in_words(place, ahead=ahead))


def _words(place: int | None, row: Progress | None, state: State) -> str:
    if place is not None or row is None:
        return waiting_in_words(place)
    return row.in_words(place, ahead=state.settings.draws_ahead)


async def _place_of(waiting: Waiting, task_id: int) -> int | None:
    """However long the database is away."""
    while True:
        try:
            return await waiting.place_of(task_id)
        except DatabaseError:
            await asyncio.sleep(POLL)


async def _queued(waiting: Waiting, place: int | None, message: str) -> ServerSentEvent:
    eta = None
    with suppress(DatabaseError):
        eta = await waiting.eta_of(place)
    return ServerSentEvent(event="queued", data={"place": place, "message": message, "eta_seconds": eta})


def _told(news: News) -> ServerSentEvent:
    data: dict[str, Any] = {"at": news.at.isoformat(), "detail": news.detail}
    if news.event == "drawing" and news.detail:
        picture, _, of = news.detail.partition(" of ")
        data["drawing"] = {"picture": int(picture), "of": int(of)}
    return ServerSentEvent(event=news.event, id=str(news.id), data=data)


def _last(event: str, number: int, task: Task | None) -> ServerSentEvent:
    if task is None:
        return ServerSentEvent(event=DELETED, data={"message": "there is no such task any more"}, retry=NEVER)
    return ServerSentEvent(event=event, id=str(number), raw_data=task.model_dump_json(), retry=NEVER)
