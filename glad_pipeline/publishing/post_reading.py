"""Reading posts for the blog's own pages: SELECTs composed from the columns that a look has found.

A row has a post as JSON text, as the blog's front end reads it: PostgreSQL makes it in less time than Python takes to
read its values. Every statement is made once for its kind of question, as bytes, so that a request costs no composing
and PostgreSQL plans it once; a limit is written out, since no plan is good for any limit.

The posts are taken from their own table under their own names: PostgreSQL uses an index on a condition only where the
statement has that very condition.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from psycopg import sql

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.publishing.blog_schema import BlogSchema, look
from glad_pipeline.publishing.columns import ALT_COLUMNS, JSON, TEXTS, BlogColumn
from glad_pipeline.publishing.conditions import all_of, any_of, as_bytes, first_of, json_of, where
from glad_pipeline.publishing.post_labels import Naming, PostLabels, shown, type_of
from glad_pipeline.publishing.public_picture import DATA
from glad_pipeline.storage.keys import STEM

SQL = named_queries(__package__, "post_reading.sql")
TABLES = ("categories", "authors", "media", "tags", "post_tags")  # beside the posts, where the blog has them
# What the blog's front end reads of a post. What the blog has no column for is None.
FIELDS = (
    *("id", "title", "slug", "excerpt", "featured_image_url", "cover_image_url", "category_id", "published_at"),
    *("created_at", "updated_at", "seo_title", "seo_description", "seo_keywords", "status", "content", "author_id"),
    "view_count",
)
COUNTED = 1_000  # posts: so many are counted each time, more are estimated
Start = Literal["first", "skip", "after", "before"]
Shown = Literal["all", "summary"]
States = Literal["published", "one", "all"]  # `one`: that of the parameter `status`
SIZES = "auto, 100vw"  # `auto`: browsers that see how wide a lazy picture is; a page that knows better says so itself
_FIRST, _SECOND = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # halves of a character
UNREADABLE = rf"\\u0000|{_FIRST}(?!{_SECOND})|(?<!{_FIRST}){_SECOND}"
_STATEMENTS = 512  # kinds of questions that are kept; the oldest goes


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A kind of question for posts; the values themselves are bound: status, category, tag, author, search."""

    states: States = "published"
    category: bool = False
    tag: bool = False
    author: bool = False
    search: bool = False

    @property
    def may_take_long(self) -> bool:
        """Whether all posts may have to be read to find few: for these no index is asked of a blog."""
        return self.category or self.tag or self.author or self.search


class PostReading:
    """The statements for one blog as it was seen."""

    def __init__(self, schema: BlogSchema) -> None:
        self.schema = schema
        self._theirs: Mapping[str, BlogColumn] = schema.posts.columns if schema.posts else {}
        self.columns = {ours: column for ours, column in self._theirs.items() if column.may_select}
        self.page = lru_cache(_STATEMENTS)(self._page)
        self.count = lru_cache(_STATEMENTS)(self._count)
        self.plan = lru_cache(_STATEMENTS)(self._plan)

    @property
    def is_possible(self) -> bool:
        """Whether there are posts that can be read at all."""
        return {"id", "slug"} <= set(self.columns)

    # --- the statements ---

    def _page(self, asked: Asked, limit: int, start: Start, shown: Shown = "all") -> bytes:
        """One page: the first, or that after `skip` posts, or after the post of a cursor (`at` and `id`).

        `before` that post: in the other order, from the cursor on.
        """
        conditions = self.conditions(asked)
        if start in ("after", "before"):
            conditions.append(self._beyond("<" if start == "after" else ">"))
        return as_bytes(
            sql.SQL("SELECT {} AS post, {}::text AS at, {}::text AS id FROM {} AS p {}{}"
                    " ORDER BY {} LIMIT {}{}").format(
                self._listed if shown == "all" else self._summary, self.date or sql.SQL("NULL"), self.own("id"),
                self.schema.table, self._beside, where(conditions), self.order("ASC" if start == "before" else "DESC"),
                sql.Literal(limit), sql.SQL(" OFFSET %(skip)s" if start == "skip" else ""),
            )
        )  # fmt: skip

    def _count(self, asked: Asked) -> bytes:
        """How many posts there are, at most one more than are counted."""
        return as_bytes(
            sql.SQL("SELECT count(*) AS count FROM (SELECT FROM {} AS p{} LIMIT {}) AS counted").format(
                self.schema.table, where(self.conditions(asked)), sql.Literal(COUNTED + 1)
            )
        )

    def _plan(self, asked: Asked) -> bytes:
        """How many PostgreSQL thinks there are, with those few that are yet to come out: of dates it knows less."""
        conditions = where(self.conditions(asked, dated=False))
        return as_bytes(sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {} AS p{}").format(self.schema.table, conditions))

    @cached_property
    def one(self) -> bytes:
        """The post with a slug, whatever its state; its place; `is_public`, `was_taken_down`, its preview's token."""
        public = all_of(self.conditions(Asked()))
        token = self.own("preview_token") if "preview_token" in self.columns else sql.SQL("NULL")
        return as_bytes(
            sql.SQL(SQL["one"]).format(
                post=self._one, at=self.date or sql.SQL("NULL"), id=self.own("id"), public=public, token=token,
                taken=self._was_taken_down(public), table=self.schema.table, beside=self._beside, slug=self.own("slug"),
            )
        )  # fmt: skip

    @cached_property
    def about(self) -> bytes:
        """What is known of the picture that the post with a slug shows: `about`, and whether that may be said."""
        public = all_of(self.conditions(Asked()))
        return as_bytes(
            sql.SQL(SQL["about"]).format(
                table=self.schema.table, beside=self._beside, public=public, taken=self._was_taken_down(public),
                slug=self.own("slug"), stem=sql.Literal(STEM),
            )
        )  # fmt: skip

    def _was_taken_down(self, public: sql.Composable) -> sql.Composable:
        return sql.SQL(SQL["was_taken_down"]).format(public=public, id=self.own("id"))

    @cached_property
    def labels(self) -> PostLabels:
        """Categories, tags and authors."""
        own = self._readable("metadata") if self._is_json("metadata") else None
        names = {label: self._names_of(label, own) for label in ("category", "author")}
        shown = {label: self._names_of(label, sql.SQL("d.metadata") if own else None) for label in names}
        return PostLabels(self.schema, self.columns, self.own, names, shown)

    def _names_of(self, label: str, metadata: sql.Composable | None) -> list[sql.Composable]:
        """Where a post may have a name of its own of its category or author."""
        if self._is_text(label):
            return [self.own(label)]
        return [sql.SQL("{} ->> {}").format(metadata, sql.Literal(label))] if metadata else []

    # --- the order, and its index ---

    @cached_property
    def _dates(self) -> list[str]:
        """The columns by which posts are ordered, the first that has a value."""
        return [name for name in ("published_at", "created_at") if name in self.columns]

    @cached_property
    def date(self) -> sql.Composable | None:
        """When a post came out; None: the blog does not say."""
        return self._dated(self.own)

    def _dated(self, own: Naming) -> sql.Composable | None:
        if not self._dates:
            return None
        parts: list[sql.Composable] = [own(name) for name in self._dates]
        if not any(self.columns[name].not_null for name in self._dates):
            parts.append(sql.SQL("'-infinity'"))  # a post without any date comes last
        return parts[0] if len(parts) == 1 else sql.SQL("coalesce({})").format(sql.SQL(", ").join(parts))

    @cached_property
    def date_type(self) -> str:
        kinds = {self.columns[name].type for name in self._dates}
        return kinds.pop() if len(kinds) == 1 else "timestamp with time zone"

    def order(self, way: Literal["ASC", "DESC"]) -> sql.Composed:
        """By when they came out, then by id."""
        parts = [*([self.date] if self.date else []), self.own("id")]
        return sql.SQL(", ").join(sql.SQL("{} {}").format(part, sql.SQL(way)) for part in parts)

    def _beyond(self, way: Literal["<", ">"]) -> sql.Composed:
        """Of the posts on one side of a cursor."""
        kind, beyond = self.columns["id"].type, sql.SQL(way)
        # `character` alone is one character
        given = sql.SQL("%(id)s::{}").format(sql.SQL("bpchar" if kind == "character" else kind))
        if self.date is None:
            return sql.SQL("{} {} {}").format(self.own("id"), beyond, given)
        return sql.SQL("({}, {}) {} (%(at)s::{}, {})").format(
            self.date, self.own("id"), beyond, sql.SQL(self.date_type), given
        )

    @cached_property
    def index(self) -> str:
        """What makes the index by which pages are read, on the blog's own table."""
        date, published = self._dated(self._name), self._published(self._name)
        key = sql.SQL("{} DESC").format(self._name("id"))
        statement = sql.SQL("CREATE INDEX CONCURRENTLY ON {} ({}){}").format(
            self.schema.table,
            sql.SQL("({}) DESC, {}").format(date, key) if date else key,
            where([published] if published else []),
        )
        return statement.as_string(None)

    # --- what is asked for ---

    def conditions(self, asked: Asked, *, dated: bool = True) -> list[sql.Composable]:
        found: list[sql.Composable] = []
        if asked.states == "published":
            if (published := self._published(self.own)) is not None:
                found.append(published)
            if dated and "published_at" in self.columns and self.date is not None:
                found.append(sql.SQL("{} <= now()").format(self.date))  # what is yet to come out is not published
        elif asked.states == "one":
            found.append(sql.SQL("{} = %(status)s").format(self._status))
        found += [self.labels.has(label) for label in ("category", "tag", "author") if getattr(asked, label)]
        if asked.search:
            found.append(self._with_title)
        return found

    def _published(self, own: Naming) -> sql.Composable | None:
        """Whether a post has the state; None: the blog has neither states nor dates, and shows all posts.

        Without states a post without a date is a draft. What may not be read shows nothing.
        """
        by = next((name for name in ("status", "published_at") if name in self._theirs), None)
        if by is None:
            return None
        column = self.columns.get(by)
        if column is None:
            return sql.SQL("false")
        if by == "published_at":
            return sql.SQL("{} IS NOT NULL").format(own(by))
        theirs = self.schema.status("published")
        # what is no value of the column's type is an error to compare with; as texts nothing is equal to it
        takes_it = theirs in column.labels if column.labels is not None else column.is_text or theirs != "published"
        return sql.SQL("{} = {}" if takes_it else "{}::text = {}").format(own("status"), sql.Literal(theirs))

    @cached_property
    def _status(self) -> sql.Composable:
        """A post's state by our names."""
        if "status" not in self.columns:
            published = self._published(self.own) or sql.SQL("true")
            return sql.SQL("CASE WHEN {} THEN 'published' ELSE 'draft' END").format(published)
        own = sql.SQL("{}::text").format(self.own("status"))
        if not self.schema.names.statuses:
            return own
        cases = [
            sql.SQL("WHEN {} THEN {}").format(sql.Literal(theirs), sql.Literal(ours))
            for ours, theirs in self.schema.names.statuses
        ]
        return sql.SQL("CASE {0} {1} ELSE {0} END").format(own, sql.SQL(" ").join(cases))

    @property
    def _with_title(self) -> sql.Composable:
        return any_of([sql.SQL("{} ILIKE %(search)s").format(self.own("title"))] if self._is_text("title") else [])

    # --- what is shown ---

    @cached_property
    def _parts(self) -> dict[str, sql.Composable]:
        """A post, by the names of its fields."""
        parts = {name: shown(self.columns.get(name), self.own(name)) for name in FIELDS}
        parts["status"] = self._status
        parts["coverImage"] = sql.SQL(SQL["cover"]).format()
        parts["picture"] = sql.SQL(SQL["picture"]).format(sizes=sql.Literal(SIZES))
        return {**parts, "category": self.labels.of_post("category"), "author": self.labels.of_post("author")}

    @cached_property
    def _listed(self) -> sql.Composed:
        """A post as JSON text."""
        return json_of(self._parts)

    @cached_property
    def _summary(self) -> sql.Composed:
        """The same without its text, which is not read then."""
        return json_of({name: part for name, part in self._parts.items() if name != "content"})

    @cached_property
    def _one(self) -> sql.Composed:
        """The same with its tags."""
        return json_of({**self._parts, "tags": self.labels.tags_of_post})

    @property
    def url(self) -> sql.Composable:
        """The address of what a post shows."""
        found = [self.own(name) for name in ("featured_image_url", "cover_image_url") if self._is_text(name)]
        return first_of([sql.SQL("nullif({}, '')").format(each) for each in found])

    @property
    def _beside(self) -> sql.Composable:
        """What is joined to each post that is shown: `d.shown`, `d.alt`, and `d.data`, what `<picture>` needs of the
        picture shown now.

        As the post has it (`PublicPicture.data`), or, on a blog that has no place for it, from the catalogue.
        """
        places: list[sql.Composable] = []
        metadata: sql.Composable = sql.SQL("NULL")
        if self._is_json(DATA):
            places.append(sql.SQL("{}::jsonb").format(self._readable(DATA)))
        if self._is_json("metadata"):
            places.append(sql.SQL("(m.metadata -> {})::jsonb").format(sql.Literal(DATA)))
            metadata = sql.SQL("{} #> '{{}}'").format(self._readable("metadata"))
        given = {"shown": self.url, "alt": self._alt}
        if not places and self._is_text("featured_image_url"):
            return sql.SQL(SQL["data_of_the_catalogue"]).format(
                **given, url=self.own("featured_image_url"), stem=sql.Literal(STEM)
            )
        return sql.SQL(SQL["data_of_the_post"]).format(**given, data=first_of(places), metadata=metadata)

    @property
    def _alt(self) -> sql.Composable:
        """What is said of the picture for who cannot see it, or else the post's title."""
        places: list[sql.Composable] = [self.own(name) for name in ALT_COLUMNS if self._is_text(name)]
        if self._is_json("metadata"):
            places.insert(0, sql.SQL("n.metadata ->> 'featured_image_alt'"))
        media = self.labels.of("media")
        beside = {"url", "alt_text"} <= set(media) and type_of(media.get("post_id")) == self._type("id")
        if not places and beside and self._is_text("featured_image_url"):
            places.append(sql.SQL(SQL["alt_of_media"]).format(id=self.own("id"), url=self.own("featured_image_url")))
        found = [sql.SQL("nullif({}, '')").format(place) for place in places]
        return first_of([*found, shown(self.columns.get("title"), self.own("title"))])

    # --- the blog's columns ---

    def _name(self, ours: str) -> sql.Composable:
        return sql.Identifier(self.schema.names.theirs(ours))

    def own(self, ours: str) -> sql.Composable:
        return sql.SQL("p.{}").format(self._name(ours))

    def _type(self, ours: str) -> str | None:
        return type_of(self.columns.get(ours))

    def _is_text(self, ours: str) -> bool:
        return ours in self.columns and self.columns[ours].type in TEXTS

    def _is_json(self, ours: str) -> bool:
        return ours in self.columns and self.columns[ours].type in JSON

    def _readable(self, ours: str) -> sql.Composable:
        """A column of JSON; NULL where a `json` has what PostgreSQL takes and cannot read (UNREADABLE)."""
        own = self.own(ours)
        if self._type(ours) == "jsonb":
            return own
        return sql.SQL("(CASE WHEN {0}::text !~ {1} THEN {0} END)").format(own, sql.Literal(UNREADABLE))


def look_for_reading(connection: Connection) -> PostReading:
    """The statements for the blog as this connection's user sees it."""
    return PostReading(look(connection, others=TABLES))
