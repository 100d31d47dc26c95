"""The bucket: what the store does with a few small objects; and whether it is this database's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import not_tested, right, risk
from glad_pipeline.pipeline import identity
from glad_pipeline.storage.protocol import ObjectStore

LEFT_OVER = ".glad/probe-"  # of a look that was ended half way
OLD = timedelta(hours=1)  # after which nobody uses them
MANY = 20  # left over objects


def stale_under(prefix: str, bucket: ObjectStore) -> list[str]:
    """The keys of what is too old to be in use by another doctor or run."""
    now = datetime.now(UTC)
    return [each.key for each in bucket.listing(prefix) if (each.now or now) - each.modified > OLD]


def store(deployment: Deployment) -> Iterator[Diagnosis]:
    """Objects are put, read as they were, listed, copied and deleted."""
    bucket = deployment.store
    bucket.check()
    yield right("bucket", f"the bucket {bucket.bucket!r} at {bucket.place} answers")
    stale = stale_under(LEFT_OVER, bucket)
    if stale and deployment.fix:
        bucket.delete(stale)
        yield right("left over", f"removed {len(stale)} objects of looks that were ended half way")
    elif stale:
        text = f"{len(stale)} objects of looks that were ended half way are under {LEFT_OVER}…"
        yield risk("left over", text, "./glad doctor --fix removes them")
    if len(stale) >= MANY and not deployment.fix:  # they may be what the store does not delete
        yield not_tested("trial", "no more objects are put beside those that were left over")
    else:
        deployment.probed = bucket.probe()
        yield from deployment.probed.found
    if bucket.keeps_versions():
        yield risk(
            "versions",
            "the bucket keeps versions: pictures that are taken down stay as older ones",
            "add a lifecycle rule that expires noncurrent versions under generated/, or switch versioning off",
        )


def together(deployment: Deployment) -> Iterator[Diagnosis]:
    """The bucket belongs to this database, or neither knows another yet."""
    seen = identity.check(deployment.database, deployment.store)
    yield right("together", "bucket and database belong together" if seen.agree else "neither knows another yet")
    if seen.agree and deployment.probed is not None:
        identity.remember(deployment.database, deployment.probed.remembered(deployment.store.options_mark))
