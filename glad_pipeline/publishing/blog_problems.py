"""What is wrong with a blog's schema, in words: one small function for each kind, from what the look has found.

Pure. An ERROR stands in the way of every post, or of taking one down again; a WARNING loses something.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database.content_tasks import NUMBERS
from glad_pipeline.diagnosis import Diagnosis, Level
from glad_pipeline.limits import CHARS
from glad_pipeline.publishing.columns import ALT_COLUMNS, KINDS, BlogColumn, BlogTable, Check

if TYPE_CHECKING:
    from glad_pipeline.publishing.blog_schema import BlogSchema

NEEDED = ("id", "title", "slug", "featured_image_url")  # without them there is no post with a picture
SHORTEST_URL = 60  # characters: https://, a short domain, and the key of a picture
_NEVER_COMPUTED = ("title", "content", "status", "featured_image_url")  # what a post says and shows, and whether
_KINDS = {"m": "a materialized view", "S": "a sequence", "i": "an index", "I": "an index", "c": "a type"}


def problems_of(schema: BlogSchema) -> list[Diagnosis]:
    """Every problem, in the order in which they are to be mended; empty: none."""
    found = list(schema.found)
    if schema.posts is None:
        return found
    for look in _LOOKS:
        new = list(look(schema, schema.posts))
        found += new
        if look in _FIRST and any(each.level is Level.ERROR for each in new):
            break  # what follows would say the same again
    return found


def error(column: str, text: str, cure: str) -> Diagnosis:
    """What stands in the way. `column`: of posts; "": of the table."""
    return Diagnosis(check=f"blog: posts{column and '.' + column}", level=Level.ERROR, text=text, cure=cure)


def warning(column: str, text: str, cure: str) -> Diagnosis:
    """What is lost."""
    return Diagnosis(check=f"blog: posts{column and '.' + column}", level=Level.WARNING, text=text, cure=cure)


def no_posts(names: BlogNames, schemas: Sequence[tuple[str, bool]], user: str) -> Diagnosis:
    """There is no table of posts to be seen. `schemas`: those that have one of that name, and whether we may look."""
    text = f"this database has no table `{names}`"
    if barred := [schema for schema, may_use in schemas if not may_use]:
        text = f"the table `{names}` is in the schema {barred[0]}, which the user {user} may not look into"
        return error("", text, f'GRANT USAGE ON SCHEMA "{barred[0]}" TO "{user}"')
    if schemas:
        there = schemas[0][0]
        text += f" on the search path; the schema {there} has one"
        return error("", text, f"set GLAD_POSTS_TABLE={there}.{names.table[-1]}")
    if not names.are_ours:
        return error("", text, "GLAD_POSTS_TABLE has to name the blog's table of posts")
    return error("", text, "run `./glad migrate` first")


def no_schema(names: BlogNames, said: str, user: str) -> Diagnosis:
    """The server does not let us look for the table."""
    schema = names.table[0]
    return error("", f"the table `{names}` cannot be seen: {said}", f'GRANT USAGE ON SCHEMA "{schema}" TO "{user}"')


def other_ids(posts: BlogTable, own: BlogColumn, kept: str) -> Iterator[Diagnosis]:
    """Our tables keep ids of posts in a type that is not this blog's. `kept`: uuid, bigint or text."""
    if own.type in (KINDS["id"] or ()):
        wanted = "uuid" if own.type == "uuid" else "bigint" if own.type in NUMBERS else "text"
        if kept != wanted:
            text = f"{posts.relation}.{own.name} is {own.declared}, and prompts.post_id is {kept}"
            yield error("id", text, "run ./glad migrate, which makes it follow")


def no_sequence(sequence: str, user: str) -> Diagnosis:
    """New ids are numbered by a sequence that we may not use."""
    text = f"new ids of posts come from {sequence}, which the user {user} may not use"
    return error("id", text, f'GRANT USAGE ON SEQUENCE {sequence} TO "{user}"')


def late_sequence(sequence: str, following: int, posts: BlogTable, own: BlogColumn) -> Diagnosis:
    """The next number is taken: rows have come from elsewhere, a dump say."""
    table = f'"{posts.schema}"."{posts.relation}"'
    text = f"new ids of posts come from {sequence}, which gives {following} next, and a post has that id"
    return error("id", text, f"SELECT setval('{sequence}', (SELECT max({own.name}) FROM {table}))")  # noqa: S608  said, not run


def status_refused(check: Check, states: Sequence[str], posts: BlogTable, names: BlogNames) -> Iterator[Diagnosis]:
    """A CHECK of the status refuses these states."""
    if states:
        yield _status(posts, names, states, f"the constraint {check.name} allows {check.definition}")


def _status(posts: BlogTable, names: BlogNames, states: Sequence[str], allowed: str) -> Diagnosis:
    theirs = dict(names.statuses)
    values = " and ".join(repr(theirs.get(state, state)) for state in states)
    cure = "say what the blog calls them: GLAD_POSTS_STATUS=published=…,draft=…"
    return error("status", f"{_name(posts, 'status')} does not take {values}: {allowed}", cure)


def _name(posts: BlogTable, ours: str) -> str:
    column = posts.columns.get(ours)
    return f"{posts.relation}.{column.name if column else ours}"


def _relation(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    if posts.kind in _KINDS:
        cure = "set GLAD_POSTS_TABLE to the table of posts"
        yield error("", f"{posts.relation} is {_KINDS[posts.kind]}, which takes no rows", cure)
    elif not (posts.takes_inserts and posts.takes_updates):
        what = {"v": "a view", "f": "a foreign table"}.get(posts.kind, "a relation")
        cure = "give it INSTEAD OF INSERT and UPDATE triggers, or set GLAD_POSTS_TABLE to the table behind it"
        yield error("", f"{posts.relation} is {what} that takes no {_missing(posts)}", cure)


def _missing(posts: BlogTable) -> str:
    return " and ".join(
        what for what, takes in (("INSERT", posts.takes_inserts), ("UPDATE", posts.takes_updates)) if not takes
    )


def _twice(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    if posts.also_in and len(schema.names.table) == 1:
        others = ", ".join(posts.also_in)
        text = f"two schemas have {posts.relation}: {posts.schema}, which is used, and {others}"
        yield warning("", text, f"say which is the blog's: GLAD_POSTS_TABLE={posts.schema}.{posts.relation}")


def _named(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    """GLAD_POSTS_COLUMNS names columns that there are."""
    for ours, theirs in schema.names.columns:
        if ours not in posts.columns:
            text = f"GLAD_POSTS_COLUMNS says {ours}={theirs}, and {posts.relation} has no column {theirs}"
            yield error(ours, text, f"its columns are {', '.join(c.name for c in posts.columns.values())}")


def _absent(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    renamed = dict(schema.names.columns)
    cure = "if it is called otherwise there, say so: GLAD_POSTS_COLUMNS={}=…"
    for ours in NEEDED:
        if ours not in posts.columns and ours not in renamed:
            yield error(ours, f"{posts.relation} has no column {ours}", cure.format(ours))
    for ours in ("content", "status"):
        if ours not in posts.columns and ours not in renamed:
            lost = "the text of a post is lost" if ours == "content" else "a post cannot be hidden again"
            yield warning(ours, f"{posts.relation} has no column {ours}: {lost}", cure.format(ours))


def _computed(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    for ours in _NEVER_COMPUTED:
        column = posts.columns.get(ours)
        if column is not None and column.computed:
            text = f"{_name(posts, ours)} is GENERATED ALWAYS, and this pipeline has to fill it"
            cure = f"name the column that it is computed from: GLAD_POSTS_COLUMNS={ours}=…, or make it a plain column"
            yield error(ours, text, cure)


def _types(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    for ours, column in posts.columns.items():
        if column.computed or ours not in KINDS or ours in schema.written or not column.may_insert:
            continue
        must = ours in NEEDED or ours in ("content", "published_at") or column.owed
        text = f"{_name(posts, ours)} is {column.declared}, where this pipeline has {_wanted(ours)}"
        if must:
            yield error(ours, text, f"name the column that is meant: GLAD_POSTS_COLUMNS={ours}=…")
        elif ours not in ("category_id", "author_id"):  # of those a prompt is told that has one
            yield warning(
                ours, f"{text}: it is left alone", f"name the column that is meant: GLAD_POSTS_COLUMNS={ours}=…"
            )


def _wanted(ours: str) -> str:
    if ours == "id":
        return "a uuid, a whole number or a text"
    if ours.endswith("_at"):
        return "a time"
    return {"metadata": "jsonb", "featured_image_data": "jsonb", "image_file_size": "a number"}.get(ours, "a text")


def _numbered(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    own = posts.columns.get("id")
    if posts.fills_rows:
        return  # the trial shows it
    if own is not None and own.type in NUMBERS and own.owed:
        text = f"{_name(posts, 'id')} is {own.declared} without a default: nothing numbers new posts"
        yield error("id", text, f"ALTER TABLE {posts.relation} ALTER {own.name} ADD GENERATED BY DEFAULT AS IDENTITY")
    elif own is not None and own.owed and own.type != "uuid" and own.width is not None and own.width < 36:
        text = f"{_name(posts, 'id')} holds {own.width} characters and has no default: new posts get ids of 36"
        yield error("id", text, "give it a default, or make it wider")


def _owed(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    if posts.fills_rows:
        return  # the trial shows it
    unknown = sorted(
        column.name
        for ours, column in posts.columns.items()
        if column.owed and ours not in KINDS and not (ours in ALT_COLUMNS and schema.alt_text_in == ours)
    )
    if unknown:
        names = ", ".join(unknown)
        text = f"the blog's table {posts.relation} wants a value in {names}, which this pipeline does not know"
        yield error(unknown[0], text, "give the column a default")


def _states(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    column = posts.columns.get("status")
    if column is None or column.computed:
        return
    states = ("published", "draft")
    if column.labels is not None:
        refused = [each for each in states if schema.status(each) not in column.labels]
        allowed = f"its type {column.declared} allows {', '.join(column.labels)}"
    elif column.type in NUMBERS:
        refused, allowed = [each for each in states if not _is_whole(schema.status(each))], "it is a number"
    elif column.type == "boolean":
        refused = [each for each in states if schema.status(each) not in ("true", "false")]
        allowed = "it is true or false"
    elif column.is_text:
        refused = [each for each in states if column.width and len(schema.status(each)) > column.width]
        allowed = f"it holds {column.width} characters"
    else:
        refused, allowed = list(states), f"it is {column.declared}"
    if refused:
        yield _status(posts, schema.names, refused, allowed)


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal() and text.isascii()


def _widths(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    url = posts.columns.get("featured_image_url")
    if url is not None and url.width is not None and url.width < SHORTEST_URL:
        text = f"{_name(posts, 'featured_image_url')} holds {url.width} characters: no picture's URL is as short"
        yield error("featured_image_url", text, f"ALTER TABLE {posts.relation} ALTER {url.name} TYPE varchar(500)")
    for ours in ("title", "slug"):
        column = posts.columns.get(ours)
        if column is not None and column.width is not None and column.width < CHARS[ours] and ours in schema.written:
            text = f"{_name(posts, ours)} holds {column.width} characters: prompts with a longer {ours} are rejected"
            yield warning(ours, text, f"ALTER TABLE {posts.relation} ALTER {column.name} TYPE varchar({CHARS[ours]})")


def problem_of_length(schema: BlogSchema, url: str) -> Diagnosis | None:
    """Why pictures whose URLs are as long as this one cannot be published, or None."""
    column = schema.posts.columns.get("featured_image_url") if schema.posts else None
    if schema.posts is None or column is None or column.width is None or len(url) <= column.width:
        return None
    name = _name(schema.posts, "featured_image_url")
    text = f"{name} holds {column.width} characters, and pictures' URLs have {len(url)}"
    cure = f"ALTER TABLE {schema.posts.relation} ALTER {column.name} TYPE varchar(500)"
    return error("featured_image_url", text, cure)


def _grants(schema: BlogSchema, posts: BlogTable) -> Iterator[Diagnosis]:
    known = {ours: column for ours, column in posts.columns.items() if ours in KINDS or ours in ALT_COLUMNS}
    lacking = []
    if any(not column.may_select for column in posts.columns.values()):
        lacking.append("SELECT")
    for right, may in (("INSERT", attrgetter("may_insert")), ("UPDATE", attrgetter("may_update"))):
        musts = [c for ours, c in known.items() if ours in (*NEEDED[1:], "content", "status") and not c.computed]
        if not all(map(may, musts)):
            lacking.append(right)
    if lacking:
        rights = ", ".join(lacking)
        where = f'"{posts.schema}"."{posts.relation}"'
        text = f"the user {posts.user} lacks the right {rights} on {posts.relation}"
        yield error("", text, f'GRANT {rights} ON {where} TO "{posts.user}"')


_FIRST: tuple[Callable[..., Iterator[Diagnosis]], ...] = (_relation, _grants)
_LOOKS = (
    *(_relation, _twice, _grants, _named, _absent, _computed, _types, _numbered, _owed, _states, _widths),
)  # fmt: skip
