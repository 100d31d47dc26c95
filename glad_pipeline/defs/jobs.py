"""The jobs: everything from the queue to the blog, telling others alone, and, apart from both, the audit."""

from __future__ import annotations

import dagster as dg

from glad_pipeline.settings import Settings

JOB_NAME = "publish_prompts"
DELIVERY = "deliver_messages"
AUDIT = "audit"  # the asset
AUDIT_JOB = "audit_store"


def publish_prompts(settings: Settings) -> dg.UnresolvedAssetJobDefinition:
    """Draw what is pending, store it, publish it. Dagster ends a run that takes longer than the setting allows."""
    return dg.define_asset_job(
        JOB_NAME,
        selection=dg.AssetSelection.all() - dg.AssetSelection.assets(AUDIT),
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


def audit_store(settings: Settings) -> dg.UnresolvedAssetJobDefinition:
    """Look through bucket and database. Draws nothing and waits for no GPU."""
    return dg.define_asset_job(
        AUDIT_JOB,
        selection=dg.AssetSelection.assets(AUDIT),
        description="Hold bucket and database against each other.",
        tags={"dagster/max_runtime": str(settings.max_runtime_seconds)},
    )


def audit_store_daily(settings: Settings) -> dg.ScheduleDefinition:
    """Once a night, changing nothing."""
    return dg.ScheduleDefinition(
        name="audit_store_daily",
        job_name=AUDIT_JOB,
        cron_schedule="30 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.audit else dg.DefaultScheduleStatus.STOPPED,
        description="Holds bucket and database against each other once a day.",
    )
