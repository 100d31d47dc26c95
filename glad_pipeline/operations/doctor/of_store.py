"""The bucket: what the store does with a few small objects; and whether it is this database's."""

from __future__ import annotations

from collections.abc import Iterator

from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import right, risk
from glad_pipeline.pipeline import identity

LEFT_OVER = ".glad/probe-"  # of a look that was ended half way


def store(deployment: Deployment) -> Iterator[Diagnosis]:
    """Objects are put, read as they were, listed, copied and deleted."""
    bucket = deployment.store
    bucket.check()
    yield right("bucket", f"the bucket {bucket.bucket!r} at {bucket.place} answers")
    stale = [listed.key for listed in bucket.listing(LEFT_OVER)]
    deployment.probed = bucket.probe()
    yield from deployment.probed.found
    if bucket.keeps_versions():
        yield risk(
            "versions",
            "the bucket keeps versions: pictures that are taken down stay as older ones",
            "add a lifecycle rule that expires noncurrent versions under generated/, or switch versioning off",
        )
    if stale and deployment.fix:
        bucket.delete(stale)
        yield right("left over", f"removed {len(stale)} objects of looks that were ended half way")
    elif stale:
        text = f"{len(stale)} objects of looks that were ended half way are under {LEFT_OVER}…"
        yield risk("left over", text, "./glad doctor --fix removes them")


def together(deployment: Deployment) -> Iterator[Diagnosis]:
    """The bucket belongs to this database, or neither knows another yet."""
    seen = identity.check(deployment.database, deployment.store)
    yield right("together", "bucket and database belong together" if seen.agree else "neither knows another yet")
    if seen.agree and deployment.probed is not None:
        identity.remember(deployment.database, deployment.probed.remembered(deployment.store.options_mark))
