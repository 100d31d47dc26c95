"""`S3Store` on the embedded S3 server: the contract of all stores, and what is S3's alone."""

import hashlib
import uuid
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.storage import s3 as s3_room
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline_tests.door import Door
from glad_pipeline_tests.integration.store_contract import Place, StoreContract


class S3Place(Place):
    settings = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

    def __init__(self, environment, bucket):
        self.door = Door(environment["AWS_ENDPOINT_URL_S3"])
        self._store = S3Store(
            bucket=bucket,
            endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
            access_key_id=environment["AWS_ACCESS_KEY_ID"],
            secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        )

    def store(self):
        return replace(self._store, _shared={})  # a client of its own, for hooks of one test

    def behind_door(self, *, patience=0.0):
        return replace(self._store, endpoint_url=self.door.url, patience=patience)

    def with_wrong_credentials(self):
        secret = f"wrong-{uuid.uuid4().hex}"
        return replace(self._store, secret_access_key=secret), secret


@pytest.fixture(scope="module")
def place(stack):
    server = S3Server(Home(Path(stack["GLAD_HOME"])))
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    server.prepare_bucket(bucket)
    place = S3Place(stack, bucket)
    yield place
    place.door.shut()
    with suppress(ClientError):
        server.client().delete_bucket(Bucket=bucket)


class TestS3Store(StoreContract):
    """The contract."""


KEY = "generated/of-s3-alone/{}.png"


def test_an_object_that_was_damaged_on_the_way_is_not_taken(place, monkeypatch):
    store, key = place.store(), KEY.format(uuid.uuid4().hex)
    monkeypatch.setattr(s3_room.hashlib, "sha256", lambda data: hashlib.new("sha256", data[:-1]))
    with pytest.raises(StoreError, match="damaged"):
        store.put_once(key, b"a picture", content_type="image/png", metadata={})
    monkeypatch.undo()
    assert store.head(key) is None


def test_the_sha256_of_an_object_that_others_put_without_a_checksum_is_computed(place):
    store, key = place.store(), KEY.format(uuid.uuid4().hex)
    store.client.put_object(Bucket=store.bucket, Key=key, Body=b"a picture")
    head = store.client.head_object(Bucket=store.bucket, Key=key, ChecksumMode="ENABLED")
    assert "ChecksumSHA256" not in head
    assert store.sha256(key) == hashlib.sha256(b"a picture").hexdigest()


def test_of_a_store_that_has_kept_a_checksum_no_bytes_are_asked(place):
    store, key, asked = place.store(), KEY.format(uuid.uuid4().hex), []
    store.put_once(key, b"a picture", content_type="image/png", metadata={})
    store.client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.method))
    assert store.sha256(key) == hashlib.sha256(b"a picture").hexdigest()
    assert asked == ["HEAD"]


def test_the_start_of_an_object_is_one_request_of_that_many_bytes(place):
    store, key, asked = place.store(), KEY.format(uuid.uuid4().hex), []
    store.put_once(key, b"a picture", content_type="image/png", metadata={})
    store.client.meta.events.register(
        "before-send.s3", lambda request, **_: asked.append((request.method, request.headers["Range"]))
    )
    store.start(key, 5)
    assert asked == [("GET", b"bytes=0-4")]


def test_a_bucket_that_keeps_versions_says_so(place):
    store = place.store()
    bucket = f"{store.bucket}-v"
    store.client.create_bucket(Bucket=bucket)
    try:
        versioned = store.neighbour(bucket, store.place)
        assert versioned.keeps_versions() is False
        store.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        assert versioned.keeps_versions() is True
    finally:
        store.client.delete_bucket(Bucket=bucket)
