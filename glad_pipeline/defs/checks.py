"""Asset checks: what must be true of each asset, looked at after every run. What is looked at: `operations.checks`."""

from collections.abc import Callable

import dagster as dg

from glad_pipeline.defs.assets import prompts, published_posts, s3_objects
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.resources import ObjectStoreResource, PostgresResource
from glad_pipeline.operations import checks
from glad_pipeline.operations.checks import Finding


def result_of(look: Callable[[], Finding], severity: dg.AssetCheckSeverity) -> dg.AssetCheckResult:
    with clearly():
        found = look()
    return dg.AssetCheckResult(
        passed=found.passed, severity=severity, description=found.description, metadata=dict(found.figures)
    )


def _check(
    asset: dg.AssetsDefinition,
    name: str,
    description: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetChecksDefinition:
    """An asset check that looks at the database alone."""

    @dg.asset_check(asset=asset, name=name, description=description)
    def check(postgres: PostgresResource) -> dg.AssetCheckResult:
        return result_of(lambda: getattr(checks, name)(postgres.database), severity)

    return check


@dg.asset_check(asset=s3_objects)
def objects_match_catalogue(postgres: PostgresResource, object_store: ObjectStoreResource) -> dg.AssetCheckResult:
    """The newest 20 catalogued pictures are in the store with the size, type and SHA-256 that the catalogue says."""
    return result_of(
        lambda: checks.objects_match_catalogue(postgres.database, object_store.store), dg.AssetCheckSeverity.ERROR
    )


no_expired_lease = _check(
    prompts,
    "no_expired_lease",
    "No prompt is still claimed although its lease is over: every run returns or finishes what it takes.",
    dg.AssetCheckSeverity.WARN,  # the next run returns them
)
no_blank_picture = _check(
    s3_objects, "no_blank_picture", "None of the newest 20 pictures is blank: the gate before the store has held."
)
urls_are_public = _check(
    published_posts,
    "urls_are_public",
    "The picture URLs of the newest 1,000 posts are http(s), at most 500 characters, neither base64 nor relative.",
)
pictures_answer = _check(
    published_posts,
    "pictures_answer",
    "The newest 3 pictures answer to anybody, as they will to the blog's visitors.",
)
CHECKS = [no_expired_lease, objects_match_catalogue, no_blank_picture, urls_are_public, pictures_answer]
