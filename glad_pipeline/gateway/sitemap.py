"""`GET /api/sitemap`: all published posts in chunks, for sitemaps of any length."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from glad_pipeline.gateway.blog_reads import BlogReads, reads_of
from glad_pipeline.gateway.caching import answer
from glad_pipeline.gateway.post_models import NOT_MODIFIED, Sitemap, SitemapChunk
from glad_pipeline.gateway.problems import Problem, errors
from glad_pipeline.publishing import post_chunks
from glad_pipeline.publishing.post_chunks import Chunk, Span
from glad_pipeline.records import values_of

router = APIRouter(tags=["posts"])
SECONDS = 8.0  # of PostgreSQL's for a look at all posts, and for a chunk; a million take half a second
PROBLEMS = {**NOT_MODIFIED, **errors(404, 429, 503)}


@router.get("/api/sitemap", summary="All chunks", response_model=None, responses={200: {"model": Sitemap}, **PROBLEMS})
@router.head("/api/sitemap", include_in_schema=False)
async def sitemap(request: Request) -> Response:
    """The chunks of all published posts, the oldest first, with how many posts each has. Of the last ten minutes."""
    reads = reads_of(request)
    return answer(request, {"data": [values_of(each) for each in await _chunks(reads)]})


async def _chunks(reads: BlogReads) -> list[Chunk]:
    found: list[Chunk] = await reads.kept("sitemap", lambda: _looked(reads))
    return found


async def _looked(reads: BlogReads) -> list[Chunk]:
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
    span, reads = post_chunks.span_of(chunk), reads_of(request)
    if span is None or (span.skip and await _is_beyond(span, chunk, reads)):
        raise Problem(404, f"{chunk[:40]!r} is no chunk: GET /api/sitemap lists them")
    undated, bound = not span.start, values_of(span)
    rows = await reads.rows_of_many(lambda reading: post_chunks.chunk(reading, undated=undated), bound, seconds=SECONDS)
    return answer(request, {"data": orjson.Fragment(rows[0]["posts"])})


async def _is_beyond(span: Span, chunk: str, reads: BlogReads) -> bool:
    """Whether so many posts would have to be skipped that the list has no such part, nor the one before it."""
    name = chunk.partition(".")[0]
    listed = sum(each.posts for each in await _chunks(reads) if each.chunk.partition(".")[0] == name)
    return span.skip >= listed + post_chunks.MOST
