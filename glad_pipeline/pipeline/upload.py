"""A drawn picture to its objects in the store: encoded with recipe and provenance, stored once, with a thumbnail and
renditions."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from glad_pipeline.errors import GladError
from glad_pipeline.failpoints import reached
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.pipeline.renditions import Rendering
from glad_pipeline.publishing.renditions import Renditions
from glad_pipeline.storage.keys import original_key, thumbnail_key
from glad_pipeline.storage.protocol import ObjectStore, StoredObject, StoreError

if TYPE_CHECKING:
    from glad_pipeline.generation.engine import Drawn

PNG = "image/png"
LOOKS = 8  # at an object that the store says is there and does not have
FRESH = 60.0  # seconds for which what the store has answered to a PUT is believed without a look
LONGEST_NAME = 200  # characters of a model's name in the metadata; recipe and catalogue have it whole


class NotOursError(GladError):
    """Something else has the key of a picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """One picture's way into the store."""

    recipe: Recipe
    object: StoredObject  # as the store would describe it
    provenance: str  # JSON, as the picture's own texts have it
    stored_at: float  # monotonic
    thumbnail_key: str | None  # None: the picture itself is no larger
    renditions: Renditions
    written: bool  # False: another run had stored this very recipe meanwhile
    drawing_seconds: float
    encode_seconds: float
    render_seconds: float  # making and storing the renditions
    upload_seconds: float

    @property
    def key(self) -> str:
        return self.object.key

    @property
    def bytes(self) -> int:
        return self.object.bytes

    @property
    def is_fresh(self) -> bool:
        """Whether this run has put these very bytes, and the store has checked them, moments ago."""
        return self.written and time.monotonic() - self.stored_at < FRESH


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def upload(
    store: ObjectStore, run_id: str, drawn: Drawn, *, drawn_at: str | None = None, rendering: Rendering | None = None
) -> Uploaded:
    """Encode a picture and store it once, with all that is needed to catalogue it from the bucket alone.

    Recipe and provenance are in the PNG; as much of them as the store's metadata takes (ASCII) is there too. First go
    the thumbnail, and the renditions as far as they can be had. Raises `StoreError`, `NotOursError`.
    """
    from glad_pipeline.generation.provenance import completed
    from glad_pipeline.media.encoding import encode_png, thumbnail
    from glad_pipeline.media.png_text import PROVENANCE, texts_of

    assert drawn.pixels is not None  # noqa: S101  the gate lets only pictures through
    began = time.monotonic()
    recipe = drawn.recipe
    provenance = completed(drawn.provenance, drawn.pixels)
    texts = texts_of(recipe.as_dict(), provenance)
    body = encode_png(drawn.pixels, text=texts)
    small = thumbnail(drawn.pixels)
    metadata = described_in_short(
        drawn, provenance, body, run_id=run_id, drawn_at=drawn_at or now(), room=store.metadata_room
    )
    encoded = time.monotonic()
    if small is not None:
        metadata["thumbnail"] = thumbnail_key(recipe.hash)
        reached("thumbnail.before")
        _stored(store, metadata["thumbnail"], small, content_type="image/webp", metadata={"recipe-hash": recipe.hash})
        reached("thumbnail.after")
    key = original_key(recipe.hash)
    thumbnailed = time.monotonic()
    renditions = rendering.stored(store, drawn.pixels, recipe.hash) if rendering else Renditions()
    rendered = time.monotonic()
    reached("store.before")
    written = _stored(store, key, body, content_type=PNG, metadata=metadata)
    reached("store.after")
    stored_at = time.monotonic()
    return Uploaded(
        recipe=recipe,
        object=StoredObject(key=key, bytes=len(body), content_type=PNG, metadata=metadata),
        provenance=texts[PROVENANCE],
        stored_at=stored_at,
        thumbnail_key=metadata.get("thumbnail"),
        renditions=renditions,
        written=written,
        drawing_seconds=drawn.seconds,
        encode_seconds=encoded - began,
        render_seconds=rendered - thumbnailed,
        upload_seconds=stored_at - rendered + thumbnailed - encoded,
    )


def _stored(store: ObjectStore, key: str, body: bytes, *, content_type: str, metadata: Mapping[str, str]) -> bool:
    """Have it under its key: True where it was written now, False where the same recipe's was there and has been seen.

    A store may say "taken" of an upload that another run has begun and never ends.
    """
    put = partial(store.put_once, key, body, content_type=content_type, metadata=metadata)
    for look in range(LOOKS):
        if put():
            return True
        found = store.head(key)
        if found is None:
            time.sleep(0.05 * 2**look)
            continue
        if found.metadata.get("recipe-hash") == metadata["recipe-hash"]:
            return False
        raise NotOursError(f"the object {key} was not written by this pipeline: remove it from the bucket")
    raise StoreError(f"the store says that {key} is there and does not have it: check its consistency", transient=True)


def described_in_short(
    drawn: Drawn,
    provenance: Mapping[str, Any],
    body: bytes,
    *,
    run_id: str,
    drawn_at: str,
    room: Callable[[Mapping[str, str]], int],
) -> dict[str, str]:
    """An original's metadata: ASCII, and with the key of a thumbnail not over what its store takes.

    `room`: the store's `metadata_room`.
    """
    from glad_pipeline.generation.provenance import shortened
    from glad_pipeline.media.encoding import contrast

    assert drawn.pixels is not None  # noqa: S101
    height, width = drawn.pixels.shape[:2]
    recipe = drawn.recipe
    metadata = {
        "recipe-hash": recipe.hash,
        "sha256": hashlib.sha256(body).hexdigest(),
        "pixels-sha256": provenance["pixels_sha256"],
        "bytes": str(len(body)),
        "width": str(width),
        "height": str(height),
        "seed": str(recipe.seed),
        "model": ascii(recipe.model)[1:-1][:LONGEST_NAME],
        "model-revision": recipe.model_revision,
        "preset": recipe.preset,
        "seconds": f"{drawn.seconds:.3f}",
        "contrast": f"{contrast(drawn.pixels):.2f}",
        "run-id": run_id,
        "generated-date": drawn_at,
    }
    longest = {**metadata, "thumbnail": thumbnail_key(recipe.hash), "provenance": ""}
    return {**metadata, "provenance": shortened(provenance, room(longest))}
