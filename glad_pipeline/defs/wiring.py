"""The whole graph from settings and names: resources, assets, checks, jobs, sensor and schedules."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import dagster as dg
from pydantic import SecretStr

from glad_pipeline.defs import assets, versions
from glad_pipeline.defs.audit import audit
from glad_pipeline.defs.checks import all_checks
from glad_pipeline.defs.doctor import doctor_checks
from glad_pipeline.defs.io_managers import io_managers
from glad_pipeline.defs.jobs import jobs
from glad_pipeline.defs.names import Names
from glad_pipeline.defs.outbox_resource import OutboxResource
from glad_pipeline.defs.resources import (
    ObjectStoreResource,
    PostgresResource,
    QueueResource,
    SdxlResource,
)
from glad_pipeline.defs.schedules import audit_store_daily, publish_prompts_hourly
from glad_pipeline.defs.sensors import new_prompts
from glad_pipeline.defs.site_revalidations import site_revalidations
from glad_pipeline.defs.sources import sources
from glad_pipeline.errors import UsageError
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.redaction import hide, hide_url
from glad_pipeline.settings import Settings
from glad_pipeline.settings.stores import NAMED_BY
from glad_pipeline.storage.options import bucket_of, ways_of


def definitions(settings: Settings, names: Names, overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything. `overrides`: resources by key without prefix, in place of those that the settings make."""
    named_jobs = jobs(names, settings.max_runtime_seconds)
    ours: Sequence[Any] = [
        *sources(names, settings),
        assets.prompts(names),
        assets.generated_images(names, _code_version(settings)),
        assets.s3_objects(names),
        assets.published_posts(names, settings.posts_expected_hours),
        site_revalidations(names),
        audit(names),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # links to the code are beta; nothing else is built on them
        ours = dg.with_source_code_references(ours)
    return dg.Definitions(
        assets=ours,
        asset_checks=[*all_checks(names), doctor_checks(names, settings)],
        jobs=list(named_jobs.values()),
        sensors=[new_prompts(names, settings, named_jobs)],
        schedules=[publish_prompts_hourly(names, settings), audit_store_daily(names, settings)],
        resources=build_resources(settings, names, overrides),
    )


def build_resources(
    settings: Settings, names: Names | None = None, overrides: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Every resource by its key. What one of them consists of is the override, too, where there is one.

    Raises `UsageError` for an override of what there is not.
    """
    names, given = names or Names(), dict(overrides or {})
    postgres = given.get("postgres") or PostgresResource(
        url=_secret(settings.database_url, "DATABASE_URL", names) or "",
        patience=settings.database_patience_seconds,
        posts_table=settings.posts_table,
        posts_columns=settings.posts_columns,
        posts_status=settings.posts_status,
    )
    made: dict[str, Any] = {
        "postgres": postgres,
        "queue": given.get("queue")
        or QueueResource(
            postgres=postgres,
            batch_size=settings.batch_size,
            run_seconds=settings.run_seconds,
            lease_seconds=settings.lease_seconds,
            longest_wait_seconds=settings.longest_wait_seconds,
            max_attempts=settings.max_attempts,
            draw_ahead=settings.draws_ahead,
            events_days=settings.events_days,
        ),
        "object_store": given.get("object_store") or _object_store(settings, postgres, names),
        "outbox": given.get("outbox")
        or OutboxResource(
            site_url=settings.site_url,
            revalidate_secret=_secret(settings.revalidate_secret, "GLAD_REVALIDATE_SECRET", names),
            distribution_id=settings.cloudfront_distribution_id,
            max_attempts=settings.outbox_attempts,
        ),
        "sdxl": given.get("sdxl") or SdxlResource(**settings.engine.model_dump()),
    }
    if unknown := sorted(given.keys() - made.keys()):
        raise UsageError(f"no resource is called {', '.join(unknown)}: there are {', '.join(made)}")
    return {names.of(key): resource for key, resource in made.items()} | io_managers(names)


def _object_store(settings: Settings, postgres: PostgresResource, names: Names) -> ObjectStoreResource:
    kind = settings.store_kind or "s3"
    return ObjectStoreResource(
        postgres=postgres,
        kind=kind,
        bucket=_by_name(bucket_of(settings), "GLAD_SUPABASE_BUCKET" if kind == "supabase" else NAMED_BY[kind]) or "",
        region=settings.s3_region,
        endpoint_url=settings.s3_endpoint_url,
        access_key_id=_by_name(settings.s3_access_key_id, "AWS_ACCESS_KEY_ID"),
        secret_access_key=_secret(settings.s3_secret_access_key, "AWS_SECRET_ACCESS_KEY", names),
        session_token=_secret(settings.s3_session_token, "AWS_SESSION_TOKEN", names),
        public_base_url=settings.picture_base_url,
        proxy_url=_secret(settings.s3_proxy_url, "GLAD_S3_PROXY_URL", names),
        supabase_url=settings.supabase_url,
        supabase_key=_secret(settings.supabase_key, "SUPABASE_KEY", names),
        **ways_of(settings),
        public_check=settings.public_check,
        renditions=settings.renditions,
        rendition_widths=settings.rendition_widths,
        featured=settings.featured,
        patience=settings.store_patience_seconds,
        spool_folder=str(settings.home / "spool"),
        spool_mb=settings.spool_mb,
    )


def _by_name(value: str | None, variable: str) -> Any:
    """The variable if the environment has this value: the UI then shows its name. Else the value."""
    return dg.EnvVar(variable) if value is not None and os.environ.get(variable) == value else value


def _secret(secret: SecretStr | None, variable: str, names: Names) -> dg.EnvVar | None:
    """The name of a variable with this value: the UI shows the name alone.

    A secret that the environment does not have, since it was written down elsewhere, is put there.
    """
    if secret is None:
        return None
    value = secret.get_secret_value()
    (hide_url if "://" in value else hide)(value)
    found = variable if os.environ.get(variable) == value else None
    found = found or next((name for name, there in os.environ.items() if there == value), None)
    if found is None:
        found = f"{variable}_OF_{names.name or 'settings'}".upper()
        os.environ[found] = value
    return dg.EnvVar(found)


def _code_version(settings: Settings) -> str:
    """Of what turns a prompt into a recipe: the recipe's own fields, the preset, and the settings' defaults."""
    defaults = (settings.width, settings.height, settings.steps, settings.guidance_scale, settings.scheduler)
    texts = (settings.prompt_syntax, settings.long_prompts)
    return versions.digest([*(each.name for each in fields(Recipe)), PRESETS[settings.preset], defaults, texts])
