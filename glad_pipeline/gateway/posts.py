"""`GET /api/posts` and `/api/posts/{slug}`: what the blog's own front end reads, on whatever schema the blog has.

Everybody reads what is published. Other states are for keys with the scope `read`, and one draft for who has the token
of its preview.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import psycopg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from glad_pipeline.callers.keys import allows
from glad_pipeline.database import DatabaseError
from glad_pipeline.gateway.blog_reads import BlogReads, Reads, Total
from glad_pipeline.gateway.caching import answer
from glad_pipeline.gateway.callers import Caller, caller_of, needs
from glad_pipeline.gateway.post_models import NOT_MODIFIED, PostAnswer, PostsPage, problems_of
from glad_pipeline.gateway.problems import Problem
from glad_pipeline.publishing.post_answers import post_of
from glad_pipeline.publishing.post_reading import Asked

router = APIRouter(tags=["posts"])
READS = "read"  # the scope of who sees what is not published
MOST_SKIPPED = 10_000  # posts; `after` goes further, and costs the same everywhere
SLUG_CHARS = 2_000
TEXT = r"^[^\x00]*$"  # what PostgreSQL takes
Who = Annotated[Caller | None, Depends(caller_of)]
Word = Annotated[str | None, Query(max_length=255, pattern=TEXT)]
_must_read = needs("read").dependency


@router.get(
    "/api/posts",
    summary="Posts, the newest first",
    response_model=None,
    responses={200: {"model": PostsPage}, **NOT_MODIFIED, **problems_of(401, 403, 422, 429, 503)},
)
@router.head("/api/posts", include_in_schema=False)
async def posts(
    request: Request,
    reads: Reads,
    caller: Who,
    skip: Annotated[int, Query(ge=0, le=MOST_SKIPPED, description="Posts to leave out; further on: `after`")] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    published_only: Annotated[
        bool, Query(description="False: all states, with a key that has the scope `read`. `status` goes first.")
    ] = True,
    status: Annotated[
        str | None,
        Query(
            max_length=50,
            pattern=TEXT,
            description="Posts of this state alone. Others than `published` ask for a key with the scope `read`.",
        ),
    ] = None,
    category: Annotated[Word, Query(description="Its slug, id or name")] = None,
    tag: Annotated[Word, Query(description="Its slug, id or name")] = None,
    search: Annotated[Word, Query(description="What the title has in it, in small or capital letters")] = None,
    after: Annotated[
        str | None,
        Query(
            max_length=2_000,
            pattern=r"^[A-Za-z0-9_-]*$",
            description="`meta.pagination.next` of the page before; `skip` does not count then, and there is no total.",
        ),
    ] = None,
) -> Response:
    """Ordered by the time of publication, or else of creation. A page that is short, or empty, is the last."""
    asked = Asked(
        states="published" if (status or (published_only and "published")) == "published" else "one" if status else "all",
        category=category is not None,
        tag=tag is not None,
        search=bool(search),
    )
    if asked.states != "published":
        await _must_read(caller)
    bound = {"status": status, "category": category, "tag": tag, "search": _like(search or ""), "skip": skip}
    if after:
        bound["at"], bound["id"] = _place_in(after)
    start = "after" if after else "skip" if skip else "first"
    try:
        rows = await reads.rows(lambda reading: reading.page(asked, limit, start), bound, search=asked.search)
    except DatabaseError as error:
        if after and isinstance(error.__cause__, psycopg.DataError):
            raise _no_place(after) from error
        raise
    total = None if after else await _total(reads, asked, bound, rows, limit)
    pagination = {
        **_pages(total, skip, limit),
        "next": _cursor(*(await reads.known()).place_of(rows[-1])) if len(rows) == limit else None,
    }
    content = {"data": [post_of(row) for row in rows], "meta": {"pagination": pagination}}
    return answer(request, content, private=caller is not None)


@router.get(
    "/api/posts/{slug:path}",
    summary="One post",
    response_model=None,
    responses={200: {"model": PostAnswer}, **NOT_MODIFIED, **problems_of(401, 404, 410, 422, 429, 503)},
)
@router.head("/api/posts/{slug:path}", include_in_schema=False)
async def post(
    request: Request,
    reads: Reads,
    caller: Who,
    slug: str,
    preview: Annotated[Word, Query(description="The `preview_token` of a draft, where the blog has such")] = None,
) -> Response:
    """A post that is published; 410 where it was taken down. With a key that has the scope `read`, of any state."""
    rows = await reads.rows(lambda reading: reading.one, {"slug": slug}) if _may_be_slug(slug) else []
    if not rows:
        raise Problem(404, "no post has this slug")
    row = rows[0]
    if not row["is_public"]:
        _require_insight(row, caller, preview)
    return answer(request, {"data": post_of(row)}, private=caller is not None or not row["is_public"])


def _require_insight(row: Mapping[str, Any], caller: Caller | None, preview: str | None) -> None:
    """A post that is not published is for who may read all, or has its token. Raises `Problem`."""
    token = row["preview_token"]
    if caller is not None and allows(caller.scopes, READS):
        return
    if token and preview and secrets.compare_digest(token.encode(), preview.encode()):
        return
    if row["was_taken_down"]:
        raise Problem(410, "this post was taken down")
    raise Problem(404, "no post has this slug")


async def _total(
    reads: BlogReads, asked: Asked, bound: dict[str, Any], rows: list[dict[str, Any]], limit: int
) -> Total:
    skip = bound["skip"]
    if len(rows) < limit and (rows or not skip):  # the last page
        return Total(posts=skip + len(rows), is_exact=True)
    return await reads.total(asked, bound)


def _pages(total: Total | None, skip: int, limit: int) -> dict[str, int | bool | None]:
    if total is None:
        return {"page": None, "pageSize": limit, "total": None, "totalIsExact": None, "pageCount": None}
    pages = -(-total.posts // limit)
    return {
        "page": skip // limit + 1,
        "pageSize": limit,
        "total": total.posts,
        "totalIsExact": total.is_exact,
        "pageCount": pages,
    }


def _like(text: str) -> str:
    """What ILIKE finds wherever this text stands."""
    for special in "\\%_":
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _cursor(at: str, id: str) -> str:
    return base64.urlsafe_b64encode(f"{at}|{id}".encode()).decode().rstrip("=")


def _place_in(cursor: str) -> tuple[str, str]:
    try:
        at, found, id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise _no_place(cursor) from error
    if not found:
        raise _no_place(cursor)
    return at, id


def _no_place(cursor: str) -> Problem:
    return Problem(422, f"after={cursor[:80]} is no place in this list: take `next` of the page before as it is")


def _may_be_slug(text: str) -> bool:
    return 0 < len(text) <= SLUG_CHARS and "\0" not in text
