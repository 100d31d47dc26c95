"""`GET /api/sitemap`: all published posts in chunks, for sitemaps of any length."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from glad_pipeline.gateway.blog_reads import BlogReads, reads_of
from glad_pipeline.gateway.caching import answer
from glad_pipeline.gateway.post_models import NOT_MODIFIED, Sitemap, SitemapChunk, problems_of
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.publishing import post_chunks
from glad_pipeline.publishing.post_chunks import Chunk
from glad_pipeline.records import values_of

router = APIRouter(tags=["posts"])
SECONDS = 8.0  # of PostgreSQL's for a look at all posts; a million take half a second
PROBLEMS = {**NOT_MODIFIED, **problems_of(404, 429, 503)}


@router.get("/api/sitemap", summary="All chunks", response_model=None, responses={200: {"model": Sitemap}, **PROBLEMS})
@router.head("/api/sitemap", include_in_schema=False)
async def sitemap(request: Request) -> Response:
    """The chunks of all published posts, the oldest first, with how many posts each has. Of the last ten minutes."""
    reads = reads_of(request)
    found: list[Chunk] = await reads.kept("sitemap", lambda: _chunks(reads))
    return answer(request, {"data": [values_of(each) for each in found]})


async def _chunks(reads: BlogReads) -> list[Chunk]:
    rows = await reads.rows_of_all(post_chunks.days, seconds=SECONDS)
    return post_chunks.chunks_of((row["day"], row["posts"]) for row in rows)


@router.get(
    "/api/sitemap/{chunk}",
    summary="The posts of a chunk",
    response_model=None,
    responses={200: {"model": SitemapChunk}, **PROBLEMS},
)
@router.head("/api/sitemap/{chunk}", include_in_schema=False)
async def sitemap_chunk(
    request: Request, chunk: Annotated[str, Path(description="As /api/sitemap names it", examples=["2026-03"])]
) -> Response:
    """At most 20,000, the oldest first, as they are at this moment."""
    span = post_chunks.span_of(chunk)
    if span is None:
        raise Problem(404, f"{chunk[:40]!r} is no chunk: GET /api/sitemap lists them")
    undated = not span.start
    bound = values_of(span)
    rows = await reads_of(request).rows(lambda reading: post_chunks.chunk(reading, undated=undated), bound, search=True)
    return answer(request, {"data": orjson.Fragment(rows[0]["posts"])})
