"""The catalogue from the bucket alone: each original tells its own row.

Streams the listing and reads sixteen objects at a time; stopped anywhere and begun again, it ends with the same rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import islice

from glad_pipeline.database import Connection, Database, named_queries
from glad_pipeline.pipeline.renditions import read_back
from glad_pipeline.pipeline.stored_picture import entry_of, object_problem, recipe_in, with_texts
from glad_pipeline.publishing import images, renditions
from glad_pipeline.publishing.blocklist import hold_off_takedowns
from glad_pipeline.publishing.images import CatalogueEntry
from glad_pipeline.publishing.renditions import Renditions
from glad_pipeline.storage.keys import PREFIX, is_rendition, key_in, original_key
from glad_pipeline.storage.protocol import ObjectStore

SQL = named_queries(__package__)
TOGETHER = 500  # objects that are looked at, and recorded in one transaction
EXAMPLES = 100


@dataclass(kw_only=True)
class Rebuilt:
    """How far a rebuild is, or how it ended."""

    looked_at: int = 0  # originals
    recorded: int = 0
    renditions: int = 0  # recorded beside them
    barred: int = 0  # of those: taken down once, and kept so
    skipped: int = 0  # damaged, or none of ours


def rebuild(
    database: Database,
    store: ObjectStore,
    *,
    quick: bool = False,
    skipped: Callable[[str, str], None] = lambda key, why: None,
    tell: Callable[[Rebuilt], None] = lambda done: None,
) -> Rebuilt:
    """Write a row of `images` for every original in the bucket that is whole; rows that are there are confirmed.

    Args:
        quick: believe size and SHA-256 in the metadata, read the first bytes alone; else all of it.
        skipped, tell: called with the key of each object that is left out, and why; with the progress.

    Raises `GladError` where the store or the database does not answer; what was recorded stays.
    """
    done = Rebuilt()
    skip = partial(_skip, done, skipped)

    def originals() -> Iterator[str]:
        for stored in store.listing(PREFIX):
            original = key_in(stored.key)
            if original is None or not stored.key.startswith(PREFIX):
                skip(stored.key, "not a key of this pipeline's")
            elif original == stored.key:
                yield original
            elif is_rendition(stored.key):
                derived.setdefault(original, []).append(stored.key)

    derived: dict[str, list[str]] = {}  # keys of renditions by their original's, which is listed just after them
    keys = originals()
    while some := list(islice(keys, TOGETHER)):
        reads: dict[str, CatalogueEntry | str] = store.each(partial(_read, store, quick), some)
        entries = [read for read in reads.values() if not isinstance(read, str)]
        for key, why in ((key, read) for key, read in reads.items() if isinstance(read, str)):
            skip(key, why)
        made = read_back(store, {each.recipe_hash: derived.get(each.key, ()) for each in entries})
        derived = {original: found for original, found in derived.items() if original > some[-1]}
        recorded, barred = database.transact("catalogue", partial(_recorded, entries, made))
        done.renditions += sum(len(each.stored) for each in made.values())
        done.looked_at += len(some)
        done.recorded += recorded
        done.barred += barred
        tell(done)
    return done


def _skip(done: Rebuilt, tell: Callable[[str, str], None], key: str, why: str) -> None:
    done.skipped += 1
    tell(key, why)


def _recorded(entries: list[CatalogueEntry], made: Mapping[str, Renditions], connection: Connection) -> tuple[int, int]:
    """How many rows were written, and how many of these pictures are taken down."""
    hold_off_takedowns(connection)
    ids = images.record(connection, entries)
    for recipe_hash, found in sorted(made.items()):
        renditions.record(connection, ids[recipe_hash], found)
    bound = {"ids": list(ids.values())}
    return len(bound["ids"]), len(connection.execute(SQL["removed"], bound).fetchall())


def _read(store: ObjectStore, quick: bool, key: str) -> CatalogueEntry | str | None:
    """One original's row, or why it has none; None where it is gone meanwhile."""
    from glad_pipeline.media.png_text import PROVENANCE, RECIPE

    if not quick:
        whole = store.digest(key)
        if whole is None:
            return None
        stored, sha256 = whole
        if (recorded := stored.metadata.get("sha256", sha256)) != sha256:
            return f"damaged: its bytes have the SHA-256 {sha256}, it was stored with {recorded}"
    seen = with_texts(store, key, PROVENANCE, RECIPE)
    if seen is None:
        return None
    stored, texts = seen
    recipe = recipe_in(texts)
    if recipe is None:
        return "it carries no recipe that can be read"
    if key != original_key(recipe.hash):
        return f"it carries the recipe of {original_key(recipe.hash)}"
    if problem := object_problem(stored, recipe.hash):
        return problem
    return entry_of(stored, recipe, texts.get(PROVENANCE), store.url)
