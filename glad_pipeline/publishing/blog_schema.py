"""The blog's tables as they are in this database: one look at the catalogues, and what we may write.

The blog owns its tables, and they differ from one blog to the next. Columns of posts are known here by our own names
for them (`BlogNames`). What is wrong with a schema is said by `blog_problems.py`; what no catalogue tells is tried by
`trial.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import psycopg
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.database.blog import names_of, regclass
from glad_pipeline.database.content_tasks import NUMBERS
from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.publishing import blog_problems
from glad_pipeline.publishing.columns import ALT_COLUMNS, KINDS, OTHERS, BlogColumn, BlogTable, Check
from glad_pipeline.records import Prompt, records_of

SQL = named_queries(__package__, "blog_schema.sql")


@dataclass(frozen=True, kw_only=True)
class BlogSchema:
    """What one look has found."""

    names: BlogNames
    posts: BlogTable | None  # None: there is none that we can see
    tables: Mapping[str, BlogTable] = field(default_factory=dict)  # OTHERS, as far as they are there
    found: tuple[Diagnosis, ...] = ()  # what could be seen only while looking

    def problems(self) -> list[Diagnosis]:
        """What stands in the way of complete posts, or is lost on this blog, each with its cure; empty: nothing."""
        return blog_problems.problems_of(self)

    def status(self, ours: str) -> str:
        """What the blog calls a state of a post."""
        return dict(self.names.statuses).get(ours, ours)

    def writes(self, column: str) -> bool:
        """Whether this column of posts is one that we fill."""
        return column in self.written

    @cached_property
    def written(self) -> Mapping[str, BlogColumn]:
        """The columns of posts that are written, by our names: there, not computed, and of a type for our values."""
        if self.posts is None:
            return {}
        return {
            ours: column for ours, column in self.posts.columns.items() if self.posts.has(ours) and self._fits(ours)
        }

    def _fits(self, ours: str) -> bool:
        """Whether a column has a type in which what we write there can be; of others that must be filled it is said."""
        column = self.posts.columns[ours] if self.posts else None
        if column is None or ours not in KINDS:
            return column is not None and ours in ALT_COLUMNS and column.is_text
        if ours in ("category_id", "author_id"):
            there = self.tables.get("categories" if ours == "category_id" else "authors")
            return there is not None and "id" in there.columns and there.columns["id"].type == column.type
        kinds = KINDS[ours]
        return kinds is None or column.type in kinds

    @cached_property
    def alt_text_in(self) -> str | None:
        """Where the alt text of a picture goes: `metadata`, a column of posts, the table `media`; None: nowhere."""
        if self.writes("metadata"):
            return "metadata"
        if column := next((name for name in ALT_COLUMNS if self.writes(name)), None):
            return column
        return "media" if self._has_media() else None

    @property
    def alt_text_at(self) -> list[str] | None:
        """Where in a row of posts as JSON that is; None: it is not in posts."""
        place = self.alt_text_in
        if place == "metadata":
            return [place, "featured_image_alt"]
        return None if place in (None, "media") else [place]

    def _has_media(self) -> bool:
        media, posts = self.tables.get("media"), self.posts
        if media is None or posts is None or not (media.takes_inserts and media.takes_updates and media.takes_deletes):
            return False
        ours = ("url", "alt_text", "post_id")
        if not all(media.has(name) and media.columns[name].may_update for name in ours):
            return False
        return media.columns["post_id"].type == posts.columns["id"].type and not any(
            column.owed and name not in ours for name, column in media.columns.items()
        )

    def places_of(self, label: str) -> list[str]:
        """Where an author or a category may go, the best first: posts.author_id, posts.author, metadata."""
        return [name for name in (f"{label}_id", label, "metadata") if self.writes(name)]

    def without_place(self, prompt: Prompt) -> list[str]:
        """What this prompt has that the blog has no place for, in words."""
        told: list[str] = []
        if self.posts is None:
            return told
        told += self.picture_without_place(prompt)
        for label in ("author", "category"):
            if getattr(prompt, label) and not self.places_of(label):
                told.append(
                    f"{label}: the blog has no place for it (posts has neither {label}_id, {label} nor metadata)"
                )
        if prompt.excerpt and not (self.writes("excerpt") or self.writes("seo_description")):
            told.append("excerpt: the blog has no place for it")
        if prompt.content and not self.writes("content"):
            told.append("content: the blog has no place for it")
        if prompt.slug and not self.writes("slug"):
            told.append("slug: the blog computes it")
        return told

    def picture_without_place(self, prompt: Prompt) -> list[str]:
        """The same, of what an existing post gets with its picture."""
        if not prompt.alt_text or self.posts is None or self.alt_text_in is not None:
            return []
        return ["alt_text: the blog has no place for it (posts has neither metadata nor a column for it)"]

    def too_wide(self, prompt: Prompt) -> list[str]:
        """What of a prompt that is to be a new post is longer than the blog's column, and is not cut; in words."""
        content = prompt.content or prompt.excerpt or prompt.prompt
        found = []
        for name, given in {"title": prompt.title, "slug": prompt.slug, "content": content}.items():
            width = self.written[name].width if self.writes(name) else None
            if given and width is not None and len(given) > width:
                found.append(f"{name}: the blog takes at most {width:,} characters, not {len(given):,}")
        return found

    @property
    def table(self) -> sql.Identifier:
        """The relation that is written."""
        return sql.Identifier(*self.names.table)


def look(connection: Connection, names: BlogNames | None = None, *, others: Sequence[str] = OTHERS) -> BlogSchema:
    """The blog's schema as this connection's user sees it; one statement, a few milliseconds, and no lock on a table.

    `names`: None: those of the connection. `others`: tables that are looked at beside the posts.
    """
    names = names or names_of(connection)
    try:
        wanted = [{"name": "posts", "relation": regclass(names)}, *({"name": n, "relation": n} for n in others)]
        rows = connection.execute(SQL["relations"], {"wanted": Jsonb(wanted)}).fetchall()
    except errors.InsufficientPrivilege as error:
        said = error.diag.message_primary or str(error)
        return BlogSchema(names=names, posts=None, found=(blog_problems.no_schema(names, said, _user(connection)),))
    tables = {row["name"]: _table(row, names) for row in rows}
    posts = tables.pop("posts", None)
    return BlogSchema(names=names, posts=posts, tables=tables, found=tuple(_asked(connection, names, posts)))


def _table(row: Mapping[str, Any], names: BlogNames) -> BlogTable:
    given = dict(row)
    columns = records_of(BlogColumn, given.pop("columns"))
    checks = records_of(Check, [{**each, "columns": tuple(each["columns"] or ())} for each in given.pop("checks")])
    ours = names.ours if row["name"] == "posts" else str
    by_name = {called: column for column in columns if (called := ours(column.name)) is not None}
    return records_of(BlogTable, [{**given, "columns": by_name, "checks": tuple(checks)}])[0]


def _asked(connection: Connection, names: BlogNames, posts: BlogTable | None) -> list[Diagnosis]:
    """What takes a question of its own, asked only of the few blogs that it is about."""
    if posts is None:
        rows = connection.execute(SQL["elsewhere"], {"relation": names.table[-1]}).fetchall()
        return [blog_problems.no_posts(names, [(row["schema"], row["may_use"]) for row in rows], _user(connection))]
    found: list[Diagnosis] = []
    own = posts.columns.get("id")
    if own is not None and (kept := value(connection, SQL["kept_ids"])):
        found += blog_problems.other_ids(posts, own, kept)
    if own is not None and own.type in NUMBERS and own.has_default and posts.kind in "rp":
        found += _of_numbers(connection, posts, own)
    status = posts.columns.get("status")
    if status is not None and status.is_text:
        for check in posts.checks:
            if check.columns == (status.name,):
                found += blog_problems.status_refused(
                    check, _refused_by(connection, check, status, names), posts, names
                )
    return found


def _of_numbers(connection: Connection, posts: BlogTable, own: BlogColumn) -> list[Diagnosis]:
    relation = sql.Identifier(posts.schema, posts.relation)
    bound = {"relation": relation.as_string(connection), "column": own.name}
    sequence = connection.execute(SQL["sequence"], bound).fetchone()
    if sequence is None:
        return []
    if not sequence["may_use"] and not own.identity:
        return [blog_problems.no_sequence(sequence["name"], posts.user)]
    taken = sql.SQL("SELECT true AS taken FROM {} WHERE {} = %s").format(relation, sql.Identifier(own.name))
    if sequence["next"] is None or not own.may_select or not value(connection, taken, [sequence["next"]]):
        return []
    return [blog_problems.late_sequence(sequence["name"], sequence["next"], posts, own)]


def _refused_by(connection: Connection, check: Check, status: BlogColumn, names: BlogNames) -> list[str]:
    """Which of the two states that we write a CHECK of the status alone refuses; evaluated, not parsed."""
    theirs = dict(names.statuses)
    statement = sql.SQL("SELECT ours FROM unnest({}::text[], {}::text[]) AS v (ours, theirs),"
                        " LATERAL (SELECT v.theirs::{} AS {}) AS posts WHERE NOT ({})").format(
        sql.Placeholder("ours"), sql.Placeholder("theirs"),
        sql.SQL(status.declared), sql.Identifier(status.name), sql.SQL(check.expression.replace("%", "%%")),
    )  # fmt: skip
    ours = ("published", "draft")
    bound = {"ours": list(ours), "theirs": [theirs.get(each, each) for each in ours]}
    try:
        with connection.transaction():
            return [row["ours"] for row in connection.execute(statement, bound)]
    except psycopg.Error:  # a function that we may not call, say: the trial sees it
        return []


def _user(connection: Connection) -> str:
    return connection.info.user
