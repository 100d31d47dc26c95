"""Pictures that wait for a person, with what they need to decide: the picture in all sizes, its text, what it replaces.

Puts queue, catalogue and blog together. Changes nothing: deciding is `prompts.management`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.database.blog import has_posts
from glad_pipeline.publishing.public_picture import PublicPicture
from glad_pipeline.records import DuePrompt, PostId, records_of

SQL = named_queries(__package__, "review.sql")
Kind = Literal["awaiting_approval", "ready"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A picture for an `<img>`."""

    url: str  # the original
    width: int  # pixels
    height: int
    bytes: int
    thumbnail: str  # the original where there is none
    placeholder: str | None  # a data URI
    srcset: Mapping[str, str]  # by format: webp, avif; empty: it has no renditions


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """A prompt whose picture waits for a person."""

    id: int
    status: Kind
    source: str
    prompt: str
    negative_prompt: str
    title: str | None
    excerpt: str | None
    category: str | None
    author: str | None
    alt_text: str | None
    task_id: str | None
    post_id: PostId | None  # the post that it illustrates, or had before
    post_path: str | None  # its address on the blog
    post_shows: str | None  # the picture, not ours, in whose place this one would come
    reason: str | None  # why it waits, where that was not asked for
    drawn_at: datetime | None
    publish_at: datetime | None
    image_id: int  # to be given back with the decision: a picture that was drawn anew since is not decided about
    picture: Preview


def waiting(
    database: Database, *, kind: Kind = "awaiting_approval", source: str | None = None, limit: int, after: int | None
) -> list[Waiting]:
    """A page of them, those that were asked for first; the next page is `after` the last id of this one.

    `ready`: pictures that were asked for alone, of which a post may be made.
    """
    bound = {"status": kind, "source": source, "limit": limit, "after": after}

    def look(connection: Connection) -> list[Waiting]:
        rows = connection.execute(SQL["waiting"], bound).fetchall()
        posts: dict[int, Mapping[str, Any]] = {}
        if rows and has_posts(connection):
            found = connection.execute(SQL["posts_of"], {"ids": [row["id"] for row in rows]})
            posts = {row["id"]: row for row in found}
        return [_waiting(row, posts.get(row["id"], {})) for row in rows]

    return database.read(look)


def _waiting(row: Mapping[str, Any], post: Mapping[str, Any]) -> Waiting:
    (prompt,) = records_of(DuePrompt, [row])
    data = PublicPicture.of(prompt).data or {}
    preview = Preview(
        url=prompt.image_url,
        width=prompt.image_width,
        height=prompt.image_height,
        bytes=prompt.image_bytes,
        thumbnail=row["image_thumbnail_url"] or prompt.image_url,
        placeholder=prompt.image_placeholder,
        srcset=data.get("srcset", {}),
    )
    own = {name: row[name] for name in ("id", "status", "source", "prompt", "negative_prompt", "title", "excerpt")}
    own |= {name: row[name] for name in ("category", "author", "alt_text", "task_id", "publish_at", "image_id")}
    return Waiting(
        **own,
        post_id=prompt.post_id if prompt.published_post_id is None else prompt.published_post_id,
        post_path=post.get("path"),
        post_shows=post.get("shows"),
        reason=row["last_error"],
        drawn_at=row["generated_at"],
        picture=preview,
    )
