"""Pictures that wait for a person, with what they need to decide: the picture in all sizes, its text, what it replaces.

Puts queue, catalogue and blog together. Changes nothing: deciding is `prompts.management`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.database.blog import has_posts
from glad_pipeline.media.gates import blank
from glad_pipeline.records import DuePrompt, PostId, records_of
from glad_pipeline.rendition_plan import FORMATS

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
class Finding:
    """What a gate has found of a picture."""

    gate: str
    passed: bool
    detail: str


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
    findings: Sequence[Finding]  # of the gates; what none of them lets pass is not stored


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
    picture = {name: row[f"image_{name}"] for name in ("key", "url", "thumbnail_url", "width", "height", "bytes")}
    picture |= {"placeholder": prompt.image_placeholder, "renditions": prompt.image_renditions}
    own = {name: row[name] for name in ("id", "status", "source", "prompt", "negative_prompt", "title", "excerpt")}
    own |= {name: row[name] for name in ("category", "author", "alt_text", "task_id", "publish_at", "image_id")}
    return Waiting(
        **own,
        post_id=prompt.post_id if prompt.published_post_id is None else prompt.published_post_id,
        post_path=post.get("path"),
        post_shows=post.get("shows"),
        reason=row["last_error"],
        drawn_at=row["generated_at"],
        picture=preview_of(picture),
        findings=findings_of(row),
    )


def preview_of(row: Mapping[str, Any]) -> Preview:
    """The picture with these columns of `images`, and its `renditions`: key, kind and width of each."""
    base, copies = row["url"].removesuffix(row["key"]), sorted(row["renditions"], key=lambda each: each["width"])
    sets = {
        kind: ", ".join(f"{base}{each['key']} {each['width']}w" for each in copies if each["kind"] == kind)
        for kind in (FORMATS if base != row["url"] else ())
    }
    return Preview(
        **{name: row[name] for name in ("url", "width", "height", "bytes", "placeholder")},
        thumbnail=row["thumbnail_url"] or row["url"],
        srcset={kind: text for kind, text in sets.items() if text},
    )


def findings_of(row: Mapping[str, Any]) -> list[Finding]:
    """What is recorded of a picture that a person may want to know."""
    found = []
    if (contrast := row["image_contrast"]) is not None:
        why = blank.problem_of(contrast)
        said = why or f"contrast {contrast:.1f}, at least {blank.BLANK_BELOW:g} is needed"
        found.append(Finding(gate="blank", passed=why is None, detail=said))
    if dropped := row["image_tokens_dropped"]:
        found.append(Finding(gate="text", passed=False, detail=f"{dropped:,} tokens of its texts were not drawn"))
    return found
