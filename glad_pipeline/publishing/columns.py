"""The tables and columns of the blog's as a look finds them: the blog owns them, and they differ.

Here: what they are, which of them we fill with what type, and composing the part of an UPDATE that sets them. The look
is in `blog_schema.py`; which values go where is for the modules that write.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from psycopg import sql

from glad_pipeline.database.content_tasks import NUMBERS

OTHERS = ("categories", "authors", "media")  # tables of the blog's that are named the same everywhere
TEXTS = frozenset({"text", "character varying", "character", "citext"})
TIMES = frozenset({"timestamp with time zone", "timestamp without time zone", "date"})
ALT_COLUMNS = ("featured_image_alt", "image_alt", "alt_text", "cover_image_alt")
JSON = frozenset({"jsonb", "json"})
# The columns of posts that we fill where they exist, by our names, and the types that they may have. None: any.
KINDS: Mapping[str, frozenset[str] | None] = {
    "id": NUMBERS | TEXTS | {"uuid"},
    **dict.fromkeys(("title", "slug", "content", "excerpt", "author", "category"), TEXTS),
    **dict.fromkeys(("seo_title", "seo_description", "task_id", "image_s3_key"), TEXTS),
    **dict.fromkeys(("featured_image_url", "cover_image_url"), TEXTS),
    **dict.fromkeys(("published_at", "created_at", "updated_at"), TIMES),
    **dict.fromkeys(("category_id", "author_id"), None),
    "status": None,
    **dict.fromkeys(("metadata", "featured_image_data"), JSON),
    "image_file_size": NUMBERS | {"numeric"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class BlogColumn:
    """One column."""

    name: str  # the blog's
    type: str  # of a domain its base; without a width
    declared: str  # as PostgreSQL writes it, with its width
    width: int | None  # characters of a varchar
    not_null: bool
    has_default: bool
    computed: bool  # GENERATED ALWAYS, stored, virtual or identity: never written
    identity: bool
    labels: tuple[str, ...] | None  # of an enum
    may_insert: bool
    may_update: bool
    may_select: bool

    @property
    def owed(self) -> bool:
        """Whether a row without a value in it is refused."""
        return self.not_null and not self.has_default and not self.computed

    @property
    def is_text(self) -> bool:
        """Whether any text fits in, if it is not too long."""
        return self.type in TEXTS and self.labels is None


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """A CHECK constraint."""

    name: str
    definition: str
    expression: str
    columns: tuple[str, ...]  # the blog's names


@dataclass(frozen=True, kw_only=True, slots=True)
class BlogTable:
    """One table or view of the blog's."""

    name: str
    schema: str
    relation: str  # its own name, without the schema
    kind: str  # pg_class.relkind
    user: str  # who looks
    fills_rows: bool  # a trigger BEFORE INSERT may give what a row lacks, its id too
    takes_inserts: bool  # a table, or a view with INSTEAD OF triggers or simple enough; grants are with the columns
    takes_updates: bool
    takes_deletes: bool  # and may be done by this user
    also_in: tuple[str, ...]  # schemas further on the search path with a relation of that name
    columns: Mapping[str, BlogColumn]  # of posts by our names
    checks: tuple[Check, ...]

    def has(self, column: str) -> bool:
        """Whether there is such a column, and it may be written."""
        found = self.columns.get(column)
        return found is not None and not found.computed and found.may_insert


def assignments(columns: Iterable[str]) -> list[sql.Composed]:
    """`column = %(column)s` for each of these."""
    return [sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns]
