"""Asset checks: what must be true of each asset, looked at after every run. What is looked at: `operations.checks`.

A blocking one runs before the posts are written. It holds back the pictures it is about, and only those.
"""

from collections.abc import Callable

import dagster as dg

from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.names import Names, Resources
from glad_pipeline.operations import checks
from glad_pipeline.operations.checks import Finding

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def _check(
    names: Names,
    asset: str,
    look: Callable[[Resources], Finding],
    description: str,
    severity: dg.AssetCheckSeverity = ERROR,
    *,
    needs: tuple[str, ...] = ("postgres",),
    name: str,
    blocking: bool = False,
) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=names.key(asset),
        name=name,
        description=description,
        required_resource_keys=set(map(names.of, needs)),
        blocking=blocking,
    )
    def check(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        with clearly():
            found = look(names.resources(context))
        return dg.AssetCheckResult(
            passed=found.passed, severity=severity, description=found.description, metadata=dict(found.figures)
        )

    return check


def all_checks(names: Names) -> list[dg.AssetChecksDefinition]:
    both = ("postgres", "object_store")
    return [
        _check(
            names,
            "prompts",
            lambda ours: checks.no_expired_lease(ours.postgres.database),
            "No prompt is still claimed although its lease is over: every run returns or finishes what it takes.",
            WARN,  # the next run returns them
            name="no_expired_lease",
        ),
        _check(
            names,
            "s3_objects",
            lambda ours: checks.objects_match_catalogue(ours.postgres.database, ours.object_store.store),
            "The newest 20 pictures are in the store with the size, type and SHA-256 that the catalogue says.",
            WARN,  # none of them becomes a post
            needs=both,
            name="objects_match_catalogue",
            blocking=True,
        ),
        _check(
            names,
            "s3_objects",
            lambda ours: checks.no_blank_picture(ours.postgres.database),
            "None of the newest 20 pictures is blank: the gate before the store has held.",
            WARN,  # none of them becomes a post
            name="no_blank_picture",
            blocking=True,
        ),
        _check(
            names,
            "published_posts",
            lambda ours: checks.urls_are_public(ours.postgres.database),
            "The picture URLs of the newest 1,000 posts are http(s), at most 500 characters and no data URLs.",
            name="urls_are_public",
        ),
        _check(
            names,
            "published_posts",
            lambda ours: checks.pictures_answer(ours.postgres.database),
            "The newest 3 pictures answer to anybody, as they will to the blog's visitors.",
            name="pictures_answer",
        ),
        _check(
            names,
            "site_revalidations",
            lambda ours: checks.no_dead_message(ours.postgres.database),
            "No message to the site, the CDN or the bucket was given up.",
            WARN,  # the posts stand
            name="no_dead_message",
        ),
    ]
