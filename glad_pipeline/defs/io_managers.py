"""How data travels between the assets: through the queue and the bucket, never through a file of a run.

What a step hands on is what PostgreSQL and the store hold for this run, so two runs never see each other's
data, and a step run alone, or again after a crash, finds what is there.
"""

import base64
import hashlib
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import psycopg

from glad_pipeline.database import DatabaseError
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.resources import ObjectStoreResource, QueueResource, Row, SdxlResource
from glad_pipeline.errors import GladError
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.storage.keys import original_key, thumbnail_key
from glad_pipeline.storage.s3 import S3Store, StoredObject
from glad_pipeline.storage.upload import in_background

if TYPE_CHECKING:
    import pandas as pd

    from glad_pipeline.generation.engine import Drawn

SHEET_PICTURES = 24
SHEET_SIDE = 96  # pixels
LINKS = 20
START_BYTES = 16_384  # of an object, read in place of a HEAD: it costs the same and holds most pictures' texts
METADATA_BYTES = 2_048  # keys and values of an object, by S3's limit; what a key adds to its header's name is counted
LONGEST_NAME = 200  # characters of a model's name in the metadata; recipe and catalogue have it whole


@dataclass(kw_only=True)
class PictureStream:
    """Pictures as they are drawn, and, when all are, what is to be told about them."""

    pictures: "Generator[Drawn, None, None]"
    report: dict[str, Any] = field(default_factory=dict)  # filled while `pictures` is consumed


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A prompt in hand, its recipe, and what the store holds for it."""

    row: Row
    recipe: Recipe
    object: StoredObject | None
    provenance: str | None = None  # JSON, from the picture's own texts; pictures of the first version have none


# Plain classes made by `@dg.io_manager` functions: a resource nested in a ConfigurableIOManager is a copy with a
# hold of its own, and the run must have one hold.


class QueueIOManager(dg.IOManager):
    """Prompts travel by the claim on them: loading is asking the queue what this run has in hand."""

    def __init__(self, queue: QueueResource) -> None:
        self.queue = queue

    def handle_output(self, context: dg.OutputContext, obj: "pd.DataFrame") -> None:
        """Nothing to keep: the rows are in the queue, under this run's hold."""

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        with clearly():
            return frame(self.queue.in_hand())


def frame(rows: list[Row]) -> "pd.DataFrame":
    """Rows as a DataFrame of plain Python values: a missing number stays None and an id stays an integer."""
    import pandas as pd

    return pd.DataFrame(rows, columns=list(rows[0]) if rows else ["id", "prompt"], dtype=object)


@dg.io_manager(required_resource_keys={"queue"})
def queue_rows(context: dg.InitResourceContext) -> QueueIOManager:
    return QueueIOManager(context.resources.queue)


class S3ImageIOManager(dg.IOManager):
    """Pictures travel through the bucket: uploaded while the next are drawn, found again by their recipe's key."""

    def __init__(self, object_store: ObjectStoreResource, queue: QueueResource, sdxl: SdxlResource) -> None:
        self.object_store = object_store
        self.queue = queue
        self.sdxl = sdxl

    def handle_output(self, context: dg.OutputContext, obj: PictureStream) -> None:
        from glad_pipeline.generation.encoding import contact_sheet, shrunk

        store = self.object_store.store
        started = time.monotonic()
        uploaded = found = size = 0
        encode_seconds = upload_seconds = drawing_seconds = 0.0
        links: list[str] = []
        small: list[Any] = []

        def noticed(pictures: "Iterator[Drawn]") -> "Iterator[Drawn]":
            for drawn in pictures:
                if len(small) < SHEET_PICTURES and drawn.pixels is not None:
                    small.append(shrunk(drawn.pixels, SHEET_SIDE))
                yield drawn

        with clearly(self.queue.explain), self._refunding(), closing(obj.pictures):
            for done in in_background(noticed(obj.pictures), partial(upload, store, context.run_id)):
                uploaded += done.written
                found += not done.written
                size += done.bytes
                encode_seconds += done.encode_seconds
                upload_seconds += done.upload_seconds
                drawing_seconds += done.drawing_seconds
                if len(links) < LINKS:
                    links.append(f"[{done.key}]({store.url(done.key)})")
        seconds = time.monotonic() - started
        drawn_count = uploaded + found
        metadata: dict[str, Any] = {}
        if small:
            sheet = base64.b64encode(contact_sheet(small, columns=6)).decode()
            metadata["contact_sheet"] = dg.MetadataValue.md(f"![contact sheet](data:image/webp;base64,{sheet})")
        metadata |= {
            **obj.report,
            "drawn": drawn_count,
            "stored": uploaded,
            "bytes": size,
            "images_per_second": round(drawn_count / seconds, 3) if drawn_count else 0.0,
            "seconds": round(seconds, 3),
            **{f"seconds_{name}": round(spent, 3) for name, spent in self.sdxl.overhead_seconds.items()},
            "seconds_drawing": round(drawing_seconds, 3),
            "seconds_encoding_all_threads": round(encode_seconds, 3),
            "seconds_uploading_all_threads": round(upload_seconds, 3),
            "bucket": store.bucket,
            "objects": dg.MetadataValue.md("\n".join(f"- {link}" for link in links) or "none"),
        }
        context.add_output_metadata(metadata)

    @contextmanager
    def _refunding(self) -> Iterator[None]:
        """An error here is the store's, the database's or the GPU's: a prompt's own fault is told with its picture."""
        try:
            yield
        except Exception:
            with suppress(psycopg.Error, DatabaseError):
                self.queue.hold.refund()
            raise

    def load_input(self, context: dg.InputContext) -> list[Placed]:
        with clearly(self.queue.explain):
            recipes: list[tuple[Row, Recipe]] = []
            for row in self.queue.in_hand():
                with suppress(GladError):  # a model that does not exist: rejected where it would be drawn
                    recipes.append((row, self.sdxl.recipe(row)))
            look = partial(described, self.object_store.store)
            objects = self.object_store.store.each(look, {original_key(recipe.hash) for _, recipe in recipes})
        return [
            Placed(row=row, recipe=recipe, object=stored, provenance=provenance)
            for row, recipe in recipes
            for stored, provenance in [objects.get(original_key(recipe.hash), (None, None))]
        ]


def described(store: S3Store, key: str) -> tuple[StoredObject, str | None] | None:
    """What is stored under a key, with the provenance (JSON) that the picture carries; None where nothing is stored.

    One request, unless the texts before the provenance are longer than START_BYTES.
    """
    from glad_pipeline.generation.png_text import PROVENANCE, read_texts

    length = START_BYTES
    while (seen := store.start(key, length)) is not None:
        stored, start = seen
        texts = read_texts(start)
        if PROVENANCE in texts.found or not len(start) < texts.needed <= stored.bytes:
            return stored, texts.found.get(PROVENANCE)
        length = texts.needed + START_BYTES
    return None


@dg.io_manager(required_resource_keys={"object_store", "queue", "sdxl"})
def image_store(context: dg.InitResourceContext) -> S3ImageIOManager:
    resources = context.resources
    return S3ImageIOManager(resources.object_store, resources.queue, resources.sdxl)


@dataclass(frozen=True, kw_only=True, slots=True)
class Uploaded:
    """One picture's way into the store."""

    key: str
    bytes: int
    written: bool  # False: another run had stored this very recipe meanwhile
    drawing_seconds: float
    encode_seconds: float
    upload_seconds: float


def upload(store: S3Store, run_id: str, drawn: "Drawn") -> Uploaded:
    """Encode a picture and store it once, with all that is needed to catalogue it from the bucket alone.

    Recipe and provenance are in the PNG; what S3 allows of them (2 KB, ASCII) is in the metadata too. The thumbnail
    goes first: where the picture is, its thumbnail is.
    """
    from glad_pipeline.generation.encoding import encode_png, thumbnail
    from glad_pipeline.generation.png_text import texts_of
    from glad_pipeline.generation.provenance import completed

    assert drawn.pixels is not None  # noqa: S101  the gate lets only pictures through
    began = time.monotonic()
    recipe = drawn.recipe
    provenance = completed(drawn.provenance, drawn.pixels)
    body = encode_png(drawn.pixels, text=texts_of(recipe, provenance))
    small = thumbnail(drawn.pixels)
    metadata = described_in_short(drawn, provenance, body, run_id=run_id)
    encoded = time.monotonic()
    if small is not None:
        metadata["thumbnail"] = thumbnail_key(recipe.hash)
        store.put_once(metadata["thumbnail"], small, content_type="image/webp", metadata={"recipe-hash": recipe.hash})
    key = original_key(recipe.hash)
    written = store.put_once(key, body, content_type="image/png", metadata=metadata)
    return Uploaded(
        key=key,
        bytes=len(body),
        written=written,
        drawing_seconds=drawn.seconds,
        encode_seconds=encoded - began,
        upload_seconds=time.monotonic() - encoded,
    )


def described_in_short(drawn: "Drawn", provenance: Mapping[str, Any], body: bytes, *, run_id: str) -> dict[str, str]:
    """An original's metadata: ASCII, and with the key of a thumbnail not over METADATA_BYTES."""
    from glad_pipeline.generation.encoding import contrast
    from glad_pipeline.generation.provenance import shortened

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
        "model": recipe.model.encode("ascii", "backslashreplace").decode()[:LONGEST_NAME],
        "model-revision": recipe.model_revision,
        "preset": recipe.preset,
        "seconds": f"{drawn.seconds:.3f}",
        "contrast": f"{contrast(drawn.pixels):.2f}",
        "run-id": run_id,
        "generated-date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    longest = {**metadata, "thumbnail": thumbnail_key(recipe.hash), "provenance": ""}
    return {**metadata, "provenance": shortened(provenance, METADATA_BYTES - size_of(longest))}


def size_of(metadata: Mapping[str, str]) -> int:
    """Bytes of an object's metadata as S3 counts them, at most: keys with the prefix that they travel under."""
    return sum(len("x-amz-meta-") + len(name) + len(value) for name, value in metadata.items())


def number(metadata: Mapping[str, str], name: str) -> float | None:
    """A number from an object's metadata, or None where it is missing or is none."""
    try:
        return float(metadata[name])
    except (KeyError, ValueError):
        return None
