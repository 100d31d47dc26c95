"""Asset checks: what must be true of each asset, looked at after every run. What is looked at: `operations.checks`.

Those of one asset are one step. A blocking one runs before the posts are written; it holds back the pictures it is
about, and only those.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import dagster as dg

from glad_pipeline.defs.failures import as_failure
from glad_pipeline.defs.names import Names, Resources
from glad_pipeline.defs.reports import put_aside, put_aside_is_named
from glad_pipeline.operations import checks
from glad_pipeline.operations.checks import Finding

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@dataclass(frozen=True)
class Check:
    """One of them."""

    look: Callable[[Resources], Finding]
    name: str
    description: str
    severity: dg.AssetCheckSeverity = ERROR
    blocking: bool = False
    then: Callable[[Resources, Finding], None] = lambda ours, found: None  # when Dagster has its result


CHECKS = {  # by asset
    "prompts": [
        Check(
            lambda ours: checks.no_expired_lease(ours.postgres.database),
            "no_expired_lease",
            "No prompt is still claimed although its lease is over: every run returns or finishes what it takes.",
            WARN,  # the next run returns them
        ),
        Check(
            lambda ours: checks.texts_are_drawn_as_meant(ours.postgres.database, ours.sdxl.prompt_syntax),
            "texts_are_drawn_as_meant",
            "Nothing in the newest 1,000 prompts was written for another tool and is drawn as letters, or was cut off.",
            WARN,  # they are drawn
        ),
    ],
    "s3_objects": [
        Check(
            lambda ours: checks.none_put_aside(put_aside(ours)),
            "no_prompt_put_aside",
            "No prompt was rejected or failed, by this run or by one that ended since this was looked at last.",
            WARN,  # the rows say why
            then=lambda ours, found: put_aside_is_named(ours, found.named),
        ),
        Check(
            lambda ours: checks.objects_match_catalogue(
                ours.postgres.database, ours.object_store.store, ours.queue.claim
            ),
            "objects_match_catalogue",
            "The newest 20 pictures are in the store with the size, type and SHA-256 that the catalogue says.",
            WARN,  # none of them becomes a post
            blocking=True,
        ),
        Check(
            lambda ours: checks.no_blank_picture(ours.postgres.database),
            "no_blank_picture",
            "None of the newest 20 pictures is blank: the gate before the store has held.",
            WARN,  # none of them becomes a post
            blocking=True,
        ),
    ],
    "published_posts": [
        Check(
            lambda ours: checks.urls_are_public(ours.postgres.database),
            "urls_are_public",
            "The picture URLs of the newest 1,000 posts are http(s), at most 500 characters and no data URLs.",
        ),
        Check(
            lambda ours: checks.pictures_answer(ours.postgres.database),
            "pictures_answer",
            "The newest 3 pictures answer to anybody, as they will to the blog's visitors.",
        ),
    ],
    "site_revalidations": [
        Check(
            lambda ours: checks.no_dead_message(ours.postgres.database),
            "no_dead_message",
            "No message to the site, the CDN or the bucket was given up.",
            WARN,  # the posts stand
        ),
    ],
}


NEEDS = dict.fromkeys(CHECKS, ("postgres",)) | {
    "prompts": ("postgres", "sdxl"),
    "s3_objects": ("postgres", "object_store", "queue", "image_store"),
}


def all_checks(names: Names) -> list[dg.AssetChecksDefinition]:
    return [_step(names, asset, of_one) for asset, of_one in CHECKS.items()]


def _step(names: Names, asset: str, of_one: list[Check]) -> dg.AssetChecksDefinition:
    key = names.key(asset)

    @dg.multi_asset_check(
        name="__".join([*key.path, "checks"]),
        specs=[
            dg.AssetCheckSpec(each.name, asset=key, description=each.description, blocking=each.blocking)
            for each in of_one
        ],
        required_resource_keys=set(map(names.of, NEEDS[asset])),
    )
    def look(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        for each in of_one:
            ours = names.resources(context)
            with as_failure():
                found = each.look(ours)
            if each.blocking:
                found = checks.together([*ours.ahead.findings.get(each.name, []), found])
            yield dg.AssetCheckResult(
                check_name=each.name,
                passed=found.passed,
                severity=each.severity,
                description=found.description,
                metadata={name: value for name, value in found.figures.items() if value not in ([], None)},
            )
            each.then(ours, found)

    return look
