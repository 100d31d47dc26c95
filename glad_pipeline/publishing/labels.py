"""Authors and categories: the blog's rows of these names, and into which columns of a post they go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from psycopg import sql

from glad_pipeline.database import Connection, value
from glad_pipeline.publishing.blog_schema import BlogSchema
from glad_pipeline.publishing.columns import BlogTable
from glad_pipeline.publishing.slugs import slugify
from glad_pipeline.records import DuePrompt

TABLES = {"category": "categories", "author": "authors"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Labelled:
    """What a new post gets of its prompt's author and category."""

    values: dict[str, Any] = field(default_factory=dict)  # columns of posts
    metadata: dict[str, str] = field(default_factory=dict)  # what only the post's metadata take
    unplaced: list[str] = field(default_factory=list)  # what the blog has no place for, in words


def labels_of(connection: Connection, schema: BlogSchema, prompts: Sequence[DuePrompt]) -> dict[int, Labelled]:
    """In the caller's transaction: for each prompt where its author and category go; what is absent is added."""
    ids = {
        label: _ids(connection, schema.tables.get(table), (getattr(each, label) for each in prompts))
        for label, table in TABLES.items()
        if schema.writes(f"{label}_id")
    }
    return {each.id: _labelled(each, schema, ids) for each in prompts}


def _labelled(prompt: DuePrompt, schema: BlogSchema, ids: dict[str, dict[str, Any]]) -> Labelled:
    found = Labelled()
    for label in TABLES:
        name = getattr(prompt, label)
        if not name:
            continue
        there = ids.get(label, {}).get(name)
        if there is not None:
            found.values[f"{label}_id"] = there
        if schema.writes(label):
            found.values[label] = name
        elif there is None and schema.writes("metadata"):
            found.metadata[label] = name
        elif there is None and label in ids:
            text = f"{label}: the blog has no {label} {name!r} and wants more than a name to add one"
            found.unplaced.append(text)
    return found


def _ids(connection: Connection, table: BlogTable | None, names: Iterable[str | None]) -> dict[str, Any]:
    """The ids of categories or authors by name, without those that cannot be added."""
    if table is None:
        return {}
    found = {name: _id(connection, table, name) for name in sorted({name for name in names if name})}
    return {name: known for name, known in found.items() if known is not None}


def _id(connection: Connection, table: BlogTable, name: str) -> Any:
    """The id of a category or author, added if the blog lets a name and a slug suffice; else None."""
    columns = table.columns
    if not {"id", "name"} <= set(columns) or not all(columns[each].may_select for each in ("id", "name")):
        return None
    relation = sql.Identifier(table.name)
    found = sql.SQL("SELECT id FROM {} WHERE name = %s").format(relation)
    if (known := value(connection, found, [name])) is not None:
        return known
    values: dict[str, Any] = {"name": name, "slug": slugify(name)}
    if columns["id"].type == "uuid":
        values["id"] = uuid4()
    values = {column: given for column, given in values.items() if table.has(column)}
    owed = any(column.owed and name not in values for name, column in columns.items())
    if owed or "name" not in values or not table.takes_inserts:
        return None
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING").format(
        relation, sql.SQL(", ").join(map(sql.Identifier, values)), sql.SQL(", ").join(map(sql.Placeholder, values))
    )
    connection.execute(statement, values)
    label = value(connection, found, [name])  # another run may have been first
    if label is None and "slug" in columns:  # the same slug under another spelling: "Sea side" and "sea-side"
        same = sql.SQL("SELECT id FROM {} WHERE slug = %s").format(relation)
        label = value(connection, same, [slugify(name)])
    return label
