"""Whether a run publishes its pictures while it draws the next ones, and with what.

It does where one process takes all the steps from drawing to posts. A step that is run alone, or as a process of its
own, does its own part.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import dagster as dg

from glad_pipeline.defs.names import Names, Resources
from glad_pipeline.defs.site_revalidations import deliver_some
from glad_pipeline.operations import checks
from glad_pipeline.pipeline.catalogue import Cataloguing
from glad_pipeline.pipeline.draw import Drawing
from glad_pipeline.pipeline.follow import DELIVERY, Courier, Follower
from glad_pipeline.pipeline.publish import Publishing
from glad_pipeline.pipeline.visit import Visitor


def takes_step(context: dg.AssetExecutionContext, names: Names, asset: str) -> bool:
    """Whether this process takes the step of this asset too."""
    steps = context.get_step_execution_context().execution_plan.step_keys_to_execute
    return "__".join(names.key(asset).path) in steps


def follower_of(context: dg.AssetExecutionContext, names: Names, ours: Resources, drawing: Drawing) -> Follower | None:
    """Who follows this drawing; None: nobody."""
    has = partial(takes_step, context, names)
    if not (has("s3_objects") and has("published_posts")):
        return None
    deliver = partial(deliver_some, ours, context.log, seconds=DELIVERY)
    return Follower(
        prompts_of=drawing.prompts_of,
        store=drawing.store,
        put_by_us=drawing.delivery.stored,
        cataloguing=cataloguing_of(ours),
        publishing=publishing_of(context, ours),
        inspect=partial(_inspect, ours),
        courier=Courier(deliver, context.log) if has("site_revalidations") else None,
        log=context.log,
        wanted=ours.object_store.wanted,
    )


def _inspect(ours: Resources, catalogued: Collection[str], sample: Collection[str]) -> None:
    """The checks that hold pictures back, before any of these becomes a post."""
    database = ours.postgres.database
    if not catalogued:
        return
    found = {
        "objects_match_catalogue": checks.objects_match_catalogue(
            database, ours.object_store.store, ours.queue.claim, keys=sample
        ),
        "no_blank_picture": checks.no_blank_picture(database, keys=catalogued),
    }
    for name, finding in found.items():
        if not finding.passed:
            ours.ahead.findings.setdefault(name, []).append(finding)


def cataloguing_of(ours: Resources) -> Cataloguing:
    """The run's."""
    if ours.ahead.follower is not None:
        return ours.ahead.follower.cataloguing
    return Cataloguing(claim=ours.queue.claim, database=ours.queue.postgres.database, url=ours.object_store.store.url)


def publishing_of(context: dg.AssetExecutionContext, ours: Resources) -> Publishing:
    """The run's."""
    if ours.ahead.follower is not None:
        return ours.ahead.follower.publishing
    return Publishing(
        claim=ours.queue.claim,
        database=ours.queue.postgres.database,
        store=lambda: ours.object_store.store,
        visitor=Visitor(
            check=ours.object_store.public_check, warn=context.log.warning, featured=ours.object_store.featured
        ),
        base=ours.object_store.unchecked.url(""),
        wanted=ours.object_store.wanted,
        featured=ours.object_store.featured,
    )
