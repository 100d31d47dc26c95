"""What a stored original says of itself: its metadata, the recipe and provenance in its PNG, and the catalogue's row.

The one reading of it, for the assets, the audit and the rebuild. Puts storage, generation and publishing together;
knows neither SQL nor Dagster.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from glad_pipeline.errors import UsageError
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.publishing.images import CatalogueEntry
from glad_pipeline.storage.metadata import metadata_problem
from glad_pipeline.storage.protocol import ObjectStore, StoredObject

START_BYTES = 16_384  # of an object, read in place of a HEAD: it costs the same and holds most pictures' texts


def with_texts(store: ObjectStore, key: str, *wanted: str) -> tuple[StoredObject, Mapping[str, str]] | None:
    """What is stored under a key, with its PNG's texts, these at least if it has them; None where nothing is stored.

    One request, unless the texts before the last of `wanted` are longer than START_BYTES.
    """
    from glad_pipeline.media.png_text import read_texts

    length = START_BYTES
    while (seen := store.start(key, length)) is not None:
        stored, start = seen
        texts = read_texts(start)
        if set(wanted) <= set(texts.found) or not len(start) < texts.needed <= stored.bytes:
            return stored, texts.found
        length = texts.needed + START_BYTES
    return None


def described(store: ObjectStore, key: str) -> tuple[StoredObject, str | None] | None:
    """What is stored under a key, with the provenance (JSON) that the picture carries; None where nothing is stored."""
    from glad_pipeline.media.png_text import PROVENANCE

    seen = with_texts(store, key, PROVENANCE)
    return None if seen is None else (seen[0], seen[1].get(PROVENANCE))


def recipe_in(texts: Mapping[str, str]) -> Recipe | None:
    """The recipe that a PNG carries; None where it carries none that can be read."""
    from glad_pipeline.media.png_text import RECIPE

    try:
        recipe = Recipe.from_dict(_record(texts.get(RECIPE)))
        return recipe if recipe.hash else None  # the hash refuses what is no number
    except (ValueError, TypeError, OverflowError, UsageError):
        return None


def object_problem(stored: StoredObject, recipe_hash: str) -> str | None:
    """Why this object is not the whole picture with that recipe, or None. Its bytes are not read."""
    if stored.metadata.get("recipe-hash") != recipe_hash or "sha256" not in stored.metadata:
        return f"the object {stored.key} was not written by this pipeline: remove it from the bucket"
    if number(stored.metadata, "bytes") != stored.bytes:
        expected = ascii(stored.metadata.get("bytes", "")[:80])
        return f"the object {stored.key} has {stored.bytes} bytes instead of {expected}: remove it"
    return metadata_problem(stored)


def entry_of(stored: StoredObject, recipe: Recipe, provenance: str | None, url: Callable[[str], str]) -> CatalogueEntry:
    """The catalogue's row of an object without a problem. `provenance`: JSON, from its texts; `url`: of a key."""
    thumbnail = stored.metadata.get("thumbnail")
    return CatalogueEntry(
        key=stored.key,
        recipe_hash=recipe.hash,
        recipe=recipe.as_dict(),
        model=recipe.model,
        model_revision=recipe.model_revision,
        url=url(stored.key),
        sha256=stored.metadata["sha256"],
        bytes=stored.bytes,
        width=int(stored.metadata["width"]),
        height=int(stored.metadata["height"]),
        content_type=stored.content_type,
        seconds=number(stored.metadata, "seconds"),
        contrast=number(stored.metadata, "contrast"),
        provenance=_record(provenance) or _record(stored.metadata.get("provenance")),
        pixels_sha256=stored.metadata.get("pixels-sha256"),
        thumbnail_key=thumbnail,
        thumbnail_url=url(thumbnail) if thumbnail else None,
    )


def number(metadata: Mapping[str, str], name: str) -> float | None:
    """A number from an object's metadata, or None where it is missing or is none."""
    try:
        found = float(metadata[name])
    except (KeyError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _record(text: str | None) -> dict[str, Any]:
    """A JSON object, read; empty where there is none, it cannot be read, or PostgreSQL could not keep it."""
    try:
        found = json.loads(text or "{}")
        encoded = json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) and rb"\u0000" not in encoded else {}
