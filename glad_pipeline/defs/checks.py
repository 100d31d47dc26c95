"""Asset checks: what must be true of each asset, looked at after every run. What is looked at: `operations.checks`."""

from collections.abc import Callable

import dagster as dg

from glad_pipeline.database import Database
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


def check_of(
    asset: dg.AssetsDefinition,
    look: Callable[[Database], Finding],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetChecksDefinition:
    """An asset check that looks at the database alone; it has the function's name and says what its docstring says."""

    @dg.asset_check(asset=asset, name=look.__name__, description=look.__doc__)
    def check(postgres: PostgresResource) -> dg.AssetCheckResult:
        return result_of(lambda: look(postgres.database), severity)

    return check


@dg.asset_check(asset=s3_objects, description=checks.objects_match_catalogue.__doc__)
def objects_match_catalogue(postgres: PostgresResource, object_store: ObjectStoreResource) -> dg.AssetCheckResult:
    return result_of(
        lambda: checks.objects_match_catalogue(postgres.database, object_store.store), dg.AssetCheckSeverity.ERROR
    )


no_expired_lease = check_of(prompts, checks.no_expired_lease, dg.AssetCheckSeverity.WARN)  # the next run returns them
no_blank_picture = check_of(s3_objects, checks.no_blank_picture)
urls_are_public = check_of(published_posts, checks.urls_are_public)
pictures_answer = check_of(published_posts, checks.pictures_answer)
CHECKS = [no_expired_lease, objects_match_catalogue, no_blank_picture, urls_are_public, pictures_answer]
