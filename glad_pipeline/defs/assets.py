"""The lineage graph: prompts → generated_images → s3_objects → published_posts (→ site_revalidations).

Each asset takes what is ready for it, calls the step of `pipeline` that does the work, and reports. Run alone, twice,
or after a crash, it picks up where the rows and the bucket say that work stopped.
"""

import math
import time
from datetime import timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from glad_pipeline.defs import versions
from glad_pipeline.defs.failures import as_failure
from glad_pipeline.defs.following import cataloguing_of, follower_of, publishing_of, takes_step
from glad_pipeline.defs.io_managers import Drawing as HandedOver
from glad_pipeline.defs.io_managers import frame
from glad_pipeline.defs.names import Names, Resources
from glad_pipeline.defs.pool_limit import is_limited
from glad_pipeline.defs.reports import posts_are_listed, posts_to_list, rows
from glad_pipeline.defs.site_revalidations import deliver_due
from glad_pipeline.defs.sources import note_model
from glad_pipeline.defs.tables import table
from glad_pipeline.display import markdown_links, markdown_reasons, markdown_table
from glad_pipeline.limits import BATCH_SIZE
from glad_pipeline.pipeline.catalogue import LOST, NOT_CATALOGUED, PromptWithObject
from glad_pipeline.pipeline.delivery import Delivery
from glad_pipeline.pipeline.draw import Drawing
from glad_pipeline.pipeline.publish import PublishReport
from glad_pipeline.pipeline.renditions import Rendering, unmakeable
from glad_pipeline.records import Prompt, records_of
from glad_pipeline.redaction import redact

# pandas is imported where it is used: the code location loads half a second sooner without it
PromptsFrame = dg.DagsterType(
    name="PromptsFrame",
    description="A pandas DataFrame, one row per claimed prompt, with the fields of `Prompt`.",
    type_check_fn=lambda _, value: type(value).__name__ == "DataFrame",
)
Pictures = dg.DagsterType(
    name="Pictures",
    description="Written as a stream of drawn pictures, read as the objects that the store holds for this run.",
    type_check_fn=lambda _, value: isinstance(value, (HandedOver, list)) or type(value).__name__ == "DataFrame",
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
        description="Most prompts to claim in all; absent: GLAD_BATCH_SIZE.",
    )


def prompts(names: Names) -> dg.AssetsDefinition:
    @names.asset(
        "prompts",
        "queue",
        "object_store",
        "sdxl",
        kinds={"postgres", "pandas"},
        deps=[names.key("prompts_table")],
        io_manager_key=names.of("queue_rows"),
        dagster_type=PromptsFrame,
        metadata=table("prompts"),
        code_version="1",
    )
    def prompts(context: dg.AssetExecutionContext, config: PromptsConfig) -> dg.Output[Any]:
        """The prompts this run has claimed from the table `prompts`, the most urgent and then the oldest first: a first
        slice. While it draws it claims the others.

        A row that can never be drawn (empty, too long, an impossible size) is rejected here with the reason.
        Materialized alone it only looks: the claim ends with the run.
        """
        ours = names.resources(context)
        with as_failure(ours.queue.explain):
            note_model(context, names, ours.sdxl.sdxl)
            drawn_by = ours.sdxl if takes_step(context, names, "generated_images") else None  # None: it only looks
            claimed = ours.queue.take(ours.object_store, drawn_by, batch=config.batch_size, ids=config.prompt_ids)
        first = markdown_table(claimed, ("id", "prompt", "title"))
        ids = [prompt.id for prompt in claimed]
        return versions.output(
            context,
            frame(claimed),
            of=ids if ours.queue.most is None else [context.run_id],  # which it will claim in all is not known yet
            metadata={
                "claimed": len(claimed),
                "first": _markdown(first),
                **rows(ids),
                **ours.queue.paused(context.log),
                **ours.queue.report(context.log),
            },
        )

    return prompts


def generated_images(names: Names, code_version: str) -> dg.AssetsDefinition:
    @names.asset(
        "generated_images",
        "sdxl",
        "queue",
        "object_store",
        "postgres",
        "outbox",
        "image_store",
        kinds={"diffusers", "torch", "s3"},
        deps=[names.key("sdxl_model")],
        io_manager_key=names.of("image_store"),
        pool=names.pool,
        ins={
            "prompts": dg.AssetIn(
                names.key("prompts"), dagster_type=PromptsFrame, input_manager_key=names.of("claimed_rows")
            )
        },
        dagster_type=Pictures,
        code_version=code_version,
    )
    def generated_images(context: dg.AssetExecutionContext, prompts: Any) -> dg.Output[Any]:
        """One PNG per claimed prompt, drawn by SDXL and streamed to the object store while the GPU works.

        A picture that is in the store already is not drawn again; a blank one rejects its prompt, a failed one
        costs its prompt an attempt, and the others go on.
        """
        ours = names.resources(context)
        if not is_limited(context.instance, names.pool):
            context.log.warning("the pool %s has no limit: two runs may draw on one GPU (docs/dagster.md)", names.pool)
        with as_failure(ours.queue.explain):
            drawing = _drawing(context, ours)
            follower = follower_of(context, names, ours, drawing)
            if follower is not None:
                drawing.stored_already = follower.stored_already
            stream = drawing.begin(records_of(Prompt, prompts.to_dict("records")))
        handed_over = HandedOver(
            stream=stream,
            ours=ours,
            first=drawing.claimed,
            claimed=lambda: drawing.claimed,
            all_is_drawn=lambda: versions.set_version(context, drawing.hashes),
            tell=lambda metadata: versions.tell(context, metadata),
            follower=follower,
        )
        return dg.Output(handed_over)

    return generated_images


def _drawing(context: dg.AssetExecutionContext, ours: Resources) -> Drawing:
    queue, object_store = ours.queue, ours.object_store
    delivery = Delivery(
        object_store.unchecked,
        object_store.spool,
        run_id=context.run_id,
        log=context.log,
        rendering=Rendering(wanted=object_store.wanted),
    )
    if problem := unmakeable(object_store.wanted):
        context.log.warning("pictures are published without their renditions: %s", problem)
    store = object_store.for_writing(delivery.explained)
    delivery.use(store)
    return Drawing(
        sdxl=ours.sdxl,
        claim=queue.claim,
        database=queue.postgres.database,
        store=store,
        spool=object_store.spool,
        delivery=delivery,
        log=context.log,
        all_is_begun=queue.free_slot,
        most=queue.most,
        seconds=math.inf if queue.most is None else queue.run_seconds,
    )


def s3_objects(names: Names) -> dg.AssetsDefinition:
    @names.asset(
        "s3_objects", "queue", "object_store", "image_store",
        kinds={"s3", "postgres"},
        ins={"generated_images": dg.AssetIn(
            names.key("generated_images"), dagster_type=Pictures, input_manager_key=names.of("drawn_objects"))},
        io_manager_key=names.of("queue_rows"),
        metadata=table("images"),
        code_version="1",
    )  # fmt: skip
    def s3_objects(context: dg.AssetExecutionContext, generated_images: Any) -> dg.MaterializeResult[Any]:
        """The catalogue `images`: one row per picture that the store really holds, whole and of the right type."""
        ours = names.resources(context)
        found: list[PromptWithObject] = generated_images
        with as_failure(ours.queue.explain), ours.queue.refunding():
            done = cataloguing_of(ours).record(found)
        if lost := done.count(LOST):
            context.log.warning("%s prompts had been taken over by another run and are left to it", lost)
        return versions.result(
            context,
            of=[(each.key, each.sha256) for each in done.whole],
            metadata={
                "bytes": sum(each.bytes for each in done.whole),
                **{what: done.count(what) for what in ("awaiting_approval", "ready", *NOT_CATALOGUED)},
                **rows([each.prompt_id for each in done.whole]),
                **ours.queue.report(context.log, stored=len(done.whole)),
            },
        )

    return s3_objects


def published_posts(names: Names, expected_hours: float | None) -> dg.AssetsDefinition:
    window = dg.FreshnessPolicy.time_window(timedelta(hours=expected_hours)) if expected_hours else None

    @names.asset(
        "published_posts",
        "postgres",
        "queue",
        "object_store",
        "outbox",
        "image_store",
        kinds={"postgres"},
        deps=[names.key("s3_objects")],
        io_manager_key=names.of("queue_rows"),
        metadata=table("posts"),
        code_version="1",
        output_required=False,
        freshness_policy=window,
    )
    def published_posts(context: dg.AssetExecutionContext) -> Any:
        """The blog's posts: post, picture, prompt status and the message to the site commit together, for every
        picture whose time has come. A post edited by a person since its prompt was claimed waits for approval
        (`glad prompts approve`). With no new post it is not materialized: nothing that waits for posts is woken.
        """
        started = time.monotonic()
        ours = names.resources(context)
        with as_failure(ours.queue.explain):
            ours.object_store.refuse_anothers()
            ours.object_store.require_blog()
            done = publishing_of(context, ours).publish_due()
            listed = posts_to_list(context, ours)
        for warning in done.warnings():
            context.log.warning("%s", warning)
        reported = ours.queue.report(context.log, published=len(done.published))
        metadata = {**_of_posts(done, listed, started), **reported}
        if not listed:
            context.log.info("no post is published")
            if done:  # seen on the asset, and no new version of it
                context.log_event(dg.AssetObservation(context.asset_key, metadata=metadata))
            deliver_due(ours, context.log)  # the step that tells others is skipped with this output
            return
        yield versions.result(context, of=[context.run_id], metadata=metadata)
        posts_are_listed(ours, listed)

    return published_posts


def _of_posts(done: PublishReport, listed: list[int], started: float) -> dict[str, Any]:
    """`listed`: the prompts of this materialization: with those of runs that died before they could list them."""
    found = len(listed) - len(done.published)
    edited = (
        {"conflicts": len(done.conflicts), "edited_meanwhile": _markdown(redact(markdown_reasons(done.conflicts)))}
        if done.conflicts
        else {}
    )
    return {
        "published": len(done.published),
        **({"published_by_runs_that_died": found} if found > 0 else {}),
        "rejected": len(done.rejected),
        **({"gone_from_the_store": len(done.gone)} if done.gone else {}),
        **edited,
        "seconds": round(time.monotonic() - started, 3),
        "posts": _markdown(markdown_links((each.title, each.image_url) for each in done.published)),
        **rows(listed),
    }


def _markdown(text: str) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(text)
