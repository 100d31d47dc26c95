"""The studio's prompts: looked through, asked for, edited, put back, cancelled."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from glad_pipeline.errors import GladError
from glad_pipeline.gateway.callers import Caller, needs
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.gateway.state import Here
from glad_pipeline.gateway.studio_answers import (
    EACH,
    SEVERAL,
    After,
    Answer,
    Body,
    Counts,
    Id,
    IdInPath,
    Ids,
    Limit,
    Moment,
    Outcomes,
    Text,
    Told,
    Whole,
    answer,
    changed,
    may_approve,
    may_read,
    outcomes,
    page,
    refusals,
    source_for,
    whose,
    why_taken,
    with_own_key,
)
from glad_pipeline.gateway.studio_fields import PromptAsked, PromptFields, Seen
from glad_pipeline.limits import CHARS, PRIORITY
from glad_pipeline.operations.asking import AskedFor, ask_for, ask_for_each
from glad_pipeline.operations.checking import OF_ANOTHER
from glad_pipeline.operations.lineage import Lineage, lineage_of
from glad_pipeline.prompts import editing, management
from glad_pipeline.prompts.editing import ChangedMeanwhileError, Edit
from glad_pipeline.prompts.intake import KeyTaken
from glad_pipeline.prompts.management import PromptStatus, Status, Wanted

router = APIRouter(prefix="/api/studio/prompts", tags=["studio: prompts"])
Reader = Annotated[Caller, needs("read")]
Submitter = Annotated[Caller, needs("submit")]


class PromptCounts(Counts):
    """Of a page of prompts."""

    counts: dict[str, int] | None = Field(
        description="prompts by status, of those that the filters mean but for `status`; on the first page only"
    )


class PromptPage(Told):
    """Some prompts, the newest first."""

    data: list[PromptStatus]
    meta: PromptCounts


THERE: dict[str, Any] = {"model": Answer[AskedFor], "description": "It was in the queue already"}


@router.get("", response_model=PromptPage, responses=refusals())
async def list_prompts(
    state: Here,
    caller: Reader,
    *,
    status: Annotated[Status | None, Query()] = None,
    source: Annotated[Text | None, Query(max_length=CHARS["source"], description="'': without a source")] = None,
    category: Annotated[Text | None, Query(max_length=CHARS["category"])] = None,
    text: Annotated[Text | None, Query(min_length=1, max_length=200, description="in title or prompt")] = None,
    since: Annotated[Moment | None, Query(description="asked for then or later")] = None,
    until: Annotated[Moment | None, Query(description="asked for before")] = None,
    after: After = None,
    limit: Limit = 20,
) -> Response:
    """Prompts, the newest first. What each became in full has `GET /api/studio/prompts/{id}`."""
    wanted = Wanted(source=source, category=category, text=text, since=since, until=until)
    rows = await state.looking(
        management.list_prompts, state.database, status=status, wanted=wanted, limit=limit, before=after
    )
    counts = None if after else await state.looking(management.counts_by_status, state.database, wanted)
    return page(rows, limit, counts=counts)


@router.get("/{prompt_id:number}", response_model=Answer[Lineage], responses=refusals(404))
async def show_prompt(state: Here, caller: Reader, prompt_id: IdInPath) -> Response:
    """One prompt with all that is known of it: where it stands, what happened to it, its picture with recipe and
    provenance, the stored objects, its post, and who was told."""
    found = await state.blocking(lineage_of, state.database, prompt_id, state.settings)
    if found is None:
        raise Problem(404, f"there is no prompt {prompt_id}")
    return answer(found)


@router.post("", status_code=201, response_model=Answer[AskedFor], responses={200: THERE, **refusals(409)})
async def add_prompt(state: Here, caller: Submitter, asked: PromptAsked) -> Response:
    """Ask for a picture. The same `idempotency_key` or `task_id`, or without them the same fields, is one prompt.

    409: it is one that somebody else has asked for, and the key may not read it.
    """
    given = _given(caller, asked)
    try:
        done = await state.blocking(ask_for, state.database, given, state.settings)
    except KeyTaken as error:
        raise Problem(409, why_taken(caller, error)) from error
    if not done.is_new and done.prompt is not None and not may_read(caller, done.prompt.source):
        raise Problem(409, OF_ANOTHER)
    return answer(done, 201 if done.is_new else 200)


class Batch(Body):
    """Prompts, each for itself. Files of more: `POST /api/studio/prompts/import`."""

    prompts: list[PromptAsked] = Field(min_length=1, max_length=EACH)


class OfBatch(Told):
    """What became of one prompt of a batch."""

    index: int = Field(description="its place in the batch, from 0")
    id: int | None = Field(description="null: it is not in the queue")
    ok: bool
    is_new: bool
    detail: str


class BatchOutcomes(Told):
    """What became of each, in the order of the batch."""

    data: list[OfBatch]
    meta: dict[str, int]


@router.post("/batch", response_model=BatchOutcomes, responses=refusals(413))
async def add_prompts(state: Here, caller: Submitter, batch: Batch) -> Response:
    """Ask for several pictures. One that is refused keeps no other from the queue."""
    wanted = [_given(caller, asked) for asked in batch.prompts]
    done = await state.blocking(lambda: list(ask_for_each(state.database, wanted, state.settings)))
    there = [each[0] for each in done if not isinstance(each, GladError) and not each[1]]
    sources = await state.blocking(management.sources_of, state.database, there)
    hidden = {prompt_id for prompt_id in there if not may_read(caller, sources.get(prompt_id))}
    told = [_of_batch(caller, index, each, hidden) for index, each in enumerate(done)]
    new, ok = sum(each["is_new"] for each in told), sum(each["ok"] for each in told)
    return answer(told, meta={"ok": ok, "new": new, "refused": len(told) - ok})


def _of_batch(
    caller: Caller, index: int, became: tuple[int, bool] | GladError, hidden: Collection[int]
) -> dict[str, Any]:
    if isinstance(became, GladError) or became[0] in hidden:
        why = OF_ANOTHER if not isinstance(became, GladError) else why_taken(caller, became)
        return {"index": index, "id": None, "ok": False, "is_new": False, "detail": why}
    prompt_id, is_new = became
    words = "in the queue" if is_new else "was in the queue already"
    return {"index": index, "id": prompt_id, "ok": True, "is_new": is_new, "detail": words}


def _given(caller: Caller, asked: PromptFields) -> dict[str, Any]:
    """The fields that are asked for, those of a prompt of this caller's."""
    given = {name: found for name, found in asked.given().items() if found is not None}
    return {**with_own_key(caller, given), "source": source_for(caller, asked.source)}


class Change(Body):
    """An edit."""

    fields: PromptFields = Field(description="those to be set; null: to the default", examples=[{"title": "Dawn"}])
    expected: dict[Seen, Any] = Field(
        default_factory=dict,
        description="fields as the editor has seen them: where one is another by now, nothing is changed (409)",
        examples=[{"title": None}],
    )


@router.patch("/{prompt_id:number}", response_model=Answer[Edit], responses=refusals(404, 409))
async def edit_prompt(state: Here, caller: Submitter, prompt_id: IdInPath, change: Change) -> Response:
    """Change a prompt that is not published yet: with another text or recipe its picture is drawn (again).

    403: it needs approval, and this is for who reviews it. A problem 409 has `now`: the fields that somebody else has
    changed meanwhile, as they are.
    """
    given = with_own_key(caller, change.fields.given())
    if not given:
        raise Problem(422, "fields is empty: say what to change")
    if "source" in given:
        given["source"] = source_for(caller, given["source"])

    def edit() -> Edit:
        fields = editing.with_post(state.database, given)
        return editing.edit_prompt(
            state.database,
            prompt_id,
            fields,
            zone=state.settings.zone,
            expected=change.expected,
            of=whose(caller),
            may_approve=may_approve(caller),
        )

    try:
        return answer(await state.blocking(edit))
    except ChangedMeanwhileError as error:
        raise Problem(409, str(error), now=error.now) from error


class Priority(Body):
    """How soon."""

    ids: list[Id] = Field(min_length=1, max_length=EACH)
    priority: Whole = Field(ge=PRIORITY.low, le=PRIORITY.high, description="higher goes first; 0 is usual")


@router.post("/priority", response_model=Outcomes, responses=refusals())
async def set_priority(state: Here, caller: Submitter, asked: Priority) -> Response:
    """Have prompts drawn sooner, or later, than others."""
    given = {"priority": asked.priority}
    done, refused = await state.blocking(editing.edit_prompts, state.database, asked.ids, given, of=whose(caller))
    words = dict.fromkeys(done, f"its priority is {asked.priority}")
    return outcomes(words, refused, asked.ids)


class Retry(Body):
    """Which: by their ids, or all that have failed."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["ids"]}, {"required": ["all_failed"]}]})

    ids: list[Id] | None = Field(default=None, min_length=1, max_length=SEVERAL)
    all_failed: Literal[True] | None = None


@router.post("/retry", response_model=Outcomes, responses=refusals())
async def retry_prompts(state: Here, caller: Submitter, asked: Retry) -> Response:
    """Put failed, rejected or cancelled prompts back into the queue, with all attempts before them.

    Of `all_failed` the answer has only how many there were.
    """
    if (asked.ids is None) is (asked.all_failed is None):
        raise Problem(422, "name prompts by their ids, or all with all_failed")
    if asked.ids is None:
        if whose(caller) is not None:
            raise Problem(403, f"the key {caller.name} may have its own prompts tried again: name them by their ids")
        count = await state.blocking(management.retry_all_failed, state.database)
        return answer([], meta={"ok": count, "refused": 0})
    done = await state.blocking(management.retry, state.database, asked.ids, of=whose(caller))
    return changed(done, "back in the queue", asked.ids)


@router.post("/cancel", response_model=Outcomes, responses=refusals())
async def cancel_prompts(state: Here, caller: Submitter, asked: Ids) -> Response:
    """Take prompts out of the queue before they are published, or once their post is gone."""
    done = await state.blocking(management.cancel, state.database, asked.ids, of=whose(caller))
    return changed(done, "cancelled", asked.ids)
