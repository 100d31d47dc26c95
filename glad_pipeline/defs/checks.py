"""Asset checks: what must be true of each asset, looked at after every run. Samples, so that a check stays cheap."""

from functools import partial

import dagster as dg

from glad_pipeline.defs.assets import prompts, published_posts, s3_objects
from glad_pipeline.defs.failures import clearly
from glad_pipeline.defs.resources import ObjectStoreResource, PostgresResource
from glad_pipeline.media.blank import fault_of
from glad_pipeline.prompts.queue import overdue
from glad_pipeline.publishing import catalogue
from glad_pipeline.publishing.posts import MAX_URL, bad_urls
from glad_pipeline.storage.public import fault_of_visit

SAMPLE = 20
VISITS = 3


@dg.asset_check(asset=prompts)
def no_expired_lease(postgres: PostgresResource) -> dg.AssetCheckResult:
    """No prompt is still claimed although its lease is over: every run returns or finishes what it takes."""
    with clearly():
        rows = postgres.database.read(overdue)
    return dg.AssetCheckResult(
        passed=not rows,
        severity=dg.AssetCheckSeverity.WARN,  # the next run returns them
        description=f"{len(rows)} prompts are held by runs that went silent" if rows else "every lease is alive",
        metadata={"prompts": [row["id"] for row in rows]},
    )


@dg.asset_check(asset=s3_objects)
def objects_match_catalogue(postgres: PostgresResource, object_store: ObjectStoreResource) -> dg.AssetCheckResult:
    """The newest 20 catalogued pictures are in the store with the size, type and SHA-256 that the catalogue says."""
    with clearly():
        rows = postgres.database.read(partial(catalogue.newest, limit=SAMPLE))
        objects = object_store.store.heads(row["key"] for row in rows)
    wrong = [
        row["key"]
        for row in rows
        if (stored := objects.get(row["key"])) is None
        or (stored.bytes, stored.content_type, stored.metadata.get("sha256"))
        != (row["bytes"], row["content_type"], row["sha256"])
    ]
    return dg.AssetCheckResult(
        passed=not wrong,
        description=f"{len(wrong)} of {len(rows)} looked at are missing or differ"
        if wrong
        else f"{len(rows)} looked at",
        metadata={"looked_at": len(rows), "wrong": wrong},
    )


@dg.asset_check(asset=s3_objects)
def no_blank_picture(postgres: PostgresResource) -> dg.AssetCheckResult:
    """None of the newest 20 pictures is blank: the gate before the store has held."""
    with clearly():
        rows = postgres.database.read(partial(catalogue.newest, limit=SAMPLE))
    blank = [row["key"] for row in rows if row["contrast"] is not None and fault_of(row["contrast"])]
    lowest = min((row["contrast"] for row in rows if row["contrast"] is not None), default=None)
    return dg.AssetCheckResult(
        passed=not blank,
        description=f"{len(blank)} of {len(rows)} looked at are blank" if blank else f"{len(rows)} looked at",
        metadata={"blank": blank, **({"lowest_contrast": lowest} if lowest is not None else {})},
    )


@dg.asset_check(asset=published_posts)
def urls_are_public(postgres: PostgresResource) -> dg.AssetCheckResult:
    """The picture URLs of the newest 1,000 posts are http(s), at most 500 characters, neither base64 nor relative."""
    with clearly():
        rows = postgres.database.read(partial(bad_urls, limit=1_000))
    return dg.AssetCheckResult(
        passed=not rows,
        description=f"{len(rows)} posts have a URL that is not http(s) or over {MAX_URL} characters" if rows else None,
        metadata={"posts": [row["slug"] for row in rows[:SAMPLE]]},
    )


@dg.asset_check(asset=published_posts)
def pictures_answer(postgres: PostgresResource) -> dg.AssetCheckResult:
    """The newest 3 pictures answer to anybody, as they will to the blog's visitors."""
    with clearly():
        rows = postgres.database.read(partial(catalogue.newest, limit=VISITS))
    silent = {row["url"]: fault for row in rows if (fault := fault_of_visit(row["url"]))}
    return dg.AssetCheckResult(
        passed=not silent,
        description="; ".join(f"{url}: {fault}" for url, fault in silent.items()) or f"{len(rows)} looked at",
        metadata={"looked_at": len(rows), "silent": list(silent)},
    )


CHECKS = [no_expired_lease, objects_match_catalogue, no_blank_picture, urls_are_public, pictures_answer]
