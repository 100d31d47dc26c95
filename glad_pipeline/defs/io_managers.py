"""How data travels between the assets: through the queue and the bucket, never through a file of a run.

What a step hands on is what PostgreSQL and the store hold for this run, so two runs never see each other's
data, and a step run alone, or again after a crash, finds what is there.
"""

import time
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from glad_pipeline.blame import one_row
from glad_pipeline.defs.delivery import Delivery, Unstored, Uploaded
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.resources import ObjectStoreResource, QueueResource, Row, SdxlResource
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.originals import described
from glad_pipeline.storage.keys import original_key
from glad_pipeline.storage.s3 import StoredObject

if TYPE_CHECKING:
    import pandas as pd

    from glad_pipeline.generation.engine import Drawn

SHEET_PICTURES = 24
LINKS = 20


@dataclass(kw_only=True)
class PictureStream:
    """Pictures as they are drawn, and, when all are, what is to be told about them."""

    pictures: "Generator[Drawn, None, None]"
    delivery: Delivery
    refuse: Callable[[Recipe, str], None]  # settles the prompts of a picture that cannot be stored, with the reason
    report: dict[str, Any] = field(default_factory=dict)  # filled while `pictures` is consumed


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A prompt in hand, its recipe, and what the store holds for it."""

    row: Row
    recipe: Recipe
    object: StoredObject | None
    provenance: str | None = None  # JSON, from the picture's own texts; pictures of the first version have none
    sha256: str | None = None  # of the bytes in the store; None where the store has checked them as this run put them
    fault: str | None = None  # why nothing can be told of what is stored


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


@dg.io_manager(required_resource_keys={"queue"}, config_schema={})
def queue_rows(context: dg.InitResourceContext) -> QueueIOManager:
    return QueueIOManager(context.resources.queue)


class S3ImageIOManager(dg.IOManager):
    """Pictures travel through the bucket: uploaded while the next are drawn, found again by their recipe's key."""

    def __init__(self, object_store: ObjectStoreResource, queue: QueueResource, sdxl: SdxlResource) -> None:
        self.object_store = object_store
        self.queue = queue
        self.sdxl = sdxl
        self._put_by_us: Collection[str] = ()  # keys

    def handle_output(self, context: dg.OutputContext, obj: PictureStream) -> None:
        store = self.object_store.store
        started = time.monotonic()
        uploaded = found = size = 0
        encode_seconds = upload_seconds = drawing_seconds = 0.0
        links: list[str] = []
        sheet: list[str] = []

        def told(finished: "Iterator[Uploaded | Unstored]") -> None:
            nonlocal uploaded, found, size, encode_seconds, upload_seconds, drawing_seconds
            for done in finished:
                if isinstance(done, Unstored):
                    obj.refuse(done.recipe, done.reason)
                    continue
                uploaded += done.written
                found += not done.written
                size += done.bytes
                encode_seconds += done.encode_seconds
                upload_seconds += done.upload_seconds
                drawing_seconds += done.drawing_seconds
                if len(links) < LINKS:
                    links.append(f"[{done.key}]({store.url(done.key)})")
                if len(sheet) < SHEET_PICTURES:
                    sheet.append(f"![picture]({store.url(done.thumbnail_key or done.key)})")

        with clearly(self.queue.explain), self.queue.refunding(), obj.delivery as delivery, closing(obj.pictures):
            for drawn in obj.pictures:
                delivery.send(drawn)
                told(delivery.finished())
            told(delivery.rest())
        self._put_by_us = delivery.stored
        seconds = time.monotonic() - started
        drawn_count = uploaded + found
        metadata: dict[str, Any] = {}
        if sheet:  # fetched by who looks at it: what is taken down later is not kept in Dagster's event log
            metadata["contact_sheet"] = dg.MetadataValue.md(" ".join(sheet))
        metadata |= {
            **obj.report,
            "drawn": drawn_count,
            "stored": uploaded,
            "delivered_from_spool": delivery.from_spool,
            "spooled_waiting": delivery.waiting(),
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

    def load_input(self, context: dg.InputContext) -> list[Placed]:
        with clearly(self.queue.explain), self.queue.refunding():
            recipes: list[tuple[Row, Recipe]] = []
            refused: dict[int, str] = {}
            for row in self.queue.in_hand():
                with one_row(partial(refused.__setitem__, row["id"])):
                    recipes.append((row, self.sdxl.recipe(row)))
            self.queue.hold.reject(refused)
            store = self.object_store.store
            faults: dict[str, str] = {}  # by key

            def seen(key: str) -> tuple[StoredObject, str | None] | None:
                with one_row(partial(faults.__setitem__, key)):
                    return described(store, key)
                return None

            objects = store.each(seen, {original_key(recipe.hash) for _, recipe in recipes})
            sums = store.each(store.sha256, objects.keys() - self._put_by_us)
        return [
            Placed(
                row=row,
                recipe=recipe,
                object=stored,
                provenance=provenance,
                sha256=sums.get(key),
                fault=faults.get(key),
            )
            for row, recipe in recipes
            for key in [original_key(recipe.hash)]
            for stored, provenance in [objects.get(key, (None, None))]
        ]


@dg.io_manager(required_resource_keys={"object_store", "queue", "sdxl"}, config_schema={})
def image_store(context: dg.InitResourceContext) -> S3ImageIOManager:
    resources = context.resources
    return S3ImageIOManager(resources.object_store, resources.queue, resources.sdxl)
