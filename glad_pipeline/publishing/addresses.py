"""Addresses of pictures of ours wherever tables have them: in which columns, and another base put into them.

Ours is an address whose base is followed by the key of a picture of the catalogue, a thumbnail's or rendition's too,
alone in a column or anywhere in a text or JSON: as it is, with each `/` as `\\/`, which PHP writes, or
percent-encoded, as in a link to an image proxy (`/_next/image?url=…`). Everything else in a row, its time of change
too, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

from psycopg import sql

from glad_pipeline.database import Connection, named_queries, value
from glad_pipeline.database.content_tasks import PICTURE, look_at_tasks
from glad_pipeline.publishing.blog_schema import BlogSchema, look
from glad_pipeline.publishing.columns import BlogColumn, BlogTable
from glad_pipeline.storage.keys import PREFIX, STEM, key_in

SQL = named_queries(__package__, "posts.sql")
IMAGES, POSTS = "images", "posts"
WIDEST = 500  # characters of an address in `images`, by its CHECK
_JSON = frozenset({"jsonb", "json"})
_KEY = rf"{STEM}(?:-[\w-]+)?\.[a-z0-9]+"
FORMS: Mapping[str, Callable[[str], str]] = {  # in which an address may stand in a text
    "plain": lambda text: text,
    "escaped": lambda text: text.replace("/", r"\/"),
    "encoded": lambda text: quote(text, safe=""),
    "encoded_small": lambda text: re.sub(
        "%[0-9A-F]{2}", lambda hexadecimal: hexadecimal[0].lower(), quote(text, safe="")
    ),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One base of public addresses, what precedes the `/` before the key, in the place of another."""

    old: str
    new: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A table with addresses of pictures."""

    name: str  # IMAGES, POSTS, or the table's
    table: sql.Identifier
    key: str  # the column by which its rows are walked; NULL in none that has an address of ours
    columns: Mapping[str, BlogColumn | None]  # that may have one, by their names in the table; None: ours, of text
    version: str | None = None  # the column of posts that says when one was changed


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A row in which the old base is."""

    id: Any
    texts: Mapping[str, str]  # by column, those that are not NULL
    version: str


def places(connection: Connection) -> list[Place]:
    """Where addresses are. `images` first: who publishes from now on writes what is there."""
    schema = look(connection)
    found = [
        Place(name=IMAGES, table=sql.Identifier("images"), key="id", columns={"url": None, "thumbnail_url": None}),
        Place(name="prompts", table=sql.Identifier("prompts"), key="id", columns={"replaced_image_url": None}),
        *_posts(schema),
        *_media(schema),
    ]
    tasks = look_at_tasks(connection)
    columns = {name: None for name in PICTURE if name in tasks.columns}
    if tasks.readable and tasks.denied is None and columns:
        found.append(Place(name="content_tasks", table=sql.Identifier("content_tasks"), key="task_id", columns=columns))
    return found


def _posts(schema: BlogSchema) -> list[Place]:
    posts, names = schema.posts, schema.names
    columns = _texts(posts) if posts else {}
    if posts is None or "id" not in posts.columns or not columns:
        return []
    version = posts.columns.get("updated_at")
    return [
        Place(
            name=POSTS,
            table=schema.table,
            key=names.theirs("id"),
            columns=columns,
            version=version.name if version and version.may_select else None,
        )
    ]


def _media(schema: BlogSchema) -> list[Place]:
    media = schema.tables.get("media")
    columns = {name: column for name, column in (_texts(media) if media else {}).items() if name == "url"}
    key = next((name for name in ("id", "post_id") if media and name in media.columns), None)
    return [Place(name="media", table=sql.Identifier("media"), key=key, columns=columns)] if key and columns else []


def _texts(table: BlogTable) -> dict[str, BlogColumn]:
    """The columns that may have an address in them, by the blog's names; not those that it computes of others."""
    return {
        column.name: column
        for column in table.columns.values()
        if column.may_select and not column.computed and (column.is_text or column.type in _JSON)
    }


def end_of_window(connection: Connection, place: Place, after: Any, size: int) -> Any:
    """The key of about the `size`th row after this one (None: of all); None: fewer are left."""
    statement = sql.SQL("SELECT {key} FROM {table} WHERE {after} ORDER BY {key} OFFSET %(size)s LIMIT 1").format(
        key=_name(place.key), table=place.table, after=_range(place, after, None)
    )
    return value(connection, statement, {"after": after, "size": size})


def rows_with(connection: Connection, place: Place, base: str, after: Any, end: Any) -> list[Row]:
    """The rows after one key, up to another (None: without such a limit), in which an address of this base may be."""
    names = list(place.columns)
    version = _version(place)
    has = [
        sql.SQL("strpos({}::text, {}) > 0").format(_name(each), sql.Placeholder(form))
        for each in names
        for form in FORMS
    ]
    statement = sql.SQL("SELECT {key} AS id, {version} AS version, ARRAY[{texts}] AS texts FROM {table} WHERE {within}"
                        " AND ({has}) ORDER BY {key}").format(
        key=_name(place.key), version=version, table=place.table, within=_range(place, after, end),
        texts=sql.SQL(", ").join(sql.SQL("{}::text").format(_name(each)) for each in names),
        has=sql.SQL(" OR ").join(has),
    )  # fmt: skip
    begun = {form: written(f"{base}/{PREFIX}") for form, written in FORMS.items()}
    rows = connection.execute(statement, {"after": after, "end": end, **begun})
    return [
        Row(
            id=row["id"],
            version=row["version"],
            texts={name: text for name, text in zip(names, row["texts"], strict=True) if text is not None},
        )
        for row in rows
    ]


def _range(place: Place, after: Any, end: Any) -> sql.Composed:
    key = _name(place.key)
    limits = [
        sql.SQL("{} {} {}").format(key, sql.SQL(sign), sql.Placeholder(name))
        for sign, name, limit in ((">", "after", after), ("<=", "end", end))
        if limit is not None
    ]
    return sql.SQL(" AND ").join(limits) if limits else sql.SQL("true").format()


def _version(place: Place) -> sql.Composed:
    """As `post_writes` has versions."""
    if place.version is None:
        return sql.SQL("''").format()
    return sql.SQL("coalesce(to_jsonb({}) #>> '{{}}', '')").format(_name(place.version))


def _name(column: str) -> sql.Identifier:
    return sql.Identifier(column.replace("%", "%%"))  # values are bound to each of these statements


def _pattern(base: str) -> re.Pattern[str]:
    """The key that follows this base, in each of FORMS a group of that name."""
    forms = [
        re.escape(written(f"{base}/")) + f"(?P<{form}>{_KEY.replace('/', re.escape(written('/')))})"
        for form, written in FORMS.items()
    ]
    return re.compile("|".join(forms))


def _key(match: re.Match[str]) -> str:
    return unquote(str(match[str(match.lastgroup)]).replace(r"\/", "/"))


def keys_in(rows: Sequence[Row], base: str) -> set[str]:
    """The originals' keys that follow this base in these rows, whether they are catalogued or not."""
    pattern = _pattern(base)
    found = {_key(match) for row in rows for text in row.texts.values() for match in pattern.finditer(text)}
    return {key for each in found if (key := key_in(each)) is not None}


def readdressed(row: Row, move: Move, known: Collection[str]) -> tuple[dict[str, str], int]:
    """What changes in a row, by column, and how many addresses that are. `known`: keys of catalogued originals."""
    count = 0

    def put(match: re.Match[str]) -> str:
        nonlocal count
        key = _key(match)
        if key_in(key) not in known:
            return match[0]
        count += 1
        return FORMS[str(match.lastgroup)](f"{move.new}/{key}")

    pattern = _pattern(move.old)
    after = {name: pattern.sub(put, text) for name, text in row.texts.items()}
    return {name: text for name, text in after.items() if text != row.texts[name]}, count


def problem_of_change(place: Place, changed: Mapping[str, str], user: str) -> str | None:
    """Why these columns cannot take these texts; None: they can."""
    for name, text in changed.items():
        column = place.columns[name]
        if column is not None and not column.may_update:
            return f'{place.name}.{name} may not be written by {user!r}: GRANT UPDATE ON {place.name} TO "{user}"'
        width = WIDEST if place.name == IMAGES else column.width if column is not None else None
        if width is not None and len(text) > width:
            return f"{place.name}.{name} takes {width:,} characters, and would have {len(text):,}"
    return None


def change(connection: Connection, place: Place, changes: Sequence[tuple[Row, Mapping[str, str]]]) -> list[bool]:
    """In the caller's transaction: write these columns of each row, if they are still as they were read; whether they
    were.

    A blog's own trigger may set the time of change: that this was no person is noted.
    """
    if place.name == POSTS:  # in the order in which all lock them
        connection.execute(SQL["lock_posts"], {"ids": [row.id for row, _ in changes]})
    alike: dict[tuple[str, ...], list[int]] = {}
    for number, (_, changed) in enumerate(changes):
        alike.setdefault(tuple(changed), []).append(number)
    versions: dict[int, str | None] = {}
    for columns, numbers in alike.items():
        bound = [_bound(*changes[number]) for number in numbers]
        with connection.cursor() as cursor:
            cursor.executemany(_update(place, columns), bound, returning=True)
            after = [next(iter(result), None) for result in cursor.results()]
        found = zip(numbers, after, strict=True)
        versions |= {number: None if row is None else row["version"] for number, row in found}
    if place.name == POSTS:
        _note(connection, [(row, version) for number, version in versions.items() for row, _ in [changes[number]]])
    return [versions[number] is not None for number in range(len(changes))]


def _update(place: Place, columns: Sequence[str]) -> sql.Composed:
    pairs, as_read = [], [sql.SQL("{} = %(id)s").format(_name(place.key))]
    for number, name in enumerate(columns):
        column = place.columns[name]
        kind = sql.SQL(column.type if column is not None and column.type in _JSON else "text")
        pairs.append(sql.SQL("{} = {}::{}").format(_name(name), sql.Placeholder(f"new{number}"), kind))
        as_read.append(sql.SQL("{}::text = {}").format(_name(name), sql.Placeholder(f"old{number}")))
    return sql.SQL("UPDATE {} SET {} WHERE {} RETURNING {} AS version").format(
        place.table, sql.SQL(", ").join(pairs), sql.SQL(" AND ").join(as_read), _version(place)
    )


def _bound(row: Row, changed: Mapping[str, str]) -> dict[str, Any]:
    bound: dict[str, Any] = {"id": row.id}
    for number, (name, text) in enumerate(changed.items()):
        bound |= {f"new{number}": text, f"old{number}": row.texts[name]}
    return bound


def _note(connection: Connection, versions: Sequence[tuple[Row, str | None]]) -> None:
    for row, after in versions:
        if after not in (None, row.version):
            connection.execute(SQL["note_our_write"], {"post": row.id, "before": row.version, "after": after})
