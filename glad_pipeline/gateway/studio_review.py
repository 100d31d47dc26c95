"""The studio's review: what waits for a person, and what they decide."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from glad_pipeline.callers.keys import allows
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.jobs import AllJobs
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import (
    EACH,
    LARGEST,
    SEVERAL,
    After,
    Body,
    Id,
    Limit,
    Outcomes,
    Page,
    Reason,
    Text,
    Whole,
    changed,
    outcomes,
    page,
    refusals,
)
from glad_pipeline.gateway.studio_takedown import told
from glad_pipeline.limits import CHARS
from glad_pipeline.operations import review
from glad_pipeline.operations.review import Kind, Waiting
from glad_pipeline.prompts import editing, management

router = APIRouter(prefix="/api/studio", tags=["studio: review"])
Reader = Annotated[Caller, needs("read")]
Reviewer = Annotated[Caller, needs("review")]
MADE_ANEW = "it is drawn again with another seed"
MADE = {  # what comes of a picture that is to become a post, by the state of its prompt
    "generated": "the next run publishes it",
    "awaiting_approval": "it waits for approval",
    "pending": "it becomes a post once it is drawn",
    "claimed": "it becomes a post once it is drawn",
}


@router.get("/review", response_model=Page[Waiting], responses=refusals())
async def list_waiting(
    state: Here,
    caller: Reader,
    *,
    status: Annotated[Kind, Query(description="ready: asked for alone, of which a post may be made")] = (
        "awaiting_approval"
    ),
    source: Annotated[Text | None, Query(max_length=CHARS["source"])] = None,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    """Pictures that wait for a person, with previews, those first that were asked for first."""
    rows = await state.looking(review.waiting, state.database, kind=status, source=source, limit=limit, after=after)
    return page(rows, limit)


class Picture(Body):
    """A prompt, and which picture of it the person has seen."""

    id: Id
    image_id: Id | None = Field(
        default=None, description="as the review shows it: a picture that was drawn anew since is not decided about"
    )


class Decided(Body):
    """Which are meant."""

    prompts: list[Picture] = Field(min_length=1, max_length=SEVERAL, examples=[[{"id": 17, "image_id": 9}]])

    @property
    def ids(self) -> list[int]:
        return [each.id for each in self.prompts]

    @property
    def seen(self) -> dict[int, int]:
        return {each.id: each.image_id for each in self.prompts if each.image_id is not None}


class Rejected(Decided):
    """Which are meant, and why."""

    reason: Reason


@router.post("/review/approve", response_model=Outcomes, responses=refusals())
async def approve(state: Here, caller: Reviewer, asked: Decided) -> Response:
    """Let pictures that wait for approval be published."""
    done = await state.blocking(management.approve, state.database, asked.ids, seen=asked.seen)
    return changed(done, "approved: the next run publishes it", asked.ids)


@router.post("/review/reject", response_model=Outcomes, responses=refusals())
async def reject(state: Here, caller: Reviewer, asked: Rejected) -> Response:
    """Refuse pictures that wait for approval. The reason is kept with each prompt."""
    done = await state.blocking(management.reject, state.database, asked.ids, reason=asked.reason, seen=asked.seen)
    return changed(done, "rejected", asked.ids)


class Redrawn(Decided):
    """Which are drawn again."""

    prompts: list[Picture] = Field(min_length=1, max_length=EACH, examples=[[{"id": 17, "image_id": 9}]])
    seed: Annotated[Whole, Field(ge=0, le=LARGEST)] | None = Field(
        default=None, description="for one prompt; null: one that is drawn anew"
    )


@router.post("/review/redraw", response_model=Outcomes, responses=refusals())
async def redraw(state: Here, caller: Reviewer, asked: Redrawn) -> Response:
    """Have pictures drawn again with another seed. What needs approval waits for it again."""
    if asked.seed is not None and len(set(asked.ids)) > 1:
        raise Problem(422, "seed is for one prompt: leave it out, and each gets another one")
    wanted = {each: asked.seen.get(each) for each in asked.ids}
    done, refused = await state.blocking(editing.draw_otherwise, state.database, wanted, seed=asked.seed)
    words = {each: MADE_ANEW if edit.redrawn else "it is as it was" for each, edit in done.items()}
    return outcomes(words, refused, asked.ids)


class ToPublish(Decided):
    """Which pictures become posts."""

    prompts: list[Picture] = Field(min_length=1, max_length=EACH, examples=[[{"id": 17, "image_id": 9}]])
    title: Text | None = Field(default=None, max_length=CHARS["title"], description="the post's, for one prompt")


@router.post("/review/publish", response_model=Outcomes, responses=refusals())
async def publish(state: Here, caller: Reviewer, asked: ToPublish) -> Response:
    """Make posts of pictures that were asked for alone."""
    if asked.title is not None and len(set(asked.ids)) > 1:
        raise Problem(422, "title is for one prompt: give each its own")
    done, refused = await state.blocking(
        editing.ask_to_publish, state.database, asked.ids, title=asked.title, seen=asked.seen
    )
    return outcomes({each: MADE.get(edit.status, edit.status) for each, edit in done.items()}, refused, asked.ids)


class Discarded(Decided):
    """Which pictures are put aside."""

    reason: Reason = "not wanted"
    delete_picture: bool = Field(
        default=False, description="take the pictures down for good; this is for the scope admin"
    )


@router.post("/review/discard", response_model=Outcomes, responses=refusals())
async def discard(state: Here, caller: Reviewer, jobs: AllJobs, asked: Discarded) -> Response:
    """Put aside pictures that were asked for alone: no post is made of them."""
    if not asked.delete_picture:
        done = await state.blocking(management.discard, state.database, asked.ids, reason=asked.reason, seen=asked.seen)
        return changed(done, "discarded", asked.ids)
    if not allows(caller.scopes, "admin"):
        raise Problem(403, f"the key {caller.name} may discard pictures, but to delete them needs admin")
    if len(asked.prompts) > EACH:
        raise Problem(422, f"prompts has {len(asked.prompts):,} items: with delete_picture at most {EACH:,}")
    from glad_pipeline.operations import takedown

    reason, seen = asked.reason, asked.seen
    each = await state.blocking(
        lambda: dict(takedown.discard_each(state.database, asked.ids, reason=reason, seen=seen))
    )
    taken = {prompt_id: became for prompt_id, became in each.items() if not isinstance(became, str)}
    refused = {prompt_id: became for prompt_id, became in each.items() if isinstance(became, str)}
    job = await told(state, jobs, caller, list(taken.values()))
    words = "discarded, its picture is taken down"
    return outcomes(dict.fromkeys(taken, words), refused, asked.ids, job=job and job.path)
