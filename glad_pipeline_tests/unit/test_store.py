"""Stores without a server: how long one is waited for, which errors may pass, what is opened and at which URL."""

import time

import pytest
from botocore.exceptions import ClientError

from glad_pipeline.errors import UsageError
from glad_pipeline.settings import Settings
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.options import StoreOptions
from glad_pipeline.storage.protocol import Outage, StoreError
from glad_pipeline.storage.s3 import S3Store, _hex
from glad_pipeline.storage.s3_errors import may_pass

GIVEN = {"bucket": "b", "access_key_id": "a", "secret_access_key": "seekrit"}


def test_a_host_that_does_not_exist_is_a_mistake_and_not_waited_for():
    with pytest.raises(StoreError, match="AWS_ENDPOINT_URL_S3") as error:
        S3Store(**GIVEN, endpoint_url="http://no-such-host.invalid:9", patience=1_000).check()
    assert not error.value.transient


@pytest.mark.parametrize(("status", "passes"), [(501, False), (500, True), (503, True), (507, True)])
def test_what_a_store_cannot_do_at_all_is_not_waited_for(status, passes):
    answer = {"Error": {"Code": "NotImplemented"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    assert may_pass(ClientError(answer, "PutObject")) is passes


def test_nobody_waits_for_a_store_once_the_run_ends():
    outage = Outage(1_000)
    outage.give_up()
    with pytest.raises(StoreError, match="away"):
        outage.wait(StoreError("away", transient=True), time.monotonic())


def test_a_request_that_is_never_answered_is_given_up_although_others_are():
    outage, tries = Outage(0.2), []

    def always_refused(began):
        for _ in range(50):
            outage.wait(StoreError("500 for this key", transient=True), began)
            outage.over()  # somebody else was answered
            tries.append(1)

    with pytest.raises(StoreError, match="500 for this key"):
        always_refused(time.monotonic())
    assert tries


@pytest.mark.parametrize(
    ("checksum", "digits"),
    [(None, None), ("", None), ("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=-3", None), ("AAAA", None)],
)
def test_a_checksum_of_parts_or_of_nothing_is_no_sha256(checksum, digits):
    assert _hex(checksum) == digits
    assert _hex("LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=")[:8] == "2cf24dba"


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"AWS_S3_REGION": "eu-north-1"}, "https://pictures.s3.eu-north-1.amazonaws.com/generated/a.png"),
        ({"AWS_ENDPOINT_URL_S3": "http://minio:9000/"}, "http://minio:9000/pictures/generated/a.png"),
        ({"AWS_CLOUDFRONT_DOMAIN": "cdn.example"}, "https://cdn.example/generated/a.png"),
        ({"GLAD_PUBLIC_BASE_URL": "https://img.example/p/"}, "https://img.example/p/generated/a.png"),
    ],
    ids=["AWS", "endpoint", "CloudFront", "base"],
)
def test_the_store_that_the_settings_name_is_opened_with_its_public_address(changes, url):
    store = open_store(Settings(AWS_S3_BUCKET="pictures", _env_file=None, **changes), patience=3)
    assert (store.bucket, store.patience, store.url("generated/a.png")) == ("pictures", 3, url)


def test_credentials_reach_the_store_and_are_not_in_its_representation():
    settings = Settings(
        AWS_S3_BUCKET="b",
        AWS_ACCESS_KEY_ID="a",
        AWS_SECRET_ACCESS_KEY="seekrit",
        AWS_SESSION_TOKEN="tokken",
        _env_file=None,
    )
    store = open_store(settings)
    credentials = store.client._request_signer._credentials
    assert (credentials.access_key, credentials.secret_key, credentials.token) == ("a", "seekrit", "tokken")
    for told in (repr(store), repr(StoreOptions.of(settings))):
        assert "seekrit" not in told
        assert "tokken" not in told


def test_settings_without_a_store_say_what_to_set():
    with pytest.raises(UsageError, match="AWS_S3_BUCKET"):
        open_store(Settings(_env_file=None))


def test_on_aws_the_credentials_reach_every_region_and_elsewhere_only_the_same_endpoint():
    aws = S3Store(**GIVEN, region="us-east-1")
    there = aws.neighbour("other", "AWS eu-north-1")
    assert (there.bucket, there.region, there.place) == ("other", "eu-north-1", "AWS eu-north-1")
    assert aws.neighbour("other", "http://minio:9000") is None
    minio = S3Store(**GIVEN, endpoint_url="http://minio:9000")
    assert minio.neighbour("other", "http://minio:9000").bucket == "other"
    assert minio.neighbour("other", "AWS eu-north-1") is None
