"""The table `images`, the catalogue: a row for each stored picture, written once it was seen whole in the store.

A fact of pictures that is to be asked for in SQL (seconds, cost) is a column here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.records import columns_of, records_of, values_of
from glad_pipeline.storage.keys import key_in


@dataclass(frozen=True, kw_only=True, slots=True)
class CatalogueEntry:
    """What is recorded of one stored picture: the master list of these columns of `images`."""

    key: str
    recipe_hash: str  # 64 hex digits
    recipe: Mapping[str, Any]  # everything that decides the pixels
    model: str
    model_revision: str
    url: str
    sha256: str  # of the stored bytes, hex
    bytes: int
    width: int  # pixels
    height: int
    content_type: str
    seconds: float | None  # drawing time, this picture's share of its batch
    contrast: float | None  # standard deviation of its grey levels, 0..127.5
    provenance: Mapping[str, Any]  # all that drawing it depended on: device, versions, weights, scheduler …
    pixels_sha256: str | None  # hex; the same for equal pixels in whatever file
    thumbnail_key: str | None  # None: the picture itself is no larger, or older than thumbnails
    thumbnail_url: str | None


SQL = named_queries(__package__, "images.sql", columns_of(CatalogueEntry))


@dataclass(frozen=True, kw_only=True, slots=True)
class CataloguedImage(CatalogueEntry):
    """A row of `images`."""

    id: int
    verified_at: datetime  # when the object was last seen in the store, whole
    placeholder: str | None  # a data URI to be shown while the picture loads
    removed_at: datetime | None  # taken down: the object has to be gone from the store


def record(connection: Connection, entries: Sequence[CatalogueEntry], *, put: Collection[str] = ()) -> dict[str, int]:
    """In the caller's transaction: write the rows, and return images.id by recipe hash.

    In key order, so that two runs that share recipes cannot wait for each other. Rows of `renditions` do not outlive
    their objects: those of pictures that were gone from the bucket are deleted, and the caller records what is there.
    `put`: keys of pictures that the caller's run has stored.
    """
    bound = [
        {**values_of(entry), "recipe": Jsonb(entry.recipe), "provenance": Jsonb(entry.provenance)}
        for entry in sorted(entries, key=lambda entry: entry.key)
    ]
    rows: list[DictRow] = []
    with connection.cursor() as cursor:
        cursor.executemany(SQL["record_image"], bound, returning=True)
        if bound:
            rows = [row for result in cursor.results() for row in result]
    ids = {row["recipe_hash"]: row["id"] for row in rows}
    drawn = {ids[entry.recipe_hash] for entry in entries if entry.key in put}
    connection.execute(SQL["forget_renditions"], {"ids": [*drawn, *(row["id"] for row in rows if row["gone"])]})
    return ids


def newest(connection: Connection, limit: int) -> list[CataloguedImage]:
    """The newest `limit` pictures as the catalogue knows them, without those taken down."""
    return records_of(CataloguedImage, connection.execute(SQL["newest_images"], {"limit": limit}))


def with_keys(connection: Connection, keys: Collection[str]) -> list[CataloguedImage]:
    """These pictures as the catalogue knows them, without those taken down."""
    return records_of(CataloguedImage, connection.execute(SQL["images_with_keys"], {"keys": list(keys)}))


def known_keys(connection: Connection, keys: Collection[str]) -> set[str]:
    """Which of these originals are catalogued by now."""
    return {row["key"] for row in connection.execute(SQL["known_keys"], {"keys": list(keys)})}


def find(connection: Connection, image: str) -> CataloguedImage | None:
    """The picture with this id, recipe hash, key or URL, its thumbnail's too: URLs end with the key."""
    if not image.isprintable():  # NUL and half characters, which PostgreSQL does not take
        return None
    text = image.strip().partition("?")[0]
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    bound = {"id": number, "text": text, "key": key_in(text) or text}
    return next(iter(records_of(CataloguedImage, connection.execute(SQL["find_image"], bound))), None)
