"""What a page of one post shows beside the post: its neighbours in the list, and what is to be said of its picture.

`/api/posts/{slug}` takes any slug, those with a slash too: of a post called `a/around` its neighbours are asked by
`a/around/around`, and where there is no post `a`, `a/around` is that post.
"""

from __future__ import annotations

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from glad_pipeline.gateway.blog_reads import reads_of
from glad_pipeline.gateway.caching import answer
from glad_pipeline.gateway.callers import Caller, caller_of
from glad_pipeline.gateway.post_models import NOT_MODIFIED, AboutAnswer, AroundAnswer, problems_of
from glad_pipeline.gateway.posts import one_of, post, require_public
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.operations.choices import license_of
from glad_pipeline.publishing.post_reading import Asked, Start
from glad_pipeline.settings import Settings

router = APIRouter(tags=["posts"])
Who = Annotated[Caller | None, Depends(caller_of)]
OF_MODELS = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
PROBLEMS = {**NOT_MODIFIED, **problems_of(401, 404, 410, 429, 503)}


@router.get(
    "/api/posts/{slug:path}/around",
    summary="The posts beside one in the list",
    response_model=None,
    responses={200: {"model": AroundAnswer}, **PROBLEMS},
)
@router.head("/api/posts/{slug:path}/around", include_in_schema=False)
async def around(request: Request, caller: Who, slug: str) -> Response:
    """The next newer and the next older published post, without their text; null at either end of the list."""
    try:
        row = await one_of(request, slug, lambda reading: reading.one)
    except Problem:
        return await post(request, caller, f"{slug}/around")
    require_public(row)
    place = {"at": row["at"] or "", "id": row["id"]}

    async def beside(start: Start) -> orjson.Fragment | None:
        found = await reads_of(request).rows(lambda reading: reading.page(Asked(), 1, start, "summary"), place)
        return orjson.Fragment(found[0]["post"]) if found else None

    return answer(
        request, {"data": {"newer": await beside("before"), "older": await beside("after")}}, private=caller is not None
    )


@router.get(
    "/api/posts/{slug:path}/picture",
    summary="About the picture of a post",
    response_model=None,
    responses={200: {"model": AboutAnswer}, **PROBLEMS},
)
@router.head("/api/posts/{slug:path}/picture", include_in_schema=False)
async def picture(request: Request, caller: Who, slug: str) -> Response:
    """How it was made, when, and on what terms it may be used; 404 where it is none that was drawn here."""
    try:
        row = await one_of(request, slug, lambda reading: reading.about)
    except Problem:
        return await post(request, caller, f"{slug}/picture")
    require_public(row)
    if not row["is_ours"]:
        raise Problem(404, "this post shows no picture that was drawn here")
    if row["was_removed"]:
        raise Problem(410, "the picture of this post was taken down")
    return answer(request, {"data": _about(row, request.app.state.glad.settings)}, private=caller is not None)


def _about(row: dict[str, Any], settings: Settings) -> dict[str, Any]:
    return {
        **{name: row[name] for name in ("url", "width", "height", "alt", "drawn_at")},
        "model": {"name": row["model"], "license": license_of(row["model"])},
        "is_generated": True,
        "digital_source_type": OF_MODELS,
        "credit": settings.picture_credit,
        "license": settings.picture_license,
        "license_name": settings.picture_license_name,
        "prompt": row["prompt"] if settings.show_prompts else None,
    }
