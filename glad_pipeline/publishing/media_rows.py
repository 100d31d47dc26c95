"""Rows of the blog's table `media`, on blogs that keep a picture's alt text there and nowhere else."""

from __future__ import annotations

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.publishing.blog_schema import BlogSchema
from glad_pipeline.records import PostId
from glad_pipeline.storage.keys import STEM

SQL = named_queries(__package__, "media_rows.sql")


def say_what_is_shown(connection: Connection, schema: BlogSchema, post: PostId, *, url: str, alt_text: str) -> None:
    """In the caller's transaction: `media` has this post's picture with its alt text, and none of ours before it."""
    columns = schema.tables["media"].columns
    widths = {name: columns[name].width for name in ("url", "alt_text")}
    if widths["url"] is not None and len(url) > widths["url"]:
        return
    bound = {"post": post, "url": url, "alt_text": alt_text[: widths["alt_text"]], "stem": STEM}
    if not connection.execute(SQL["change"], bound).rowcount:
        connection.execute(SQL["add"], bound)


def forget(connection: Connection, schema: BlogSchema, post: PostId) -> None:
    """In the caller's transaction: `media` has no picture of ours for this post any more."""
    connection.execute(SQL["forget"], {"post": post, "stem": STEM})
