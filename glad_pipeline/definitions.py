"""The front door: the whole graph, wired, on one screen. Loads without torch and without a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import SecretStr

from glad_pipeline.defs.assets import generated_images, prompts, published_posts, s3_objects
from glad_pipeline.defs.audit import audit
from glad_pipeline.defs.checks import CHECKS
from glad_pipeline.defs.io_managers import image_store, queue_rows
from glad_pipeline.defs.jobs import all_jobs, audit_store_daily
from glad_pipeline.defs.resources import (
    ObjectStoreResource,
    OutboxResource,
    PostgresResource,
    QueueResource,
    SdxlResource,
)
from glad_pipeline.defs.schedules import publish_prompts_hourly
from glad_pipeline.defs.sensors import new_prompts, undelivered_messages
from glad_pipeline.defs.site_revalidations import no_dead_message, site_revalidations
from glad_pipeline.redaction import at_every_door, hide, hide_url
from glad_pipeline.settings import Settings, load_settings


def _by_name(variable: str, value: SecretStr | str | None) -> Any:
    """The variable if the environment has this value: the UI then shows its name. Else the settings' own value."""
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
        (hide_url if "://" in value else hide)(value)
    return dg.EnvVar(variable) if value is not None and value == os.environ.get(variable) else value


def build_resources(settings: Settings) -> dict[str, Any]:
    """Every resource by its key, all by these settings."""
    postgres = PostgresResource(
        url=_by_name("DATABASE_URL", settings.database_url) or dg.EnvVar("DATABASE_URL"),
        patience=settings.database_patience_seconds,
    )
    queue = QueueResource(
        postgres=postgres,
        batch_size=settings.batch_size,
        lease_seconds=settings.lease_seconds,
        max_attempts=settings.max_attempts,
    )
    object_store = ObjectStoreResource(
        postgres=postgres,
        bucket=_by_name("AWS_S3_BUCKET", settings.s3_bucket) or dg.EnvVar("AWS_S3_BUCKET"),
        region=settings.s3_region,
        endpoint_url=settings.s3_endpoint_url,
        access_key_id=_by_name("AWS_ACCESS_KEY_ID", settings.s3_access_key_id),
        secret_access_key=_by_name("AWS_SECRET_ACCESS_KEY", settings.s3_secret_access_key),
        session_token=_by_name("AWS_SESSION_TOKEN", settings.s3_session_token),
        public_base_url=settings.picture_base_url,
        patience=settings.store_patience_seconds,
        spool_folder=str(settings.home / "spool"),
        spool_mb=settings.spool_mb,
    )
    outbox = OutboxResource(
        site_url=settings.site_url,
        revalidate_secret=_by_name("GLAD_REVALIDATE_SECRET", settings.revalidate_secret),
        distribution_id=settings.cloudfront_distribution_id,
        max_attempts=settings.outbox_attempts,
    )
    return {
        "postgres": postgres,
        "queue": queue,
        "object_store": object_store,
        "outbox": outbox,
        "sdxl": SdxlResource(**settings.engine.model_dump()),
        "queue_rows": queue_rows,
        "image_store": image_store,
        # Dagster's own default, without the folder that run config may name there
        "io_manager": dg.FilesystemIOManager().get_resource_definition().configured({}, config_schema={}),
    }


def build_defs(settings: Settings | None = None, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The graph with these settings (the environment's if None) and, for tests, some resources replaced."""
    settings = settings or load_settings()
    return dg.Definitions(
        assets=[prompts, generated_images, s3_objects, published_posts, site_revalidations, audit],
        asset_checks=[*CHECKS, no_dead_message],
        jobs=all_jobs(settings),
        sensors=[new_prompts(settings), undelivered_messages(settings)],
        schedules=[publish_prompts_hourly(settings), audit_store_daily(settings)],
        resources={**build_resources(settings), **(resource_overrides or {})},
        # one process per run: a process per step costs 2 s each, and the GPU's model would be loaded anew
        executor=dg.in_process_executor,
    )


at_every_door()
defs = build_defs()
