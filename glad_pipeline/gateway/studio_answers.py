"""What the studio's routes take and answer in common: ids and texts, pages, outcomes of several, their errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

import orjson
from fastapi import Path, Query
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from glad_pipeline.callers.keys import allows
from glad_pipeline.gateway.callers import Caller
from glad_pipeline.gateway.problems import MEDIA_TYPE, Problem
from glad_pipeline.limits import REASON_CHARS
from glad_pipeline.prompts.intake import key_of
from glad_pipeline.prompts.management import Changes

LARGEST = 2**63 - 1  # a PostgreSQL bigint
SEVERAL = 10_000  # things of one request
EACH = 1_000  # of those that take a transaction each
PAGE = 100  # rows of a page, at most
Data = TypeVar("Data")


def _whole(found: Any) -> Any:
    """JSON knows one kind of number: 5.0 is 5."""
    return int(found) if isinstance(found, float) and found.is_integer() else found


Whole = Annotated[int, BeforeValidator(_whole)]
Id = Annotated[Whole, Field(ge=1, le=LARGEST)]
IdInPath = Annotated[int, Path(ge=1, le=LARGEST)]
After = Annotated[
    int | None, Query(ge=1, le=LARGEST, description="the next page: `meta.after` of the one before", examples=[None])
]
Limit = Annotated[int, Query(ge=1, le=PAGE)]


def _storable(text: str) -> str:
    """Without what PostgreSQL takes in no text. Lone surrogates pydantic refuses itself."""
    if "\x00" in text:
        raise ValueError("must not have a NUL character")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Reason = Annotated[Text, Field(min_length=1, max_length=REASON_CHARS)]


class Body(BaseModel):
    """What a request may have in its body, and nothing else."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Told(BaseModel):
    """What an answer has, for OpenAPI: no answer is made by it, so that it need not be built at the start."""

    model_config = ConfigDict(defer_build=True)


class Ids(Body):
    """Which are meant."""

    ids: list[Id] = Field(min_length=1, max_length=SEVERAL, examples=[[17, 18]])


class Answer(Told, Generic[Data]):
    """One thing."""

    data: Data


class Counts(Told):
    """Of a page."""

    after: int | None = Field(description="for the next page; null: this is the last")


class Page(Told, Generic[Data]):
    """Some of many."""

    data: list[Data]
    meta: Counts


class Outcome(Told):
    """What became of one of several."""

    id: int
    ok: bool
    detail: str = Field(description="what was done, or why it stays as it is")


class Tally(Told):
    """Of several."""

    ok: int
    refused: int
    job: str | None = Field(default=None, description="where it is followed what still goes on")


class Outcomes(Told):
    """What became of each."""

    data: list[Outcome]
    meta: Tally


class ProblemBody(Told):
    """RFC 9457: what happened, which value, what to do."""

    type: str
    title: str
    status: int
    detail: str


_REFUSALS = {
    401: "no key, or one that opens nothing",
    403: "the key's scopes do not allow it",
    404: "there is no such thing",
    409: "it cannot be done now: the detail says why",
    410: "it was taken down",
    413: "the body is too large",
    415: "the body is of another kind",
    422: "the request cannot be right",
    429: "too many requests: see Retry-After",
    503: "the database or the store does not answer: see Retry-After",
}


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for OpenAPI: those that every one of these has, and these."""
    content = {MEDIA_TYPE: {"schema": ProblemBody.model_json_schema()}}
    return {
        code: {"description": _REFUSALS[code], "content": content} for code in sorted({401, 403, 422, 429, 503, *codes})
    }


def answer(data: Any, status: int = 200, *, meta: Mapping[str, Any] | None = None) -> Response:
    """As JSON; dataclasses, times and UUIDs are known. It is the caller's alone: nobody keeps it."""
    body = {"data": data} if meta is None else {"data": data, "meta": meta}
    headers = {"Cache-Control": "private, no-store"}
    return Response(orjson.dumps(body, option=orjson.OPT_NON_STR_KEYS), status, headers, "application/json")


def page(rows: Sequence[Any], limit: int, last: Any = None, **more: Any) -> Response:
    """Rows, and where the next page begins. `last`: the key of the last one, where that is not its `id`."""
    key = None if not rows else rows[-1].id if last is None else last
    return answer(rows, meta={"after": key if len(rows) == limit else None, **more})


def outcomes(done: Mapping[int, str], refused: Mapping[int, str], order: Sequence[int], **more: Any) -> Response:
    """What became of each, in the order in which they were asked for. `more`: of the answer's `meta`."""
    told = [
        {"id": each, "ok": each in done, "detail": done[each] if each in done else refused[each]}
        for each in dict.fromkeys(order)
    ]
    return answer(told, meta={"ok": len(done), "refused": len(refused), **more})


def changed(changes: Changes, words: str, order: Sequence[int]) -> Response:
    """`outcomes` of a change of prompts."""
    return outcomes(dict.fromkeys(changes.changed, words), changes.refused, order)


def whose(caller: Caller) -> str | None:
    """Whose prompts this caller may change: its own (the source of that name); None: anybody's."""
    return None if may_approve(caller) else caller.name


def may_approve(caller: Caller) -> bool:
    """Whether this caller may decide about what waits for approval."""
    return allows(caller.scopes, "review")


def may_read(caller: Caller, source: str | None) -> bool:
    """Whether this caller may see a prompt of this source: its own, or with `read` anybody's."""
    return source == caller.name or allows(caller.scopes, "read")


def with_own_key(caller: Caller, given: Mapping[str, Any]) -> dict[str, Any]:
    """These fields with an `idempotency_key` that is no other caller's; an admin's is as it is said."""
    key = given.get("idempotency_key")
    if key is None or allows(caller.scopes, "admin"):
        return dict(given)
    return {**given, "idempotency_key": key_of(caller.name, key)}


def source_for(caller: Caller, asked: str | None) -> str:
    """The source of prompts that this caller asks for. Raises `Problem` for another one's, which has its own limits."""
    if asked is None:
        return caller.name
    if asked != caller.name and not allows(caller.scopes, "admin"):
        raise Problem(403, f"source {asked!r} is another one's: leave it out, and it is {caller.name!r}")
    return asked
