"""The jobs: everything from the queue to the blog, telling others alone, and, apart from both, the audit.

Each names its assets: nobody else's in the same project is ever part of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import dagster as dg

from glad_pipeline.defs.names import Names

JOB_NAME = "publish_prompts"
DELIVERY = "deliver_messages"
AUDIT = "audit"  # the asset
AUDIT_JOB = "audit_store"
GRAPH = ("prompts", "generated_images", "s3_objects", "published_posts", "site_revalidations")
Job: TypeAlias = Any  # Dagster's class for it is private


def jobs(names: Names, longest: int) -> dict[str, Job]:
    """By name without prefix. `longest`: seconds after which Dagster ends a run that draws."""
    return {
        JOB_NAME: _job(names, JOB_NAME, GRAPH, "Draw what is pending, store it and publish it.", longest),
        DELIVERY: _job(names, DELIVERY, ("site_revalidations",), "Deliver what waits in the outbox.", 900),
        AUDIT_JOB: _job(names, AUDIT_JOB, (AUDIT,), "Hold bucket and database against each other.", longest),
    }


def _job(names: Names, name: str, assets: Sequence[str], description: str, seconds: int) -> Job:
    return dg.define_asset_job(
        names.of(name),
        selection=dg.AssetSelection.assets(*map(names.key, assets)),
        description=description,
        tags={"dagster/max_runtime": str(seconds)},
        # one process per run: a process per step costs 2 s each, and the GPU's model would be loaded anew
        executor_def=dg.in_process_executor,
    )
