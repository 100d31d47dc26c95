"""`GET /api/posts` and `/api/posts/{slug}`: what the blog's own front end reads, on whatever schema the blog has.

Everybody reads what is published. Other states are for keys with the scope `read`, and one draft for who has the token
of its preview.
"""

from __future__ import annotations

import base64
import binascii
import secrets
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import orjson
import psycopg
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field
from starlette.routing import Match, Route
from starlette.types import Scope

from glad_pipeline.callers.keys import Scope as KeyScope
from glad_pipeline.callers.keys import allows
from glad_pipeline.database import DatabaseError
from glad_pipeline.gateway.blog_reads import BlogReads, Composed, Total, reads_of
from glad_pipeline.gateway.caching import answer
from glad_pipeline.gateway.callers import FOR_ANYBODY, Caller, caller_of, require
from glad_pipeline.gateway.models import Model
from glad_pipeline.gateway.post_models import NOT_MODIFIED, PostAnswer, PostsPage
from glad_pipeline.gateway.problems import Problem, errors
from glad_pipeline.gateway.queries import documented, query_of
from glad_pipeline.publishing.post_reading import Asked, Start

router = APIRouter(tags=["posts"])
READS: KeyScope = "read"  # the scope of who sees what is not published
MOST_SKIPPED = 10_000  # posts; `after` goes further, and costs the same everywhere
SLUG_CHARS = 2_000
TEXT = r"^[^\x00]*$"  # what PostgreSQL takes
Who = Annotated[Caller | None, Depends(caller_of)]
Word = Annotated[str, Field(max_length=255, pattern=TEXT)] | None
_BOUND = ("status", "category", "tag", "author", "skip")
_CREDENTIALS = (b"authorization", b"x-api-key", b"cookie")


class ListQuery(Model):
    """What may be asked of the list."""

    skip: int = Field(0, ge=0, le=MOST_SKIPPED, description="Posts to leave out; further on: `after`")
    limit: int = Field(20, ge=1, le=100)
    published_only: bool = Field(
        True, description="False: all states, with a key that has the scope `read`. `status` goes first."
    )
    status: Word = Field(
        None, description="Posts of this state alone. Others than `published` ask for a key with the scope `read`."
    )
    category: Word = Field(None, description="Its slug, id or name")
    tag: Word = Field(None, description="Its slug, id or name")
    author: Word = Field(None, description="Its slug, id or name")
    search: Word = Field(None, description="What the title has in it, in small or capital letters")
    after: Annotated[str, Field(max_length=2_000, pattern=r"^[A-Za-z0-9_-]*$")] | None = Field(
        None,
        description="`meta.pagination.next` of the page before; `skip` does not count then, and there is no total.",
    )

    fields: Literal["all", "summary"] = Field(
        "all", description="`summary`: without `content`, which is most of a page's bytes"
    )

    @property
    def asked(self) -> Asked:
        status = self.status or ("published" if self.published_only else None)
        return Asked(
            states="published" if status == "published" else "one" if status else "all",
            category=self.category is not None,
            tag=self.tag is not None,
            author=self.author is not None,
            search=bool(self.search),
        )


@router.get(
    "/api/posts",
    summary="Posts, the newest first",
    response_model=None,
    responses={200: {"model": PostsPage}, **NOT_MODIFIED, **errors(401, 403, 422, 429, 503)},
    openapi_extra={**documented(ListQuery), **FOR_ANYBODY},
)
@router.head("/api/posts", include_in_schema=False)
async def posts(request: Request, caller: Who) -> Response:
    """Ordered by the time of publication, or else of creation. A page that is short, or empty, is the last."""
    query, reads = query_of(ListQuery, request), reads_of(request)
    asked = query.asked
    if asked.states != "published":
        require(caller, READS)
    skip, limit, after = query.skip, query.limit, query.after
    bound: dict[str, Any] = {name: getattr(query, name) for name in _BOUND}
    bound["search"] = _like(query.search or "")
    if after:
        bound["at"], bound["id"] = _place_in(after)
    start: Start = "after" if after else "skip" if skip else "first"
    try:
        rows = await reads.rows(
            lambda reading: reading.page(asked, limit, start, query.fields), bound, search=asked.may_take_long
        )
    except DatabaseError as error:
        if after and isinstance(error.__cause__, psycopg.DataError):
            raise _no_place(after) from error
        raise
    total = None if after else await _total(reads, asked, bound, rows, limit)
    pagination = {
        **_pages(total, skip, limit),
        "next": _cursor(rows[-1]["at"] or "", rows[-1]["id"]) if len(rows) == limit else None,
    }
    content = {"data": [orjson.Fragment(row["post"]) for row in rows], "meta": {"pagination": pagination}}
    return answer(request, content, private=caller is not None)


class _Anonymous(Route):
    """The list for who shows neither key nor session, without FastAPI's own way to it: that takes a third of the time
    of the whole request, and has nothing to find out here. Whoever shows something goes that way."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if any(name in _CREDENTIALS for name, _ in scope["headers"]):
            return Match.NONE, {}
        match, found = super().matches(scope)
        return match, {**found, "route": self}  # for log and metrics, as FastAPI's own routes


async def _for_anybody(request: Request) -> Response:
    return await posts(request, None)


anonymous = _Anonymous("/api/posts", _for_anybody, methods=["GET"], include_in_schema=False)


@router.get(
    "/api/posts/{slug:path}",
    summary="One post",
    response_model=None,
    responses={200: {"model": PostAnswer}, **NOT_MODIFIED, **errors(401, 404, 410, 422, 429, 503)},
    openapi_extra=FOR_ANYBODY,
)
@router.head("/api/posts/{slug:path}", include_in_schema=False)
async def post(
    request: Request,
    caller: Who,
    slug: str,
    preview: Annotated[Word, Query(description="The `preview_token` of a draft, where the blog has such")] = None,
) -> Response:
    """A post that is published; 410 where it was taken down. With a key that has the scope `read`, of any state."""
    row = await one_of(request, slug, lambda reading: reading.one)
    if not row["is_public"]:
        _require_insight(row, caller, preview)
    return answer(request, {"data": orjson.Fragment(row["post"])}, private=caller is not None or not row["is_public"])


async def one_of(request: Request, slug: str, composed: Composed) -> dict[str, Any]:
    """The row that such a statement has for a slug. Raises `Problem` where there is no such post."""
    rows = await reads_of(request).rows(composed, {"slug": slug}) if _may_be_slug(slug) else []
    if not rows:
        raise Problem(404, "no post has this slug")
    return rows[0]


def require_public(row: Mapping[str, Any]) -> None:
    """Raises `Problem` where not everybody may read the post: 410 where it was taken down, else 404."""
    if row["is_public"]:
        return
    if row["was_taken_down"]:
        raise Problem(410, "this post was taken down")
    raise Problem(404, "no post has this slug")


def _require_insight(row: Mapping[str, Any], caller: Caller | None, preview: str | None) -> None:
    """A post that is not published is for who may read all, or has its token. Raises `Problem`."""
    token = row["preview_token"]
    if caller is not None and allows(caller.scopes, READS):
        return
    if token and preview and secrets.compare_digest(token.encode(), preview.encode()):
        return
    require_public(row)


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
