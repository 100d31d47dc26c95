"""`GET /api/categories`, `/api/tags` and `/api/authors`: the blog's own, where it has such tables; else none."""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import Response

from glad_pipeline.gateway.blog_reads import reads_of
from glad_pipeline.gateway.caching import answer
from glad_pipeline.gateway.post_models import NOT_MODIFIED, Authors, Labels
from glad_pipeline.gateway.problems import errors

router = APIRouter(tags=["posts"])
PROBLEMS = {**NOT_MODIFIED, **errors(429, 503)}


@router.get(
    "/api/categories", summary="All categories", response_model=None, responses={200: {"model": Labels}, **PROBLEMS}
)
@router.head("/api/categories", include_in_schema=False)
async def categories(request: Request) -> Response:
    """By name, at most 1,000."""
    return await _all_of("categories", request)


@router.get("/api/tags", summary="All tags", response_model=None, responses={200: {"model": Labels}, **PROBLEMS})
@router.head("/api/tags", include_in_schema=False)
async def tags(request: Request) -> Response:
    """By name, at most 1,000."""
    return await _all_of("tags", request)


@router.get("/api/authors", summary="All authors", response_model=None, responses={200: {"model": Authors}, **PROBLEMS})
@router.head("/api/authors", include_in_schema=False)
async def authors(request: Request) -> Response:
    """By name, at most 1,000; without their e-mail addresses."""
    return await _all_of("authors", request)


async def _all_of(table: str, request: Request) -> Response:
    rows = await reads_of(request).rows(lambda reading: reading.labels(table), {})
    return answer(request, {"data": [orjson.Fragment(row["label"]) for row in rows]})
