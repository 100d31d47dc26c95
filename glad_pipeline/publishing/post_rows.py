"""Writing posts under the blog's own names: INSERT and UPDATE, composed from the columns that a look has found.

Values come by our names for columns and states, and go by the blog's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from psycopg import sql
from psycopg.types.json import Jsonb

from glad_pipeline.database import Connection, value
from glad_pipeline.errors import GladError
from glad_pipeline.publishing.blog_schema import BlogSchema
from glad_pipeline.publishing.columns import ALT_COLUMNS
from glad_pipeline.publishing.public_picture import DATA
from glad_pipeline.records import PostId
from glad_pipeline.storage.keys import STEM

_CUT = ("excerpt", "seo_title", "seo_description", "category", "author", *ALT_COLUMNS)  # to the column's width
_AS_TITLE = ("excerpt", "seo_description")  # where the blog wants a value and the prompt has none


class PostRows:
    """Rows of the blog's posts."""

    def __init__(self, schema: BlogSchema) -> None:
        self.schema = schema

    def insert(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> list[PostId]:
        """Write new posts, and return their ids in this order; where the blog gives none, they are made here.

        A column without a value is left to the blog's default.
        """
        fitting = [self._new(row) for row in rows]
        ids: dict[int, PostId] = {}
        alike: dict[tuple[str, ...], list[int]] = {}
        for number, row in enumerate(fitting):
            alike.setdefault(tuple(row), []).append(number)
        for columns, numbers in alike.items():
            with connection.cursor() as cursor:
                cursor.executemany(self._insert(columns), [fitting[number] for number in numbers], returning=True)
                found = [row["id"] for result in cursor.results() for row in result]
            if len(found) != len(numbers):
                raise GladError("a trigger of the blog dropped the post")
            ids.update(zip(numbers, found, strict=True))
        return [ids[number] for number in range(len(rows))]

    def insert_one(self, connection: Connection, row: Mapping[str, Any]) -> PostId | None:
        """Write one new post; None: the blog has dropped it, or gives no id back."""
        fitting = self._new(row)
        found: PostId | None = value(connection, self._insert(tuple(fitting)), fitting)
        return found

    def _new(self, row: Mapping[str, Any]) -> dict[str, Any]:
        own = self._columns["id"]
        given = {name: found for name, found in self._fitting(row).items() if found is not None}
        for name in _AS_TITLE:
            if name not in given and self.schema.writes(name) and self._columns[name].owed:
                width = self._columns[name].width
                given[name] = row["title"][:width]
        if own.type == "uuid" and not own.computed:
            return {"id": uuid4(), **given}
        makes = own.owed and own.is_text and (own.width is None or own.width >= 36)  # else a trigger of the blog does
        return {"id": str(uuid4()), **given} if makes else given

    def _insert(self, columns: Sequence[str]) -> sql.Composed:
        return sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {} AS id").format(
            self.schema.table,
            sql.SQL(", ").join(map(self._name, columns)),
            sql.SQL(", ").join(map(sql.Placeholder, columns)),
            self._name("id"),
        )

    def update(
        self,
        connection: Connection,
        post: PostId,
        values: Mapping[str, Any],
        *,
        metadata: Mapping[str, Any],
        without: Sequence[str] = (),
        cover: str | None = None,
        keep_time: bool = False,
    ) -> str | None:
        """Set columns of a post, and `updated_at` unless `keep_time`; add to its metadata or take names out of it.

        `featured_image_data` is a column, or else a name in the metadata; None: what of it is ours goes.
        Who sets the picture sets the one for social networks too (`cover`, or else the same), if that was none or ours.
        The post's new version: `updated_at` as text, or ""; None: there was nothing to set, or there is no such post.
        """
        fitting = self._fitting(values if keep_time else {**values, "updated_at": datetime.now(UTC)})
        bound: dict[str, Any] = {}
        if DATA in values:
            bound[DATA] = Jsonb(values[DATA]) if values[DATA] else None
        in_column = fitting.pop(DATA, bound) is not bound
        fitting = {name: self._empty(name) if found is None else found for name, found in fitting.items()}
        pairs = [sql.SQL("{} = {}").format(self._name(name), sql.Placeholder(name)) for name in fitting]
        if in_column:
            pairs.append(self._data_column(bound[DATA]))
        bound |= fitting
        if "featured_image_url" in fitting and "cover_image_url" not in values:
            url = cover or fitting["featured_image_url"]
            if self._may_cover(url):
                pairs.append(self._cover())
                bound["cover"] = url or self._empty("cover_image_url")
        in_metadata = DATA in values and not in_column
        if (metadata or without or in_metadata) and self.schema.writes("metadata"):
            changed = self._metadata(bound[DATA]) if in_metadata else self._metadata()
            pairs.append(sql.SQL("{} = {}").format(self._name("metadata"), changed))
            bound |= {"more": Jsonb(dict(metadata)), "less": list(without)}
        if not pairs:
            return None
        version = sql.SQL("coalesce(to_jsonb(posts) ->> {}, '')").format(self.schema.names.theirs("updated_at"))
        statement = sql.SQL("UPDATE {} AS posts SET {} WHERE {} = {} RETURNING {} AS version").format(
            self.schema.table, sql.SQL(", ").join(pairs), self._name("id"), sql.Placeholder("post"), version
        )
        after: str | None = value(connection, statement, {**bound, "post": post})
        return after

    def _may_cover(self, url: str | None) -> bool:
        if not self.schema.writes("cover_image_url"):
            return False
        width = self._columns["cover_image_url"].width
        return width is None or len(url or "") <= width

    def _metadata(self, *data: Jsonb | None) -> sql.Composed:
        """The metadata with `more` and without `less`; `data`: and with this as their `featured_image_data`."""
        column = sql.SQL("posts.{}").format(self._name("metadata"))
        changed = sql.SQL("(coalesce({}::jsonb, '{{}}'::jsonb) || {}) - {}::text[]").format(
            column, sql.Placeholder("more"), sql.Placeholder("less")
        )
        for each in data:
            after = self._data(each, sql.SQL("({}::jsonb -> {})").format(column, DATA))
            changed = sql.SQL("({0} - {1}) || coalesce((SELECT jsonb_build_object({1}, after) FROM (SELECT {2}) AS d"
                              " (after) WHERE after IS NOT NULL), '{{}}')").format(changed, DATA, after)  # fmt: skip
        return changed

    def _data_column(self, data: Jsonb | None) -> sql.Composed:
        after = self._data(data, sql.SQL("posts.{}").format(self._name(DATA)))
        empty = "coalesce({}, '{{}}'::jsonb)" if self._columns[DATA].not_null else "{}"
        return sql.SQL("{} = {}").format(self._name(DATA), sql.SQL(empty).format(after))

    @staticmethod
    def _data(data: Jsonb | None, before: sql.Composed) -> sql.Composed:
        """`featured_image_data` becomes this, or what it was before ours: a person's own is kept inside ours."""
        after = (
            "{data}::jsonb || CASE WHEN {before} IS NULL THEN '{{}}'::jsonb WHEN NOT {is_ours} THEN "
            "jsonb_build_object('replaced', {before}::jsonb) WHEN {before}::jsonb ? 'replaced' THEN "
            "jsonb_build_object('replaced', {before}::jsonb -> 'replaced') ELSE '{{}}'::jsonb END"
            if data is not None
            else "CASE WHEN {is_ours} THEN {before}::jsonb -> 'replaced' ELSE {before}::jsonb END"
        )
        is_ours = sql.SQL("EXISTS (SELECT FROM images WHERE key = substring({}::text FROM {}) || '.png')").format(
            before, STEM
        )
        return sql.SQL(after).format(data=sql.Placeholder(DATA), before=before, is_ours=is_ours)

    def _cover(self) -> sql.Composed:
        return sql.SQL(
            "{column} = CASE WHEN coalesce({cover}, '') = '' OR {cover} = {shown} OR EXISTS ("
            "SELECT FROM images WHERE key = substring({cover} FROM {ours}) || '.png') THEN {url} ELSE {cover} END"
        ).format(
            column=self._name("cover_image_url"),
            cover=sql.SQL("posts.{}").format(self._name("cover_image_url")),
            shown=sql.SQL("posts.{}").format(self._name("featured_image_url")),
            ours=STEM,
            url=sql.Placeholder("cover"),
        )

    @property
    def _columns(self) -> Mapping[str, Any]:
        return self.schema.posts.columns if self.schema.posts else {}

    def _name(self, ours: str) -> sql.Identifier:
        return sql.Identifier(self.schema.names.theirs(ours))

    def _empty(self, name: str) -> str | None:
        """What stands for nothing in a column that has to have a value."""
        column = self._columns[name]
        return "" if column.not_null and column.is_text else None

    def _fitting(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Only columns that are written, states as the blog calls them, and what may be cut cut to the width."""
        fitting = {name: found for name, found in values.items() if self.schema.writes(name)}
        for name in _CUT:
            if fitting.get(name):
                fitting[name] = fitting[name][: self._columns[name].width]
        if fitting.get("status"):
            fitting["status"] = self.schema.status(fitting["status"])
        for name in ("metadata", DATA):
            if fitting.get(name) is not None:
                fitting[name] = Jsonb(fitting[name])
        cover = self._columns["cover_image_url"].width if "cover_image_url" in fitting else None
        if cover and len(fitting["cover_image_url"] or "") > cover:
            del fitting["cover_image_url"]
        return fitting
