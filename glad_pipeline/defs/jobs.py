"""The jobs: everything from the queue to the blog, telling others alone, and, apart from both, the audit."""

from __future__ import annotations

import dagster as dg

from glad_pipeline.settings import Settings

JOB_NAME = "publish_prompts"
DELIVERY = "deliver_messages"
AUDIT = "audit"  # the asset
AUDIT_JOB = "audit_store"


def all_jobs(settings: Settings) -> list[dg.UnresolvedAssetJobDefinition]:
    """The whole graph; the outbox alone, without the GPU; the audit. Dagster ends a run that takes longer than that."""
    longest = settings.max_runtime_seconds
    graph = dg.AssetSelection.all() - dg.AssetSelection.assets(AUDIT)
    return [
        _job(JOB_NAME, graph, "Draw what is pending, store it and publish it.", longest),
        _job(DELIVERY, dg.AssetSelection.assets("site_revalidations"), "Deliver what waits in the outbox.", 900),
        _job(AUDIT_JOB, dg.AssetSelection.assets(AUDIT), "Hold bucket and database against each other.", longest),
    ]


def _job(name: str, selection: dg.AssetSelection, description: str, seconds: int) -> dg.UnresolvedAssetJobDefinition:
    tags = {"dagster/max_runtime": str(seconds)}
    return dg.define_asset_job(name, selection=selection, description=description, tags=tags)


def audit_store_daily(settings: Settings) -> dg.ScheduleDefinition:
    """Once a night, changing nothing."""
    return dg.ScheduleDefinition(
        name="audit_store_daily",
        job_name=AUDIT_JOB,
        cron_schedule="30 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING if settings.audit else dg.DefaultScheduleStatus.STOPPED,
        description="Holds bucket and database against each other once a day.",
    )
