"""Published posts whose picture has other renditions by now: what a post of today would have of it, put into theirs.

Only a post that shows the very picture, at an address of ours; and of it only what we have written: the address, the
one for social networks, and `featured_image_data`. What a person has put in one of these places stays, and so do the
alt text and the time of change.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glad_pipeline.blame import together_or_alone
from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.diagnosis import require
from glad_pipeline.publishing.blocklist import hold_off_takedowns
from glad_pipeline.publishing.post_columns import MAX_URL, alt_text_of
from glad_pipeline.publishing.posts import Blog
from glad_pipeline.publishing.public_picture import DATA
from glad_pipeline.records import DuePrompt, PostId, records_of
from glad_pipeline.storage.keys import key_in, stem_of

SQL = named_queries(__package__, "renewal.sql")


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedPicture(DuePrompt):
    """A published prompt, its picture, and what its post has of it."""

    post: PostId
    url: str | None
    cover: str | None  # None: the blog has no such column, or nothing in it
    data_in_column: Any = None  # `featured_image_data`
    data_in_metadata: Any = None
    said: str | None = None  # the post's alt text


@dataclass(kw_only=True, slots=True)
class Renewed:
    """What was done in one window of prompts."""

    last: int | None = None  # the prompts.id with which it ends; None: there are no more
    posts: list[PostId] = field(default_factory=list)  # that were changed, or would be
    refused: dict[PostId, str] = field(default_factory=dict)  # posts that the blog does not let be changed


def renew(connection: Connection, *, featured: str, after: int, limit: int, dry_run: bool) -> Renewed:
    """In the caller's transaction: the posts of the next `limit` prompts after this one (prompts.id)."""
    hold_off_takedowns(connection)
    blog = Blog(connection, featured=featured)
    require(blog.schema.problems())
    last = value(connection, SQL["window"], {"after": after, "limit": limit})
    done = Renewed(last=last)
    if last is None:
        return done

    def outdated() -> list[tuple[PublishedPicture, dict[str, Any]]]:
        bound = {"after": after, "last": last, "alt_text_at": blog.schema.alt_text_at}
        found = records_of(PublishedPicture, connection.execute(SQL["shown"], bound))
        return [(each, changed) for each in found if (changed := _changes(blog, each))]

    changes = outdated()
    if changes and not dry_run:
        versions = blog.lock(connection, [each.post for each, _ in changes])
        changes = [change for change in outdated() if change[0].post in versions]
        _write(connection, blog, versions, changes, done.refused.__setitem__)
    done.posts = [each.post for each, _ in changes if each.post not in done.refused]
    return done


def _write(
    connection: Connection,
    blog: Blog,
    versions: Mapping[PostId, str],
    changes: Sequence[tuple[PublishedPicture, dict[str, Any]]],
    refuse: Callable[[PostId, str], None],
) -> None:
    def work(some: Sequence[tuple[PublishedPicture, dict[str, Any]]]) -> None:
        for each, changed in some:
            blog.write(connection, each.post, changed, version=versions[each.post], keep_time=True)

    together_or_alone(connection, changes, work, lambda change, reason: refuse(change[0].post, reason))


def _changes(blog: Blog, of: PublishedPicture) -> dict[str, Any]:
    """What a post of today would have in other words, by our names; empty: nothing."""
    if of.url is None or not _is_of(of, of.url) or len(of.image_url) > MAX_URL:
        return {}
    now = blog.shown(of)
    found: dict[str, Any] = {}
    if blog.schema.writes("featured_image_url") and of.url != now.url:
        found["featured_image_url"] = now.url
    if blog.schema.writes("cover_image_url"):
        cover = now.social if of.cover and _is_of(of, of.cover) else of.cover
        if found or cover != of.cover:  # named, so that one that is a person's stays
            found["cover_image_url"] = cover
    in_column = blog.schema.writes(DATA)
    before = of.data_in_column if in_column else of.data_in_metadata
    if (in_column or blog.schema.writes("metadata")) and (not before or _is_ours(of, before)):
        ours = before if isinstance(before, dict) else {}
        if not now.data and ours:
            found[DATA] = None  # it names renditions that are no more
        elif now.data and any(ours.get(name) != given for name, given in now.data.items()):
            found[DATA] = {**now.data, "alt": ours.get("alt") or of.said or alt_text_of(of)}
    return found


def _is_ours(of: PublishedPicture, data: Any) -> bool:
    return isinstance(data, dict) and isinstance(url := data.get("url"), str) and _is_of(of, url)


def _is_of(of: PublishedPicture, url: str) -> bool:
    """Whether a URL is that of this picture or of a rendition of it, where the catalogue has it."""
    beginning = stem_of(of.image_url)
    return url.startswith(beginning) and key_in(stem_of(of.image_key) + url.removeprefix(beginning)) == of.image_key
