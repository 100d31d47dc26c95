"""The table `renditions`: a row for each smaller copy of a catalogued picture that is in the store.

They are made from the picture and can be made anew: a row that is lost loses no post.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from glad_pipeline.database import Connection, named_queries
from glad_pipeline.records import columns_of, records_of, values_of
from glad_pipeline.rendition_plan import CENTRE, Focus, Kind, Planned, Wanted, parse_focus, planned
from glad_pipeline.storage.keys import rendition_key, stem_of


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredRendition:
    """What is recorded of one rendition: the master list of these columns of `renditions`."""

    key: str
    kind: Kind
    width: int  # pixels
    height: int
    bytes: int
    sha256: str  # of the stored bytes, hex


SQL = named_queries(__package__, "renditions.sql", columns_of(StoredRendition))


@dataclass(frozen=True, kw_only=True, slots=True)
class Renditions:
    """Those of one picture, and its placeholder."""

    stored: Sequence[StoredRendition] = ()
    placeholder: str | None = None  # a data URI
    problem: str | None = None  # why not all are there that were wanted


@dataclass(frozen=True, kw_only=True, slots=True)
class RenditionsOf:
    """A catalogued picture, with the renditions that it has and what decides which it should have."""

    id: int  # images.id
    key: str
    recipe_hash: str
    sha256: str  # of the stored original, hex
    width: int  # pixels
    height: int
    placeholder: str | None
    renditions: Mapping[str, Mapping[str, object]]  # key → kind, width, height, bytes
    focuses: Sequence[str]  # of its prompts

    def plans(self, wanted: Wanted) -> dict[str, tuple[Planned, Focus]]:
        """What it is to have, by key: what is wanted, and what it has had."""
        found: dict[str, tuple[Planned, Focus]] = {}
        for focus in focuses_of(self.focuses):
            for plan in planned(wanted, width=self.width, height=self.height, focus=focus):
                found.setdefault(rendition_key(self.key, plan.suffix), (plan, focus))
        for key, row in self.renditions.items():
            found.setdefault(key, _of_row(key.removeprefix(stem_of(self.key)), row))
        return found

    def lacking(self, wanted: Wanted) -> bool:
        """Whether anything that is wanted is not recorded."""
        if wanted.placeholder and self.placeholder is None:
            return True
        return any(key not in self.renditions for key in self.plans(wanted))


def focuses_of(texts: Collection[str | None]) -> list[Focus]:
    """What the crops of a picture keep whose prompts say these; the centre where none says anything."""
    found = {_focus_of(text) for text in texts} or {CENTRE}
    return sorted(found, key=lambda focus: focus.percent)


def focuses_by_recipe(rows: Iterable[tuple[str, str | None]]) -> dict[str, list[Focus]]:
    """`focuses_of` what the prompts of each recipe say; rows: recipe hash and `focus` of a prompt."""
    texts: dict[str, set[str | None]] = {}
    for recipe_hash, text in rows:
        texts.setdefault(recipe_hash, set()).add(text)
    return {recipe_hash: focuses_of(some) for recipe_hash, some in texts.items()}


def _focus_of(text: str | None) -> Focus:
    try:
        return CENTRE if text is None else parse_focus(text)
    except ValueError:  # by plain SQL, since its picture was drawn: intake and claim refuse it
        return CENTRE


def _of_row(suffix: str, row: Mapping[str, object]) -> tuple[Planned, Focus]:
    parts = suffix.removesuffix(".jpg").split("-")[2:] if row["kind"] == "social" else []
    focus = Focus(int(parts[0]) / 100, int(parts[1]) / 100) if parts else CENTRE
    plan = Planned(kind=row["kind"], width=row["width"], height=row["height"], suffix=suffix)  # type: ignore[arg-type]
    return plan, focus


def record(connection: Connection, image: int, found: Renditions) -> None:
    """In the caller's transaction: this picture (images.id) has these renditions, beside those that it has."""
    rows = [{**values_of(each), "image_id": image} for each in sorted(found.stored, key=lambda each: each.key)]
    with connection.cursor() as cursor:
        if rows:
            cursor.executemany(SQL["record"], rows)
        if found.placeholder:
            cursor.execute(SQL["record_placeholder"], {"image_id": image, "placeholder": found.placeholder})


def renditions_of(connection: Connection, image: int) -> list[StoredRendition]:
    """What is recorded of this picture's (images.id), in the order of their keys."""
    return records_of(StoredRendition, connection.execute(SQL["of_picture"], {"image_id": image}))


def known_renditions(connection: Connection, keys: Collection[str]) -> dict[str, str]:
    """Which of these keys are recorded by now, with their SHA-256 (hex)."""
    return {row["key"]: row["sha256"] for row in connection.execute(SQL["known"], {"keys": list(keys)})}


def forget(connection: Connection, keys: Collection[str]) -> int:
    """In the caller's transaction: these keys are recorded no more. How many were."""
    return connection.execute(SQL["forget"], {"keys": sorted(keys)}).rowcount


def lock_pictures(connection: Connection, ids: Collection[int]) -> set[int]:
    """In the caller's transaction: which of these pictures (images.id) are not taken down. Their rows stay as they are,
    and nobody else records renditions of them."""
    return {row["id"] for row in connection.execute(SQL["lock"], {"ids": list(ids)})}


def removed_pictures(connection: Connection, ids: Collection[int]) -> set[int]:
    """Which of these pictures (images.id) are taken down."""
    return {row["id"] for row in connection.execute(SQL["removed"], {"ids": list(ids)})}


def next_ids(connection: Connection, *, after: int, limit: int, due: bool = False) -> list[int]:
    """The next `limit` of images.id after this one, of pictures that are not taken down.

    `due`: only those whose prompts are to be published.
    """
    statement = SQL["due_ids"] if due else SQL["ids"]
    return [row["id"] for row in connection.execute(statement, {"after": after, "limit": limit})]


def pictures(connection: Connection, ids: Collection[int]) -> list[RenditionsOf]:
    """Those of these pictures (images.id) that are in the bucket of now and not taken down, by their ids."""
    return records_of(RenditionsOf, connection.execute(SQL["pictures"], {"ids": list(ids)}))
