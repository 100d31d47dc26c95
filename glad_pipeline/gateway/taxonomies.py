"""`GET /api/categories`, `/api/tags` and `/api/authors`: the blog's own, where it has such tables; else none."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from glad_pipeline.gateway.blog_reads import BlogReads, reads_of
from glad_pipeline.gateway.caching import answer
from glad_pipeline.gateway.post_models import (
    NOT_MODIFIED,
    AuthorAnswer,
    Authors,
    LabelAnswer,
    Labels,
    problems_of,
)
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.publishing.post_reading import Asked, PostReading

router = APIRouter(tags=["posts"])
logger = logging.getLogger(__name__)
PROBLEMS = {**NOT_MODIFIED, **problems_of(429, 503)}
OF_ONE = {**NOT_MODIFIED, **problems_of(404, 429, 503)}
COUNT_SECONDS = 3.0  # of PostgreSQL's for counting the posts of all categories, tags or authors
NAME_CHARS = 255
Named = Annotated[str, Path(description="Its slug, id or name", examples=["technology"])]
Counts = tuple[Counter[str], Counter[str]]  # posts by id, and by name where they have no id


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


@router.get(
    "/api/categories/{name:path}",
    summary="One category",
    response_model=None,
    responses={200: {"model": LabelAnswer}, **OF_ONE},
)
@router.head("/api/categories/{name:path}", include_in_schema=False)
async def category(request: Request, name: Named) -> Response:
    """By its slug, id or name."""
    return await _one_of("categories", request, name)


@router.get(
    "/api/tags/{name:path}", summary="One tag", response_model=None, responses={200: {"model": LabelAnswer}, **OF_ONE}
)
@router.head("/api/tags/{name:path}", include_in_schema=False)
async def tag(request: Request, name: Named) -> Response:
    """By its slug, id or name."""
    return await _one_of("tags", request, name)


@router.get(
    "/api/authors/{name:path}",
    summary="One author",
    response_model=None,
    responses={200: {"model": AuthorAnswer}, **OF_ONE},
)
@router.head("/api/authors/{name:path}", include_in_schema=False)
async def author(request: Request, name: Named) -> Response:
    """By its slug, id or name."""
    return await _one_of("authors", request, name)


async def _all_of(table: str, request: Request) -> Response:
    reads = reads_of(request)
    rows = await reads.rows(lambda reading: reading.labels.all(table), {})
    counts = await _counts(reads, table) if rows else None
    return answer(request, {"data": [_with_count(row["label"], counts) for row in rows]})


async def _one_of(table: str, request: Request, name: str) -> Response:
    reads = reads_of(request)
    may_be = 0 < len(name) <= NAME_CHARS and "\0" not in name
    rows = await reads.rows(lambda reading: reading.labels.one(table), {"label": name}) if may_be else []
    if not rows:
        raise Problem(404, f"none of the {table} is called so")
    return answer(request, {"data": _with_count(rows[0]["label"], await _counts(reads, table))})


def _with_count(label: str, counts: Counts | None) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(label)
    posts = None if counts is None else counts[0][str(found["id"])] + counts[1][found["name"]]
    return {**found, "posts": posts}


async def _counts(reads: BlogReads, table: str) -> Counts | None:
    found: Counts | None = await reads.kept(f"posts of {table}", lambda: _counted(reads, table))
    return found


async def _counted(reads: BlogReads, table: str) -> Counts | None:
    """None: the blog does not keep it with its posts, or they are too many to be counted in time."""

    def composed(reading: PostReading) -> bytes:
        return reading.labels.count(table, reading.conditions(Asked())) or b"SELECT NULL AS posts"

    try:
        rows = await reads.rows_of_all(composed, seconds=COUNT_SECONDS)
    except Problem as problem:
        logger.info("gateway.not_counted table=%s why=%s", table, problem.detail)
        return None
    if rows and rows[0]["posts"] is None:
        return None
    by_id: Counter[str] = Counter()
    by_name: Counter[str] = Counter()
    for row in rows:
        (by_name if row["id"] is None else by_id)[row["name"] if row["id"] is None else row["id"]] += row["posts"]
    return by_id, by_name
