"""Reading posts for the blog's own pages: SELECTs composed from the columns that a look has found.

A row has a post as JSON text, as the blog's front end reads it: PostgreSQL makes it in less time than Python takes to
read its values. Every statement is made once for its kind of question, as bytes, so that a request costs no composing
and PostgreSQL plans it once; a limit is written out, since no plan is good for any limit.

The posts are taken from their own table under their own names: PostgreSQL uses an index on a condition only where the
statement has that very condition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal

from psycopg import sql

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.publishing.blog_schema import BlogSchema, look
from glad_pipeline.publishing.columns import ALT_COLUMNS, JSON, TEXTS, BlogColumn
from glad_pipeline.publishing.conditions import all_of, any_of, as_bytes, first_of, json_of, known, where
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
LABELS: Mapping[str, Sequence[str]] = {
    "categories": ("id", "name", "slug", "description", "created_at", "updated_at"),
    "tags": ("id", "name", "slug", "description", "created_at", "updated_at"),
    "authors": ("id", "name", "slug", "bio", "avatar_url", "created_at"),  # no address of anybody's
}
MOST_LABELS = 1_000  # of one answer
COUNTED = 1_000  # posts: so many are counted each time, more are estimated
States = Literal["published", "one", "all"]  # `one`: that of the parameter `status`
Naming = Callable[[str], sql.Composable]  # a column of posts, by our name for it
SIZES = "auto, 100vw"  # `auto`: browsers that see how wide a lazy picture is; a page that knows better says so itself
_FIRST, _SECOND = r"\\u[dD][89abAB][0-9a-fA-F]{2}", r"\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # halves of a character
UNREADABLE = rf"\\u0000|{_FIRST}(?!{_SECOND})|(?<!{_FIRST}){_SECOND}"
_STATEMENTS = 512  # kinds of questions that are kept; the oldest goes


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A kind of question for posts; the values themselves are bound: status, category, tag, search."""

    states: States = "published"
    category: bool = False
    tag: bool = False
    search: bool = False

    @property
    def may_take_long(self) -> bool:
        """Whether all posts may have to be read to find few: for these no index is asked of a blog."""
        return self.category or self.tag or self.search


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

    def _page(self, asked: Asked, limit: int, start: Literal["first", "skip", "after"]) -> bytes:
        """One page: the first, or that after `skip` posts, or after the post of a cursor (`at` and `id`)."""
        conditions = self._conditions(asked)
        if start == "after":
            conditions.append(self._after)
        return as_bytes(
            sql.SQL("SELECT {} AS post, {}::text AS at, {}::text AS id FROM {} AS p {}{}"
                    " ORDER BY {} LIMIT {}{}").format(
                self._post, self._date or sql.SQL("NULL"), self._own("id"), self.schema.table, self._beside,
                where(conditions), self._order, sql.Literal(limit),
                sql.SQL(" OFFSET %(skip)s" if start == "skip" else ""),
            )
        )  # fmt: skip

    def _count(self, asked: Asked) -> bytes:
        """How many posts there are, at most one more than are counted."""
        return as_bytes(
            sql.SQL("SELECT count(*) AS count FROM (SELECT FROM {} AS p{} LIMIT {}) AS counted").format(
                self.schema.table, where(self._conditions(asked)), sql.Literal(COUNTED + 1)
            )
        )

    def _plan(self, asked: Asked) -> bytes:
        """How many PostgreSQL thinks there are, with those few that are yet to come out: of dates it knows less."""
        conditions = where(self._conditions(asked, dated=False))
        return as_bytes(sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {} AS p{}").format(self.schema.table, conditions))

    @cached_property
    def one(self) -> bytes:
        """The post with a slug, whatever its state; `is_public`, `was_taken_down`, and the token of its preview."""
        public = all_of(self._conditions(Asked()))
        token = self._own("preview_token") if "preview_token" in self.columns else sql.SQL("NULL")
        return as_bytes(
            sql.SQL("SELECT {} AS post, {} AS is_public, {}::text AS preview_token, {} FROM {} AS p {}"
                    " WHERE {} = %(slug)s ORDER BY {} DESC LIMIT 1").format(
                self._post, public, token, sql.SQL(SQL["was_taken_down"]).format(public=public, id=self._own("id")),
                self.schema.table, self._beside, self._own("slug"), public,
            )
        )  # fmt: skip

    def labels(self, table: str) -> bytes:
        """All categories, tags or authors as JSON texts, by name; none where the blog has no such table."""
        found = self._of(table)
        if not {"id", "name"} <= set(found):
            return b"SELECT LIMIT 0"
        parts = {name: _shown(found.get(name), sql.SQL("l.{}").format(sql.Identifier(name))) for name in LABELS[table]}
        return as_bytes(
            sql.SQL("SELECT {} AS label FROM {} AS l ORDER BY l.name, l.id LIMIT {}").format(
                json_of(parts), sql.Identifier(table), sql.Literal(MOST_LABELS)
            )
        )

    # --- the order, and its index ---

    @cached_property
    def _dates(self) -> list[str]:
        """The columns by which posts are ordered, the first that has a value."""
        return [name for name in ("published_at", "created_at") if name in self.columns]

    @cached_property
    def _date(self) -> sql.Composable | None:
        """When a post came out; None: the blog does not say."""
        return self._dated(self._own)

    def _dated(self, own: Naming) -> sql.Composable | None:
        if not self._dates:
            return None
        parts: list[sql.Composable] = [own(name) for name in self._dates]
        if not any(self.columns[name].not_null for name in self._dates):
            parts.append(sql.SQL("'-infinity'"))  # a post without any date comes last
        return parts[0] if len(parts) == 1 else sql.SQL("coalesce({})").format(sql.SQL(", ").join(parts))

    @cached_property
    def _date_type(self) -> str:
        kinds = {self.columns[name].type for name in self._dates}
        return kinds.pop() if len(kinds) == 1 else "timestamp with time zone"

    @cached_property
    def _order(self) -> sql.Composed:
        last = sql.SQL("{} DESC").format(self._own("id"))
        return sql.SQL("{} DESC, {}").format(self._date, last) if self._date else last

    @property
    def _after(self) -> sql.Composed:
        kind = self.columns["id"].type
        # `character` alone is one character
        given = sql.SQL("%(id)s::{}").format(sql.SQL("bpchar" if kind == "character" else kind))
        if self._date is None:
            return sql.SQL("{} < {}").format(self._own("id"), given)
        return sql.SQL("({}, {}) < (%(at)s::{}, {})").format(
            self._date, self._own("id"), sql.SQL(self._date_type), given
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

    def _conditions(self, asked: Asked, *, dated: bool = True) -> list[sql.Composable]:
        found: list[sql.Composable] = []
        if asked.states == "published":
            if (published := self._published(self._own)) is not None:
                found.append(published)
            if dated and "published_at" in self.columns and self._date is not None:
                found.append(sql.SQL("{} <= now()").format(self._date))  # what is yet to come out is not published
        elif asked.states == "one":
            found.append(sql.SQL("{} = %(status)s").format(self._status))
        if asked.category:
            found.append(self._in_category)
        if asked.tag:
            found.append(self._with_tag)
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
            published = self._published(self._own) or sql.SQL("true")
            return sql.SQL("CASE WHEN {} THEN 'published' ELSE 'draft' END").format(published)
        own = sql.SQL("{}::text").format(self._own("status"))
        if not self.schema.names.statuses:
            return own
        cases = [
            sql.SQL("WHEN {} THEN {}").format(sql.Literal(theirs), sql.Literal(ours))
            for ours, theirs in self.schema.names.statuses
        ]
        return sql.SQL("CASE {0} {1} ELSE {0} END").format(own, sql.SQL(" ").join(cases))

    @cached_property
    def _in_category(self) -> sql.Composable:
        ways: list[sql.Composable] = []
        ids = self._ids("categories", "category")
        by_id = ids is not None and self._type("category_id") == self._of("categories")["id"].type
        if by_id:
            ways.append(sql.SQL("{} = {}").format(self._own("category_id"), ids))
        if self._is_text("category"):
            ways.append(sql.SQL("{} = %(category)s").format(self._own("category")))
        elif self._is_json("metadata"):
            ways.append(sql.SQL("{} ->> 'category' = %(category)s").format(self._readable("metadata")))
        return known(ids, any_of(ways)) if len(ways) == 1 and by_id else any_of(ways)

    @property
    def _with_title(self) -> sql.Composable:
        return any_of([sql.SQL("{} ILIKE %(search)s").format(self._own("title"))] if self._is_text("title") else [])

    @cached_property
    def _with_tag(self) -> sql.Composable:
        ways: list[sql.Composable] = []
        ids = self._ids("tags", "tag")
        kind, links = self._of("tags")["id"].type if ids else None, self._of("post_tags")
        if ids and [_type(links.get(name)) for name in ("post_id", "tag_id")] == [self._type("id"), kind]:
            ways.append(
                sql.SQL("EXISTS (SELECT FROM post_tags AS t WHERE t.post_id = {} AND t.tag_id = {})").format(
                    self._own("id"), ids
                )
            )
        if ids and self._type("tag_ids") == f"{kind}[]":
            ways.append(sql.SQL("{} = ANY ({})").format(ids, self._own("tag_ids")))
        return known(ids, any_of(ways))

    def _ids(self, table: str, parameter: str) -> sql.Composed | None:
        """The id of the category or tag that a parameter names: by its slug, its id or its name."""
        found = self._of(table)
        if "id" not in found:
            return None
        named = [
            sql.SQL("l.{}::text = {}").format(sql.Identifier(name), sql.Placeholder(parameter))
            for name in ("slug", "id", "name")
            if name in found
        ]
        return sql.SQL("(SELECT l.id FROM {} AS l WHERE {} ORDER BY {} DESC NULLS LAST LIMIT 1)").format(
            sql.Identifier(table), sql.SQL(" OR ").join(named), named[0]
        )

    # --- what is shown ---

    @cached_property
    def _post(self) -> sql.Composed:
        """A post as JSON text."""
        parts = {name: _shown(self.columns.get(name), self._own(name)) for name in FIELDS}
        parts["status"] = self._status
        given = {"shown": self._url, "alt": first_of([self._alt, parts["title"]]), "sizes": sql.Literal(SIZES)}
        parts["coverImage"] = sql.SQL(SQL["cover"]).format(**given)
        parts["picture"] = sql.SQL(SQL["picture"]).format(**given)
        return json_of(parts)

    @property
    def _url(self) -> sql.Composable:
        """The address of what a post shows."""
        found = [self._own(name) for name in ("featured_image_url", "cover_image_url") if self._is_text(name)]
        return first_of([sql.SQL("nullif({}, '')").format(each) for each in found])

    @property
    def _beside(self) -> sql.Composable:
        """What is joined to each post that is shown: `d.data`, what `<picture>` needs of the picture shown now.

        As the post has it (`PublicPicture.data`), or, on a blog that has no place for it, from the catalogue.
        """
        places: list[sql.Composable] = []
        if self._is_json(DATA):
            places.append(sql.SQL("{}::jsonb").format(self._readable(DATA)))
        if self._is_json("metadata"):
            places.append(sql.SQL("({} -> {})::jsonb").format(self._readable("metadata"), sql.Literal(DATA)))
        if not places and self._is_text("featured_image_url"):
            return sql.SQL(SQL["data_of_the_catalogue"]).format(
                url=self._own("featured_image_url"), stem=sql.Literal(STEM)
            )
        return sql.SQL(SQL["data_of_the_post"]).format(data=first_of(places), shown=self._url)

    @property
    def _alt(self) -> sql.Composable:
        """What is said of the picture for who cannot see it."""
        places: list[sql.Composable] = [self._own(name) for name in ALT_COLUMNS if self._is_text(name)]
        if self._is_json("metadata"):
            places.insert(0, sql.SQL("{} ->> 'featured_image_alt'").format(self._readable("metadata")))
        media = self._of("media")
        beside = {"url", "alt_text"} <= set(media) and _type(media.get("post_id")) == self._type("id")
        if not places and beside and self._is_text("featured_image_url"):
            places.append(sql.SQL(SQL["alt_of_media"]).format(id=self._own("id"), url=self._own("featured_image_url")))
        return first_of([sql.SQL("nullif({}, '')").format(place) for place in places])

    # --- the blog's columns ---

    def _name(self, ours: str) -> sql.Composable:
        return sql.Identifier(self.schema.names.theirs(ours))

    def _own(self, ours: str) -> sql.Composable:
        return sql.SQL("p.{}").format(self._name(ours))

    def _type(self, ours: str) -> str | None:
        return _type(self.columns.get(ours))

    def _is_text(self, ours: str) -> bool:
        return ours in self.columns and self.columns[ours].type in TEXTS

    def _is_json(self, ours: str) -> bool:
        return ours in self.columns and self.columns[ours].type in JSON

    def _readable(self, ours: str) -> sql.Composable:
        """A column of JSON; NULL where a `json` has what PostgreSQL takes and cannot read (UNREADABLE)."""
        own = self._own(ours)
        if self._type(ours) == "jsonb":
            return own
        return sql.SQL("(CASE WHEN {0}::text !~ {1} THEN {0} END)").format(own, sql.Literal(UNREADABLE))

    def _of(self, table: str) -> Mapping[str, BlogColumn]:
        """The columns of another table of the blog's that may be read."""
        found = self.schema.tables.get(table)
        return {name: column for name, column in found.columns.items() if column.may_select} if found else {}


def look_for_reading(connection: Connection) -> PostReading:
    """The statements for the blog as this connection's user sees it."""
    return PostReading(look(connection, others=TABLES))


def _type(column: BlogColumn | None) -> str | None:
    return column.type if column else None


def _shown(column: BlogColumn | None, own: sql.Composable) -> sql.Composable:
    """A column's value for JSON."""
    if column is None:
        return sql.SQL("NULL")
    # one without a zone is UTC in sessions of ours
    return sql.SQL("{} AT TIME ZONE 'UTC'" if column.type == "timestamp without time zone" else "{}").format(own)
