"""The lineage graph: prompts → generated_images → s3_objects → published_posts (→ site_revalidations).

Each asset takes what is ready for it, calls the step of `pipeline` that does the work, and reports. Run alone, twice,
or after a crash, it picks up where the rows and the bucket say that work stopped.
"""

import time
from typing import Any

import dagster as dg
from pydantic import Field

from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.io_managers import frame
from glad_pipeline.defs.resources import (
    ObjectStoreResource,
    PostgresResource,
    QueueResource,
    SdxlResource,
)
from glad_pipeline.display import markdown_links, markdown_reasons, markdown_table
from glad_pipeline.limits import BATCH_SIZE
from glad_pipeline.pipeline.catalogue import Cataloguing, PromptWithObject
from glad_pipeline.pipeline.delivery import Delivery, PictureStream
from glad_pipeline.pipeline.draw import Drawing
from glad_pipeline.pipeline.publish import Publishing
from glad_pipeline.publishing.post_columns import title_of
from glad_pipeline.records import Prompt, records_of
from glad_pipeline.redaction import redact

GROUP = "illustrated_posts"  # one group: the UI shows the whole graph at once
OWNERS = ["team:blog"]
# pandas is imported where it is used: the code location loads half a second sooner without it
PromptsFrame = dg.DagsterType(
    name="PromptsFrame",
    description="A pandas DataFrame, one row per claimed prompt, with the fields of `Prompt`.",
    type_check_fn=lambda _, value: type(value).__name__ == "DataFrame",
)
Pictures = dg.DagsterType(
    name="Pictures",
    description="Written as a stream of drawn pictures, read as the objects that the store holds for this run.",
    type_check_fn=lambda _, value: isinstance(value, (PictureStream, list)),
)


class PromptsConfig(dg.Config):
    """Empty: whatever is pending. Named ids are worked again even if they had been published."""

    prompt_ids: list[int] = Field(
        default=[], description="Only these prompts, also published, failed or cancelled ones."
    )
    batch_size: int | None = Field(
        default=None,
        ge=BATCH_SIZE.low,
        le=BATCH_SIZE.high,
        description="Most prompts to claim; absent: GLAD_BATCH_SIZE.",
    )


@dg.asset(
    group_name=GROUP,
    kinds={"postgres", "pandas"},
    owners=OWNERS,
    io_manager_key="queue_rows",
    dagster_type=PromptsFrame,
)
def prompts(
    context: dg.AssetExecutionContext, config: PromptsConfig, queue: QueueResource, object_store: ObjectStoreResource
) -> Any:
    """The prompts this run has claimed from the table `prompts`, the most urgent and then the oldest first.

    A row that can never be drawn (empty, too long, an impossible size) is rejected here with the reason.
    Materialized alone it only looks: the claim ends with the run.
    """
    with clearly(queue.explain):
        queue.claim  # noqa: B018  the run's sign of life comes first: what follows may wait for the store
        object_store.refuse_anothers()
        claimed = queue.take(batch=config.batch_size, ids=config.prompt_ids)
    context.add_output_metadata(
        {
            "claimed": len(claimed),
            "waiting": _markdown(markdown_table(claimed, ("id", "prompt", "title", "priority", "attempts"))),
        }
    )
    return frame(claimed)


@dg.asset(
    group_name=GROUP,
    kinds={"diffusers", "torch", "s3"},
    owners=OWNERS,
    io_manager_key="image_store",
    pool="gpu",
    ins={"prompts": dg.AssetIn(dagster_type=PromptsFrame, input_manager_key="queue_rows")},
    dagster_type=Pictures,
)
def generated_images(
    context: dg.AssetExecutionContext,
    prompts: Any,
    sdxl: SdxlResource,
    queue: QueueResource,
    object_store: ObjectStoreResource,
) -> Any:
    """One PNG per claimed prompt, drawn by SDXL and streamed to the object store while the GPU works.

    A picture that is in the store already is not drawn again; a blank one rejects its prompt, a failed one
    costs its prompt an attempt, and the others go on.
    """
    with clearly(queue.explain):
        delivery = Delivery(object_store.unchecked, object_store.spool, run_id=context.run_id, log=context.log)
        drawing = Drawing(
            sdxl=sdxl,
            claim=queue.claim,
            database=queue.postgres.database,
            store=object_store.for_writing(delivery.explained),
            spool=object_store.spool,
            delivery=delivery,
            log=context.log,
        )
        return drawing.begin(records_of(Prompt, prompts.to_dict("records")))


@dg.asset(
    group_name=GROUP,
    kinds={"s3", "postgres"},
    owners=OWNERS,
    ins={"generated_images": dg.AssetIn(dagster_type=Pictures, input_manager_key="image_store")},
)
def s3_objects(
    context: dg.AssetExecutionContext,
    generated_images: Any,
    queue: QueueResource,
    object_store: ObjectStoreResource,
    postgres: PostgresResource,
) -> dg.MaterializeResult[Any]:
    """The catalogue `images`: one row per picture that the store really holds, whole and of the right type."""
    found: list[PromptWithObject] = generated_images
    with clearly(queue.explain), queue.refunding():
        url = object_store.store.url
        done = Cataloguing(claim=queue.claim, database=postgres.database, url=url).record(found)
    if done.lost:
        context.log.warning("%s prompts had been taken over by another run and are left to it", done.lost)
    return dg.MaterializeResult(
        metadata={
            "objects": len(done.whole),
            "bytes": sum(each.object.bytes for each in done.whole if each.object),
            "prompts_ready": done.moved - done.awaiting_approval,
            "awaiting_approval": done.awaiting_approval,
            "taken_down": done.taken_down,
            "damaged": done.damaged,
            "not_drawn_yet": done.not_drawn_yet,
            "links": _markdown(
                markdown_links((title_of(each.prompt), url(each.object.key)) for each in done.whole if each.object)
            ),
        }
    )


@dg.asset(group_name=GROUP, kinds={"postgres"}, owners=OWNERS, deps=[s3_objects])
def published_posts(
    context: dg.AssetExecutionContext,
    queue: QueueResource,
    postgres: PostgresResource,
    object_store: ObjectStoreResource,
) -> dg.MaterializeResult[Any]:
    """The blog's posts: post, picture, prompt status and the message to the site commit together, for every picture
    whose time has come. A post that a person has edited since its prompt was claimed waits for `glad prompts approve`.
    """
    started = time.monotonic()
    with clearly(queue.explain):
        object_store.refuse_anothers()
        done = Publishing(claim=queue.claim, database=postgres.database, store=lambda: object_store.store).publish_due()
    for warning in done.warnings():
        context.log.warning("%s", warning)
    return dg.MaterializeResult(
        metadata={
            "published": len(done.published),
            "rejected": len(done.rejected),
            "conflicts": len(done.conflicts),
            "gone_from_the_store": len(done.gone),
            **({"edited_meanwhile": _markdown(redact(markdown_reasons(done.conflicts)))} if done.conflicts else {}),
            "seconds": round(time.monotonic() - started, 3),
            "posts": _markdown(markdown_links((each.title, each.image_url) for each in done.published)),
        }
    )


def _markdown(text: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(text)
