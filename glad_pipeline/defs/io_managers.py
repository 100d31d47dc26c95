"""How data travels between the assets: through the queue and the bucket, never through a file of a run.

What a step hands on is what PostgreSQL and the store hold for this run, so two runs never see each other's
data, and a step run alone, or again after a crash, finds what is there.
"""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.resources import ObjectStoreResource, QueueResource, SdxlResource
from glad_pipeline.pipeline.catalogue import PromptWithObject, look_up
from glad_pipeline.pipeline.delivery import PictureStream, UploadTotals, upload_all
from glad_pipeline.pipeline.draw import recipes_of
from glad_pipeline.records import Prompt, columns_of, values_of

if TYPE_CHECKING:
    import pandas as pd

SHEET_PICTURES = 24
LINKS = 20


# Plain classes made by `@dg.io_manager` functions: a resource nested in a ConfigurableIOManager is a copy with a
# claim of its own, and the run must have one claim.


class QueueIOManager(dg.IOManager):
    """Prompts travel by the claim on them: loading is asking the queue what this run has in hand."""

    def __init__(self, queue: QueueResource) -> None:
        self.queue = queue

    def handle_output(self, context: dg.OutputContext, obj: "pd.DataFrame") -> None:
        """Nothing to keep: the rows are in the queue, under this run's claim."""

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        with clearly():
            return frame(self.queue.in_hand())


def frame(prompts: list[Prompt]) -> "pd.DataFrame":
    """Prompts as a DataFrame of plain Python values: a missing number stays None and an id stays an integer."""
    import pandas as pd

    return pd.DataFrame(list(map(values_of, prompts)), columns=columns_of(Prompt), dtype=object)


@dg.io_manager(required_resource_keys={"queue"}, config_schema={})
def queue_rows(context: dg.InitResourceContext) -> QueueIOManager:
    return QueueIOManager(context.resources.queue)


class S3ImageIOManager(dg.IOManager):
    """Pictures travel through the bucket: uploaded while the next are drawn, found again by their recipe's key."""

    def __init__(self, object_store: ObjectStoreResource, queue: QueueResource, sdxl: SdxlResource) -> None:
        self.object_store = object_store
        self.queue = queue
        self.sdxl = sdxl
        self._totals = UploadTotals()

    def handle_output(self, context: dg.OutputContext, obj: PictureStream) -> None:
        store = self.object_store.store
        with clearly(self.queue.explain), self.queue.refunding():
            self._totals = done = upload_all(obj)
        sheet = [f"![picture]({store.url(each.thumbnail_key or each.key)})" for each in done.first[:SHEET_PICTURES]]
        links = [f"- [{each.key}]({store.url(each.key)})" for each in done.first[:LINKS]]
        metadata: dict[str, Any] = {}
        if sheet:  # fetched by who looks at it: what is taken down later is not kept in Dagster's event log
            metadata["contact_sheet"] = dg.MetadataValue.md(" ".join(sheet))
        drawn = done.uploaded + done.found
        metadata |= {
            **asdict(obj.report),
            "drawn": drawn,
            "stored": done.uploaded,
            "delivered_from_spool": obj.delivery.from_spool,
            "spooled_waiting": obj.delivery.waiting(),
            "bytes": done.bytes,
            "images_per_second": round(drawn / done.seconds, 3) if drawn else 0.0,
            "seconds": round(done.seconds, 3),
            **{f"seconds_{name}": round(spent, 3) for name, spent in self.sdxl.sdxl.overhead_seconds.items()},
            "seconds_drawing": round(done.drawing_seconds, 3),
            "seconds_encoding_all_threads": round(done.encode_seconds, 3),
            "seconds_uploading_all_threads": round(done.upload_seconds, 3),
            "bucket": store.bucket,
            "objects": dg.MetadataValue.md("\n".join(links) or "none"),
        }
        context.add_output_metadata(metadata)

    def load_input(self, context: dg.InputContext) -> list[PromptWithObject]:
        with clearly(self.queue.explain), self.queue.refunding():
            recipes = recipes_of(self.queue.in_hand(), self.sdxl, self.queue.claim)
            return look_up(recipes, self.object_store.store, put_by_us=self._totals.stored)


@dg.io_manager(required_resource_keys={"object_store", "queue", "sdxl"}, config_schema={})
def image_store(context: dg.InitResourceContext) -> S3ImageIOManager:
    resources = context.resources
    return S3ImageIOManager(resources.object_store, resources.queue, resources.sdxl)
