"""A post on trial: written, seen, changed and rolled back, for what no catalogue tells of a blog's schema.

Triggers that raise or change what is written, policies, constraints, rules and rights to sequences show themselves, of
the posts and of the tables beside them that we add rows to. Where the blog numbers posts, a number is spent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
from psycopg import errors
from psycopg.types.json import Jsonb

from glad_pipeline.database import Connection, first_words, named_queries, value
from glad_pipeline.database.blog import regclass
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.publishing import media_rows
from glad_pipeline.publishing.blog_errors import diagnosis_of
from glad_pipeline.publishing.blog_problems import error, problem_of_length, warning
from glad_pipeline.publishing.blog_schema import BlogSchema, look
from glad_pipeline.publishing.columns import OTHERS
from glad_pipeline.publishing.labels import Labelled, labels_of
from glad_pipeline.publishing.post_columns import NO_PICTURE, alt_text_of, new_post
from glad_pipeline.publishing.post_rows import PostRows
from glad_pipeline.publishing.public_picture import DATA
from glad_pipeline.records import DuePrompt
from glad_pipeline.storage.keys import key_in, rendition_key

SQL = named_queries(__package__, "trial.sql")
KEY = f"generated/00/{'0' * 32}.png"
URL = f"https://example.com/{KEY}"  # as long as a picture's is at least
TRIAL = 2  # counted up with each change of what is tried: what passed before is tried again
# What one row may be refused for, and the next not
_OF_A_ROW = (psycopg.DataError, psycopg.IntegrityError, errors.RaiseException)
_TEXT = (
    "This post is on trial: it is written as a post of this pipeline is, looked at, changed, and rolled back, so "
    "that no reader ever sees it. It is as long as a short post, since a blog may want its posts to have some "
    "length, and it has a title, an author, a category and a picture, where the blog has a place for them. "
    "Whatever the blog does to a post that is new, by triggers, constraints, rules or policies, is done to this "
    "one first, before anything is drawn for posts that the blog would not take. If you read this in a log of "
    "your database, nothing is wrong: the transaction that wrote it has ended without a trace, but for a number "
    "that a sequence has given and that no post will have."
)


def examine(connection: Connection, *, picture_url: str = URL, renditions: bool = True) -> list[Diagnosis]:
    """Look at the blog's schema and, where nothing is wrong with it, try a post; empty: complete posts are possible.

    A few milliseconds, and nothing is left of it. `picture_url`: an address of this deployment's, for its length.
    `renditions`: whether pictures have any.
    """
    schema = look(connection)
    found = seen(schema, picture_url)
    if not any(each.level is Level.ERROR for each in found):
        found += try_post(connection, schema, picture_url, renditions=renditions)
    return found


def seen(schema: BlogSchema, picture_url: str) -> list[Diagnosis]:
    """What is wrong with the schema as far as its catalogue tells."""
    too_long = problem_of_length(schema, picture_url)
    return schema.problems() + ([too_long] if too_long else [])


def mark_of(connection: Connection, schema: BlogSchema, picture_url: str, *, renditions: bool = True) -> str:
    """What the trial depends on, as a digest: as long as it is the same, a trial ends as the last one did."""
    names = schema.names
    said = [TRIAL, picture_url, renditions, names.columns, names.statuses]
    bound = {"relations": [regclass(names), *OTHERS], "said": Jsonb(said)}
    return str(value(connection, SQL["mark"], bound))


def try_post(
    connection: Connection, schema: BlogSchema, picture_url: str = URL, *, renditions: bool = True
) -> list[Diagnosis]:
    """What goes wrong when a post is written and changed as this pipeline does, in a savepoint that is rolled back."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(SQL["not_long"])
            found = _tried(connection, schema, picture_url, renditions=renditions)
            connection.execute(SQL["judge"])
            return found
    except psycopg.Error as refused:
        return [diagnosis_of(refused, schema)]


def _tried(connection: Connection, schema: BlogSchema, url: str, *, renditions: bool) -> list[Diagnosis]:
    found: list[Diagnosis] = []
    rows, prompt, labels = PostRows(schema), _specimen(schema, url), Labelled()
    with _told(connection, found, "a new author or category", "add those that prompts name to the blog yourself"):
        labels = labels_of(connection, schema, [prompt])[prompt.id]
    given = _values(schema, prompt) | labels.values
    data = {DATA: given.pop(DATA)}  # a post goes without where no rendition could be made
    post = rows.insert_one(connection, given)
    if post is None:
        cure = "have the trigger of the view give NEW.id back"
        found.append(error("id", f"{schema.names} gives new posts no id that a statement can return", cure))
        return found
    if schema.alt_text_in == "media":
        with _told(connection, found, "a picture's row in media", "prompts whose pictures it refuses are rejected"):
            text = alt_text_of(prompt)
            media_rows.say_what_is_shown(connection, schema, post, url=url, alt_text=text)
    now = connection.execute(SQL["seen"], {"post": post}).fetchone()
    if now is None:
        text = f"who writes a post to {schema.names} cannot see it"
        return [*found, error("", text, _policy(schema, "SELECT"))]
    found += _changed(schema, given, now)
    values = {"status": "draft", "featured_image_url": url, **(data if renditions else {})}
    if rows.update(connection, post, values, metadata={"glad_trial": True}) is None:
        text = f"who writes a post to {schema.names} cannot change it"
        return [*found, error("", text, _policy(schema, "UPDATE"))]
    cure = "have the column take NULL, or an empty text"
    with _told(connection, found, "a post without a picture, so none can be taken down", cure):
        rows.update(connection, post, NO_PICTURE, metadata={}, without=["glad_trial"])
        if schema.alt_text_in == "media":
            media_rows.forget(connection, schema, post)
        connection.execute(SQL["judge"])
    return found


@contextmanager
def _told(connection: Connection, found: list[Diagnosis], what: str, cure: str) -> Iterator[None]:
    """Where the blog refuses a row for what is in it, that is a warning, and the trial goes on without."""
    try:
        with connection.transaction():
            yield
    except _OF_A_ROW as refused:
        found.append(warning("", f"the blog refuses {what}: {first_words(refused)}", cure))


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


def _specimen(schema: BlogSchema, url: str) -> DuePrompt:
    """A prompt that has everything."""
    mark = uuid4().hex[:8]

    def cut(name: str, text: str) -> str:
        return text[: schema.written[name].width] if schema.writes(name) else text

    return DuePrompt(
        id=0,
        prompt=_TEXT[:80],
        title=cut("title", "A post on trial, which is rolled back"),
        slug=cut("slug", f"t{mark}-a-post-on-trial"),
        content=cut("content", _TEXT),
        excerpt=_TEXT[:150],
        author=f"Trial {mark}",
        category=f"Trial {mark}",
        alt_text="A picture on trial",
        seed=0,
        image_url=url,
        image_key=key_in(url) or KEY,
        image_placeholder="data:image/webp;base64,UklGRgAAAABXRUJQVlA4IA==",
        image_renditions=[{"kind": "webp", "width": 1024, "key": rendition_key(key_in(url) or KEY, "-w1024.webp")}],
        image_bytes=100_000,
        image_sha256="0" * 64,
        image_width=1024,
        image_height=1024,
    )


def _values(schema: BlogSchema, prompt: DuePrompt) -> dict[str, Any]:
    place = schema.alt_text_in
    alt_text = {place: alt_text_of(prompt)} if place not in (None, "metadata", "media") else {}
    labels = {name: getattr(prompt, name) for name in ("author", "category")}
    return {**new_post(prompt), **alt_text, **labels, "slug": prompt.slug, "metadata": {"glad_trial": True}}
