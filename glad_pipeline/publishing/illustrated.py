"""The blog's posts that this pipeline has made or illustrated, each with its state and the prompt behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.database.blog import has_posts
from glad_pipeline.records import PostId, records_of

SQL = named_queries(__package__, "illustrated.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class IllustratedPost:
    """A post, and the last prompt whose picture it got."""

    post_id: PostId
    slug: str | None
    path: str | None  # on the blog
    title: str | None
    status: str  # as the blog has it: published, draft, …
    made: bool  # by this pipeline; False: it was there, and got a picture
    prompt_id: int
    prompt_status: str
    published_at: datetime | None  # by this pipeline
    taken_down_at: datetime | None
    image_id: int | None
    image_url: str | None  # None: taken down
    image_thumbnail_url: str | None
    shows: str | None  # what it shows now, ours or not


def illustrated(
    connection: Connection, *, status: str | None = None, limit: int, before: int | None
) -> list[IllustratedPost]:
    """A page of up to `limit` of them, the newest prompt first; the next is `before` the last `prompt_id` of this one.

    `status`: only posts in this state of the blog's.
    """
    if not has_posts(connection):
        return []
    bound = {"status": status, "limit": limit, "before": before}
    return records_of(IllustratedPost, connection.execute(SQL["illustrated"], bound))
