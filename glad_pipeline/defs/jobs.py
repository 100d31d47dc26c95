"""The jobs: everything from the queue to the blog, and telling others alone."""

from __future__ import annotations

import dagster as dg

from glad_pipeline.settings import Settings

JOB_NAME = "publish_prompts"
DELIVERY = "deliver_messages"


def publish_prompts(settings: Settings) -> dg.UnresolvedAssetJobDefinition:
    """Draw what is pending, store it, publish it. Dagster ends a run that takes longer than the setting allows."""
    return dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.all(),
        description="Draw what is pending, store it and publish it.",
        tags={"dagster/max_runtime": str(settings.max_runtime_seconds)},
    )


def deliver_messages() -> dg.UnresolvedAssetJobDefinition:
    """Tell site, CDN and bucket what they could not be told, without the GPU."""
    return dg.define_asset_job(
        DELIVERY,
        selection=dg.AssetSelection.assets("site_revalidations"),
        description="Deliver what waits in the outbox.",
        tags={"dagster/max_runtime": "900"},
    )
