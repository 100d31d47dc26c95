"""How data travels between the assets: through the queue and the bucket, never through a file of a run.

Within a run a step finds what PostgreSQL and the store hold for this run, so two runs never see each other's data, and
a step run alone, or again after a crash, finds what is there. Whoever else loads one of the assets gets the rows that
its last materialization left, and changes nothing: only `claimed_rows` and `drawn_objects`, which no asset but ours
uses, may claim prompts.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg

from glad_pipeline.defs.failures import as_failure
from glad_pipeline.defs.names import Names, Resources
from glad_pipeline.defs.reports import PROMPT_IDS, claimed_in_all
from glad_pipeline.display import numbers, ranges
from glad_pipeline.errors import UsageError
from glad_pipeline.operations.checks import Finding
from glad_pipeline.outbox.deliver import Report
from glad_pipeline.pipeline.catalogue import PromptWithObject, look_up
from glad_pipeline.pipeline.draw import recipes_of
from glad_pipeline.pipeline.follow import Follower
from glad_pipeline.pipeline.picture_stream import PictureStream, UploadTotals, upload_all
from glad_pipeline.pipeline.results import rows_of
from glad_pipeline.records import Prompt, columns_of, values_of

if TYPE_CHECKING:
    import pandas as pd

SHEET_PICTURES = 2  # Dagster keeps the metadata of a run for good
TABLES = {"prompts": "prompts", "generated_images": "images", "s3_objects": "images", "published_posts": "posts"}
# Of a run's figures what stands elsewhere: the row count; it less `already_stored`; a column of `images`
ELSEWHERE = ("prompts", "to_draw", "model_revision")


def frame(prompts: list[Prompt]) -> "pd.DataFrame":
    """Prompts as a DataFrame of plain Python values: a missing number stays None and an id stays an integer."""
    import pandas as pd

    return pd.DataFrame(list(map(values_of, prompts)), columns=columns_of(Prompt), dtype=object)


def table(columns: list[str], rows: list[dict[str, Any]]) -> "pd.DataFrame":
    """Rows as they are in the database, the same way."""
    import pandas as pd

    return pd.DataFrame(rows, columns=columns, dtype=object)


# Plain classes made by functions: a resource nested in a ConfigurableIOManager is a copy with a claim of its own, and
# the run must have one claim.


class RowsIOManager(dg.IOManager):
    """Writes nothing: the rows are in the database already. Read, they are those of the last materialization."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Nothing to keep."""

    def load_input(self, context: dg.InputContext) -> "pd.DataFrame":
        with as_failure():
            ids, name = _last_ids(context), TABLES[context.asset_key.path[-1]]
            columns, rows = self.names.resources(context).postgres.database.read(lambda c: rows_of(c, name, ids))
            return table(columns, rows)


def _last_ids(context: dg.InputContext) -> list[int]:
    """The prompts of the last materialization. Raises `UsageError` where there is none."""
    name = context.asset_key.to_user_string()
    event = context.instance.get_latest_materialization_event(context.asset_key)
    made = event.asset_materialization.metadata if event and event.asset_materialization else {}
    recorded = made.get(PROMPT_IDS)
    if recorded is None:
        raise UsageError(f"the asset {name} has not been materialized yet: run the job publish_prompts first")
    try:
        return numbers(str(recorded.value))
    except ValueError:
        raise UsageError(
            f"the last materialization of {name} was of more prompts than are listed: read the table instead"
        ) from None


@dataclass(frozen=True)
class Drawing:
    """What `generated_images` hands over: pictures as they are drawn, and who draws them."""

    stream: PictureStream
    ours: Resources
    first: list[int]  # the prompts that the drawing was begun with
    claimed: Callable[[], list[int]]  # all that this run has had to draw
    all_is_drawn: Callable[[], None]  # called when it is
    tell: Callable[[Mapping[str, Any]], None]  # what is said of the pictures
    follower: Follower | None  # publishes the pictures while the next are drawn


@dataclass
class Ahead:
    """What this run has done for the steps after `generated_images` while it drew: they report it as theirs."""

    follower: Follower | None = None
    findings: dict[str, list[Finding]] = field(default_factory=dict)  # what checks have found fault with, by name
    told: Report = field(default_factory=Report)  # messages delivered


class S3ImageIOManager(RowsIOManager):
    """Pictures travel through the bucket: uploaded while the next are drawn, found again by their recipe's key."""

    def __init__(self, names: Names) -> None:
        super().__init__(names)
        self.totals = UploadTotals()
        self.ahead = Ahead()

    def handle_output(self, context: dg.OutputContext, obj: Drawing) -> None:
        ours, stream = obj.ours, obj.stream
        store = ours.object_store.store
        with as_failure(ours.queue.explain), ours.queue.refunding():
            self.ahead.follower = obj.follower
            self.totals = done = upload_all(stream, obj.follower)
        obj.all_is_drawn()
        sheet = [f"![picture]({store.url(each.thumbnail_key or each.key)})" for each in done.first[:SHEET_PICTURES]]
        metadata: dict[str, Any] = {}
        if sheet:  # fetched by who looks at it: what is taken down later is not kept in Dagster's event log
            metadata["contact_sheet"] = dg.MetadataValue.md(" ".join(sheet))
        claimed = obj.claimed()
        if set(claimed) != set(obj.first):
            claimed_in_all(context, self.names, claimed)
        drawn = done.uploaded + done.found
        metadata |= {
            **{name: value for name, value in asdict(stream.report).items() if name not in ELSEWHERE},
            PROMPT_IDS: ranges(claimed),
            "drawn": drawn,
            "stored": done.uploaded,
            "delivered_from_spool": stream.delivery.from_spool,
            "spooled_waiting": stream.delivery.waiting(),
            "bytes": done.bytes,
            "images_per_second": round(drawn / done.seconds, 3) if drawn else 0.0,
            "seconds": round(done.seconds, 3),
            **{f"seconds_{name}": round(spent, 3) for name, spent in ours.sdxl.sdxl.overhead_seconds.items()},
            "seconds_drawing": round(done.drawing_seconds, 3),
            "seconds_encoding_all_threads": round(done.encode_seconds, 3),
            "seconds_rendering_all_threads": round(done.render_seconds, 3),
            "seconds_uploading_all_threads": round(done.upload_seconds, 3),
            **ours.queue.report(context.log, drawn=drawn),
        }
        obj.tell(metadata)


def io_managers(names: Names) -> dict[str, Any]:
    """All of them by key."""

    def resource(make: Callable[[Any], Any], *needed: str) -> dg.IOManagerDefinition:
        keys = set(map(names.of, needed))
        return dg.io_manager(required_resource_keys=keys, config_schema={})(make)

    claim_needs = {names.of(each) for each in ("queue", "object_store", "sdxl")}

    @dg.input_manager(required_resource_keys=claim_needs, config_schema={})
    def claimed_rows(context: dg.InputContext) -> "pd.DataFrame":
        ours = names.resources(context)
        with as_failure():
            return frame(ours.queue.in_hand(ours.object_store, ours.sdxl))

    drawn_needs = {names.of(each) for each in ("queue", "object_store", "sdxl", "image_store")}

    @dg.input_manager(required_resource_keys=drawn_needs, config_schema={})
    def drawn_objects(context: dg.InputContext) -> list[PromptWithObject]:
        ours = names.resources(context)
        with as_failure(ours.queue.explain), ours.queue.refunding():
            recipes = recipes_of(ours.queue.in_hand(ours.object_store), ours.sdxl, ours.queue.claim)
            return look_up(
                recipes,
                ours.object_store.store,
                put_by_us=ours.image_store.totals.stored,
                made_by_us=ours.image_store.totals.renditions,
                wanted=ours.object_store.wanted,
            )

    return {
        names.of("queue_rows"): resource(lambda _: RowsIOManager(names), "postgres"),
        names.of("image_store"): resource(lambda _: S3ImageIOManager(names), "postgres"),
        names.of("claimed_rows"): claimed_rows,
        names.of("drawn_objects"): drawn_objects,
    }
