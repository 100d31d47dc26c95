"""The studio's posts and pictures: listed, hidden, taken down, allowed again, drawn anew."""

from __future__ import annotations

from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from glad_pipeline.callers.keys import allows
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.job_results import Job
from glad_pipeline.gateway.jobs import AllJobs, Tell
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import (
    After,
    Answer,
    Body,
    Ids,
    Limit,
    Outcomes,
    Page,
    Reason,
    Text,
    Told,
    answer,
    outcomes,
    page,
    refusals,
)
from glad_pipeline.gateway.studio_takedown import TakedownAnswer, answer_of
from glad_pipeline.limits import POST_ID_CHARS, URL_CHARS
from glad_pipeline.publishing.illustrated import IllustratedPost, illustrated
from glad_pipeline.records import values_of

router = APIRouter(prefix="/api/studio", tags=["studio: posts and pictures"])
Reader = Annotated[Caller, needs("read")]
Reviewer = Annotated[Caller, needs("review")]
Admin = Annotated[Caller, needs("admin")]
STATUS_CHARS = 50
NAMED = 1_000  # prompts that the result of a search for stale pictures names
TOLD: dict[int | str, dict[str, Any]] = {
    202: {"model": TakedownAnswer, "description": "It is taken down, and others are still being told"}
}


@router.get("/posts", response_model=Page[IllustratedPost], responses=refusals())
async def list_posts(
    state: Here,
    caller: Reader,
    status: Annotated[
        Text | None, Query(min_length=1, max_length=STATUS_CHARS, description="as the blog has it: published, draft …")
    ] = None,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    """The posts that this pipeline has made or illustrated, in whatever state, those of the newest prompts first."""
    rows = await state.blocking(
        state.database.read, lambda connection: illustrated(connection, status=status, limit=limit, before=after)
    )
    return page(rows, limit, rows[-1].prompt_id if rows else None)


class Unpublish(Body):
    """Which post is hidden, and why."""

    post: Annotated[Text, Field(min_length=1, max_length=POST_ID_CHARS)] = Field(description="its slug or id")
    reason: Reason
    keep_picture: bool = Field(
        default=False, description="hide the post only; without, its picture goes for good: for the scope admin"
    )


@router.post("/posts/unpublish", response_model=TakedownAnswer, responses={**TOLD, **refusals(404, 409)})
async def unpublish(state: Here, caller: Reviewer, jobs: AllJobs, asked: Unpublish) -> Response:
    """Hide a post, remove its picture for good unless that is kept, and tell the site and the CDN."""
    if not asked.keep_picture and not allows(caller.scopes, "admin"):
        raise Problem(403, f"the key {caller.name} may hide posts (keep_picture), but to delete pictures needs admin")
    from glad_pipeline.operations import takedown

    taken = await state.blocking(
        takedown.unpublish, state.database, asked.post, reason=asked.reason, keep_picture=asked.keep_picture
    )
    return await answer_of(state, jobs, caller, taken)


class OneImage(Body):
    """Which picture is meant."""

    image: Annotated[Text, Field(min_length=1, max_length=URL_CHARS)] = Field(
        description="its id, key, URL or recipe hash", examples=["17"]
    )


class DeleteImage(OneImage):
    """Which picture is taken down, and why."""

    reason: Reason


@router.post("/images/delete", response_model=TakedownAnswer, responses={**TOLD, **refusals(404, 409)})
async def delete_image(state: Here, caller: Admin, jobs: AllJobs, asked: DeleteImage) -> Response:
    """Remove a picture for good; posts made with it are hidden, those that it illustrated show what they did before."""
    from glad_pipeline.operations import takedown

    taken = await state.blocking(takedown.delete_image, state.database, asked.image, reason=asked.reason)
    return await answer_of(state, jobs, caller, taken)


class Allowed(Told):
    """A recipe that may be drawn again."""

    recipe_hash: str
    was_blocked: bool
    prompts: list[int] = Field(description="those that could be tried again now")


@router.post("/images/allow", response_model=Answer[Allowed], responses=refusals(404, 409))
async def allow_image(state: Here, caller: Admin, asked: OneImage) -> Response:
    """Let a picture that was taken down be drawn again."""
    from glad_pipeline.operations import takedown

    return answer(await state.blocking(takedown.allow, state.database, asked.image))


@router.post("/images/redraw", response_model=Outcomes, responses=refusals())
async def redraw_pictures(state: Here, caller: Admin, asked: Ids) -> Response:
    """Have the pictures of these prompts, which are published or ready, drawn anew, as the settings of today would."""
    from glad_pipeline.operations import redraw

    moved = await state.blocking(redraw.requeue, state.database, asked.ids)
    why = "it is neither published nor ready, or its post shows another picture"
    refused = {each: why for each in asked.ids if each not in moved}
    return outcomes(dict.fromkeys(moved, "back in the queue, its post stays meanwhile"), refused, asked.ids)


class RedrawStale(Body):
    """Whether anything is changed."""

    dry_run: bool = Field(default=True, description="only say which prompts these are, and what they took")


class JobAnswer(Told):
    """A long work: its end, or how far it is."""

    data: Job


BEGUN: dict[int | str, dict[str, Any]] = {202: {"model": JobAnswer, "description": "It goes on: follow it by its id"}}


@router.post("/images/redraw-stale", response_model=JobAnswer, responses={**BEGUN, **refusals(409)})
async def redraw_stale(state: Here, caller: Admin, jobs: AllJobs, asked: RedrawStale) -> Response:
    """Find published pictures that the settings of today would draw in another way, and have those drawn anew.

    The job's `result`: how many are `stale`, `requeued`, `not_drawable`; `prompts` and `refused` name the first 1,000.
    """

    from glad_pipeline.operations import redraw

    def work(tell: Tell) -> dict[str, Any]:
        found = redraw.stale(
            state.database, state.settings, tell=lambda so_far: tell(lambda: f"{so_far.looked_at:,} looked at")
        )
        moved = () if asked.dry_run else redraw.requeue(state.database, found.prompts)
        counts = {"stale": len(found.prompts), "not_drawable": len(found.refused), "requeued": len(moved)}
        some = {"prompts": found.prompts[:NAMED], "refused": dict(islice(found.refused.items(), NAMED))}
        return {**values_of(found), **some, **counts}

    return answer_of_job(await jobs.begin("redraw", caller.name, work, alone=True))


def answer_of_job(job: Job) -> Response:
    """200 with its result, 202 while it goes on. Raises `Problem` where it has failed."""
    job.require()
    return answer(job, 200 if job.state == "done" else 202)
