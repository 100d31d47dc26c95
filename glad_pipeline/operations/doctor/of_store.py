"""The bucket: written to, read, deleted from; and whether it is this database's."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import right, risk, wrong
from glad_pipeline.pipeline import identity
from glad_pipeline.storage.protocol import ObjectStore

PREFIX = ".glad/doctor-"  # of objects that visitors cannot read
BODY = b"written and removed by glad doctor"
FACTS = {"made-by": "glad doctor"}


def store(deployment: Deployment) -> Iterator[Diagnosis]:
    """An object is put, read, found as it was, and deleted."""
    bucket = deployment.store
    bucket.check()
    yield right("bucket", f"the bucket {bucket.bucket!r} at {bucket.place} answers")
    key = f"{PREFIX}{uuid4().hex}"
    try:
        yield from _write_and_read(bucket, key)
    finally:
        bucket.delete([key])
    if bucket.head(key) is not None:
        cure = "allow s3:DeleteObject: takedowns and the audit's repairs need it"
        yield wrong("delete", f"{key} is still there after it was deleted", cure)
    else:
        yield right("delete", "what is deleted is gone")
    if bucket.keeps_versions():
        yield risk(
            "versions",
            "the bucket keeps versions: pictures that are taken down stay as older ones",
            "add a lifecycle rule that expires noncurrent versions under generated/, or switch versioning off",
        )
    if stale := [listed.key for listed in bucket.listing(PREFIX) if listed.key != key]:
        if deployment.fix:
            bucket.delete(stale)
            yield right("left over", f"removed {len(stale)} objects of doctors that were ended")
        else:
            cure = "./glad doctor --fix removes them"
            yield risk("left over", f"{len(stale)} objects of doctors that were ended are under {PREFIX}…", cure)


def _write_and_read(bucket: ObjectStore, key: str) -> Iterator[Diagnosis]:
    written = bucket.put_once(key, BODY, content_type="text/plain", metadata=FACTS)
    found, body = bucket.head(key), bucket.fetch(key)
    if not written or found is None or body != BODY:
        cure = "see that no proxy or gateway stands between, and the store's log"
        yield wrong("write", f"{key} was put and is not there as it was put", cure)
        return
    yield right("write", "an object was put and read back as it was")
    if {name.lower(): value for name, value in found.metadata.items()}.get("made-by") != FACTS["made-by"]:
        cure = "configure the gateway to keep user metadata (x-amz-meta-…): the catalogue is rebuilt from it"
        yield wrong("metadata", "the store drops the metadata of objects", cure)
    if bucket.put_once(key, b"other", content_type="text/plain", metadata=FACTS):
        cure = "use a store that honours If-None-Match, and one without a proxy that strips it"
        yield wrong("write once", "the store overwrites an object although it is asked not to (If-None-Match)", cure)


def together(deployment: Deployment) -> Iterator[Diagnosis]:
    """The bucket belongs to this database, or neither knows another yet."""
    identity.check(deployment.database, deployment.store)
    yield right("together", "bucket and database belong together")
