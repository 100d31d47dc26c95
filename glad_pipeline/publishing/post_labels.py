"""A blog's categories, tags and authors: all of one kind, which posts have one, and how many.

A post names its category and author by an id of their tables, or by a name of its own, in a column or its metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from psycopg import sql

from glad_pipeline.database import named_queries
from glad_pipeline.publishing.blog_schema import BlogSchema
from glad_pipeline.publishing.columns import BlogColumn
from glad_pipeline.publishing.conditions import any_of, as_bytes, first_of, json_of, known, where

SQL = named_queries(__package__, "post_labels.sql")
LABELS: Mapping[str, Sequence[str]] = {
    "categories": ("id", "name", "slug", "description", "created_at", "updated_at"),
    "tags": ("id", "name", "slug", "description", "created_at", "updated_at"),
    "authors": ("id", "name", "slug", "bio", "avatar_url", "created_at"),  # no address of anybody's
}
TABLES = {"category": "categories", "author": "authors", "tag": "tags"}
MOST_LABELS = 1_000  # of one answer
MOST_COUNTS = 20_000  # names and ids that are counted
Naming = Callable[[str], sql.Composable]  # a column of posts, by our name for it


class PostLabels:
    """Parts of statements, and statements, for one blog. The posts are `p`.

    Args:
        own: a column of the posts.
        names: where a post may have a name of its own of its category or author: by `category` and `author`.
        shown: the same of a post that is shown.
    """

    def __init__(
        self,
        schema: BlogSchema,
        columns: Mapping[str, BlogColumn],
        own: Naming,
        names: Mapping[str, Sequence[sql.Composable]],
        shown: Mapping[str, Sequence[sql.Composable]],
    ) -> None:
        self._schema, self._columns, self._own, self._names, self._shown = schema, columns, own, names, shown

    # --- what there is ---

    def all(self, table: str) -> bytes:
        """All of them as JSON texts, by name; none where the blog has no such table."""
        return self._listed(table, sql.SQL(""))

    def one(self, table: str) -> bytes:
        """The one that `label` names: by its slug, its id or its name."""
        ids = self._found(table, "label")
        return self._listed(table, sql.SQL(" WHERE l.id = {}").format(ids)) if ids else b"SELECT LIMIT 0"

    def _listed(self, table: str, condition: sql.Composable) -> bytes:
        found = self.of(table)
        if not {"id", "name"} <= set(found):
            return b"SELECT LIMIT 0"
        parts = {name: shown(found.get(name), sql.SQL("l.{}").format(sql.Identifier(name))) for name in LABELS[table]}
        return as_bytes(
            sql.SQL("SELECT {} AS label FROM {} AS l{} ORDER BY l.name, l.id LIMIT {}").format(
                json_of(parts), sql.Identifier(table), condition, sql.Literal(MOST_LABELS)
            )
        )

    def count(self, table: str, conditions: Sequence[sql.Composable]) -> bytes | None:
        """How many posts have each id (as a text), or only a name; None: the blog keeps it nowhere."""
        label = next(label for label, of in TABLES.items() if of == table)
        by_id, names = self._is_by_id(label), self._names.get(label, ())
        if label == "tag":
            named = self._tags_of_posts(conditions)
        elif by_id or names:
            id = self._own(f"{label}_id") if by_id else sql.SQL("NULL")
            named = sql.SQL(SQL["named"]).format(
                id=id, name=first_of(names), table=self._schema.table, where=where(conditions)
            )
        else:
            return None
        return as_bytes(sql.SQL(SQL["counts"]).format(named=named, most=sql.Literal(MOST_COUNTS)))

    def _tags_of_posts(self, conditions: Sequence[sql.Composable]) -> sql.Composable:
        """A row for each tag of each post, once however it is noted."""
        ways, of = [], {"key": self._own("id"), "table": self._schema.table, "where": where(conditions)}
        if self._are_linked:
            text = "SELECT {key}, t.tag_id FROM {table} AS p JOIN post_tags AS t ON t.post_id = {key}{where}"
            ways.append(sql.SQL(text).format(**of))
        if self._are_listed:
            text = "SELECT {key}, unnest({tags}) FROM {table} AS p{where}"
            ways.append(sql.SQL(text).format(tags=self._own("tag_ids"), **of))
        if not ways:
            return sql.SQL("SELECT NULL::text AS id, NULL::text AS name WHERE false")
        union = sql.SQL(" UNION ").join(ways)
        return sql.SQL("SELECT u.tag::text AS id, NULL::text AS name FROM ({}) AS u (post, tag)").format(union)

    # --- of a post ---

    def has(self, label: str) -> sql.Composable:
        """Whether a post has the category, author or tag that the parameter of this name says."""
        ways: list[sql.Composable] = []
        ids = self._found(TABLES[label], label)
        if label == "tag":
            if ids and self._are_linked:
                ways.append(sql.SQL(SQL["has_linked_tag"]).format(id=self._own("id"), tag=ids))
            if ids and self._are_listed:
                ways.append(sql.SQL("{} = ANY ({})").format(ids, self._own("tag_ids")))
            return known(ids, any_of(ways))
        if by_id := self._is_by_id(label):
            ways.append(sql.SQL("{} = {}").format(self._own(f"{label}_id"), ids))
        name = self._found(TABLES[label], label, "name")
        called = sql.SQL(", ").join([sql.Placeholder(label), *([name] if name else [])])
        ways += [sql.SQL("{} IN ({})").format(each, called) for each in self._names.get(label, ())]
        return known(ids, any_of(ways)) if len(ways) == 1 and by_id else any_of(ways)

    def of_post(self, label: str) -> sql.Composable:
        """A post's category or author as JSON: id, name, slug; NULL: it has none."""
        ways: list[sql.Composable] = []
        if self._is_by_id(label) and "name" in self.of(TABLES[label]):
            found = sql.SQL("SELECT {} FROM {} AS l WHERE l.id = {}").format(
                self._object(TABLES[label]), sql.Identifier(TABLES[label]), self._own(f"{label}_id")
            )
            ways.append(sql.SQL("({})").format(found))
        ways += [sql.SQL(SQL["name_alone"]).format(name=each) for each in self._shown.get(label, ())]
        return first_of(ways) if ways else sql.SQL("NULL::json")

    @property
    def tags_of_post(self) -> sql.Composable:
        """A post's tags as JSON: id, name and slug of each, by name."""
        ways: list[sql.Composable] = []
        if self._are_linked:
            ways.append(sql.SQL("SELECT t.tag_id FROM post_tags AS t WHERE t.post_id = {}").format(self._own("id")))
        if self._are_listed:
            ways.append(sql.SQL("SELECT unnest({})").format(self._own("tag_ids")))
        if not ways or "name" not in self.of("tags"):
            return sql.SQL("'[]'::json")
        return sql.SQL(SQL["tags"]).format(tag=self._object("tags"), ids=sql.SQL(" UNION ALL ").join(ways))

    def _object(self, table: str) -> sql.Composable:
        slug = sql.SQL("l.slug" if "slug" in self.of(table) else "NULL")
        return sql.SQL("json_build_object('id', l.id, 'name', l.name, 'slug', {})").format(slug)

    # --- the blog's columns ---

    def of(self, table: str) -> Mapping[str, BlogColumn]:
        """The columns of another table of the blog's that may be read."""
        found = self._schema.tables.get(table)
        return {name: column for name, column in found.columns.items() if column.may_select} if found else {}

    def _is_by_id(self, label: str) -> bool:
        own = type_of(self._columns.get(f"{label}_id"))
        return own is not None and own == type_of(self.of(TABLES[label]).get("id"))

    @property
    def _are_linked(self) -> bool:
        links, kind = self.of("post_tags"), type_of(self.of("tags").get("id"))
        theirs = [type_of(links.get(name)) for name in ("post_id", "tag_id")]
        return kind is not None and theirs == [type_of(self._columns.get("id")), kind]

    @property
    def _are_listed(self) -> bool:
        kind = type_of(self.of("tags").get("id"))
        return kind is not None and type_of(self._columns.get("tag_ids")) == f"{kind}[]"

    def _found(self, table: str, parameter: str, column: str = "id") -> sql.Composed | None:
        """A column of what a parameter names by its slug, its id or its name."""
        found = self.of(table)
        if not {"id", column} <= set(found):
            return None
        named = [
            sql.SQL("l.{}::text = {}").format(sql.Identifier(name), sql.Placeholder(parameter))
            for name in ("slug", "id", "name")
            if name in found
        ]
        return sql.SQL("(SELECT l.{} FROM {} AS l WHERE {} ORDER BY {} DESC NULLS LAST LIMIT 1)").format(
            sql.Identifier(column), sql.Identifier(table), sql.SQL(" OR ").join(named), named[0]
        )


def type_of(column: BlogColumn | None) -> str | None:
    """Of a column that there may be."""
    return column.type if column else None


def shown(column: BlogColumn | None, own: sql.Composable) -> sql.Composable:
    """A column's value for JSON."""
    if column is None:
        return sql.SQL("NULL")
    # one without a zone is UTC in sessions of ours
    return sql.SQL("{} AT TIME ZONE 'UTC'" if column.type == "timestamp without time zone" else "{}").format(own)
