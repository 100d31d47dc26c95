"""A post on trial: written, seen, changed and rolled back, for what no catalogue tells of a blog's schema.

Triggers that raise or change what is written, policies, constraints and rules show themselves. A number of the blog's
sequence is not spent: the post on trial brings its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import sql

from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.publishing.blog_errors import diagnosis_of
from glad_pipeline.publishing.blog_problems import error, problem_of_url, warning
from glad_pipeline.publishing.blog_schema import BlogSchema, look
from glad_pipeline.publishing.columns import NUMBERS
from glad_pipeline.publishing.post_rows import PostRows
from glad_pipeline.records import PostId

SQL = named_queries(__package__, "trial.sql")
URL = f"https://example.com/generated/00/{'0' * 32}.png"  # as long as a picture's is at least


def examine(connection: Connection, *, picture_url: str = URL) -> list[Diagnosis]:
    """Look at the blog's schema and, where nothing is wrong with it, try a post; empty: complete posts are possible.

    A few milliseconds, and nothing is left of it. `picture_url`: an address of this deployment's, for its length.
    """
    schema = look(connection)
    found = schema.problems()
    if too_long := problem_of_url(schema, picture_url):
        found.append(too_long)
    if not any(each.level is Level.ERROR for each in found):
        found += try_post(connection, schema, picture_url)
    return found


def try_post(connection: Connection, schema: BlogSchema, picture_url: str = URL) -> list[Diagnosis]:
    """What goes wrong when a post is written and changed as this pipeline does, in a savepoint that is rolled back."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(SQL["not_long"])
            found = list(_tried(connection, schema, picture_url))
            connection.execute(SQL["judge"])
            return found
    except psycopg.Error as refused:
        return [diagnosis_of(refused, schema)]


def _tried(connection: Connection, schema: BlogSchema, url: str) -> Iterator[Diagnosis]:
    rows = PostRows(schema)
    given = _specimen(url)
    post = rows.insert_one(connection, given, _own_id(connection, schema))
    if post is None:
        cure = "have the trigger of the view give NEW.id back"
        yield error("id", f"{schema.names} gives new posts no id that a statement can return", cure)
        return
    seen = connection.execute(SQL["seen"], {"post": post}).fetchone()
    if seen is None:
        yield error("", f"who writes a post to {schema.names} cannot see it", _policy(schema, "SELECT"))
        return
    yield from _changed(schema, given, seen)
    after = rows.update(connection, post, {"status": "draft", "featured_image_url": url}, metadata={"glad_trial": True})
    if after is None:
        yield error("", f"who writes a post to {schema.names} cannot change it", _policy(schema, "UPDATE"))


def _policy(schema: BlogSchema, right: str) -> str:
    user = schema.posts.user if schema.posts else "…"
    return (
        f"have a policy or the view allow it: CREATE POLICY glad_{right.lower()} ON {schema.names} FOR {right} "
        f'TO "{user}" USING (true), or as a superuser ALTER ROLE "{user}" BYPASSRLS'
    )


def _changed(schema: BlogSchema, given: dict[str, Any], seen: dict[str, Any]) -> Iterator[Diagnosis]:
    """What the blog has made of the values that matter."""
    for name in ("status", "featured_image_url"):
        if schema.writes(name) and name in seen and str(seen[name]) != str(given[name]):
            text = f"the blog makes {str(seen[name])!r} of the {name} {str(given[name])!r} of a new post"
            yield warning(name, text, "look at the triggers on the blog's posts, or set GLAD_POSTS_STATUS")


def _own_id(connection: Connection, schema: BlogSchema) -> PostId | None:
    """A number that no post has, below all of them; None: the id is made as for any post."""
    own = schema.posts.columns["id"] if schema.posts else None
    if own is None or own.type not in NUMBERS or not own.may_insert or not schema.posts or schema.posts.kind == "v":
        return None
    statement = sql.SQL("SELECT least(min({}), 0) - 1 AS id FROM {}").format(sql.Identifier(own.name), schema.table)
    number: int = value(connection, statement)
    return number


def _specimen(url: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "title": "A post on trial",
        "slug": f"on-trial-{uuid4().hex[:10]}",
        "content": "It is rolled back.",
        "excerpt": "It is rolled back.",
        "status": "published",
        "seo_title": "A post on trial",
        "seo_description": "It is rolled back.",
        **dict.fromkeys(("published_at", "created_at", "updated_at"), now),
        "featured_image_url": url,
        "cover_image_url": url,
        "image_file_size": 1,
        "image_s3_key": url.partition("/generated/")[2][:60],
        "metadata": {"glad_trial": True},
    }
