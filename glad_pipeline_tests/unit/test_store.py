"""Stores without a server: how long one is waited for, which errors may pass, what is opened and at which URL."""

import re
import time
from dataclasses import fields

import pytest
from botocore.exceptions import ClientError

from glad_pipeline.errors import UsageError
from glad_pipeline.local import stack
from glad_pipeline.redaction import hide_url
from glad_pipeline.settings import Settings, settings_of
from glad_pipeline.storage.keys import is_private
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.options import KINDS, S3Options, named_in_words, naming_variable, options_of
from glad_pipeline.storage.protocol import Outage, StoreError
from glad_pipeline.storage.s3 import S3Store, _hex
from glad_pipeline.storage.s3_client import _resolved
from glad_pipeline.storage.s3_errors import NoStoreError, may_pass, refuse_pages

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


@pytest.mark.parametrize(
    ("options", "environment", "base"),
    [
        ({"region": "us-east-1"}, {}, "https://pictures.s3.us-east-1.amazonaws.com"),
        ({"region": "cn-north-1"}, {}, "https://pictures.s3.cn-north-1.amazonaws.com.cn"),
        ({"region": "us-gov-west-1"}, {}, "https://pictures.s3.us-gov-west-1.amazonaws.com"),
        (
            {"bucket": "img.example.com", "region": "eu-central-1"},
            {},
            "https://s3.eu-central-1.amazonaws.com/img.example.com",
        ),
        ({"region": "eu-central-1", "addressing": "path"}, {}, "https://s3.eu-central-1.amazonaws.com/pictures"),
        ({"endpoint_url": "https://s3.example.net", "addressing": "virtual"}, {}, "https://pictures.s3.example.net"),
        (
            {"region": "us-east-1"},
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            "https://pictures.s3-fips.us-east-1.amazonaws.com",
        ),
        (
            {"region": "eu-west-1"},
            {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
            "https://pictures.s3.dualstack.eu-west-1.amazonaws.com",
        ),
    ],
    ids=["us-east-1", "China", "GovCloud", "dots", "path", "virtual elsewhere", "FIPS", "dual-stack"],
)
def test_visitors_are_sent_where_boto3_finds_the_bucket(monkeypatch, options, environment, base):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    _resolved.cache_clear()  # a process has one environment
    store = S3Store(**{**GIVEN, "bucket": "pictures", **options})
    assert store.url("generated/a.png") == f"{base}/generated/a.png"
    _resolved.cache_clear()


def test_a_proxy_and_certificates_that_are_not_there_are_named_by_their_settings_without_a_password(tmp_path):
    hide_url("http://anna:pass-of-anna@127.0.0.1:9")
    proxied = S3Store(**GIVEN, endpoint_url="http://s3.example.net", proxy_url="http://anna:pass-of-anna@127.0.0.1:9")
    with pytest.raises(StoreError, match="GLAD_S3_PROXY_URL") as error:
        proxied.check()
    assert error.value.transient
    assert "pass-of-anna" not in str(error.value)
    assert "pass-of-anna" not in repr(proxied)
    with pytest.raises(StoreError, match=r"AWS_CA_BUNDLE is '.*none\.pem', and there is no such file"):
        S3Store(**GIVEN, ca_bundle=str(tmp_path / "none.pem")).check()


def test_every_way_of_asking_is_set_by_a_variable():
    ways = {
        "GLAD_S3_ADDRESSING": "virtual",
        "GLAD_S3_CHECKSUM": "md5",
        "GLAD_S3_SSE": "aws:kms",
        "GLAD_S3_KMS_KEY": "arn:aws:kms:eu-central-1:1:key/2",
        "GLAD_S3_REQUESTER_PAYS": "true",
        "GLAD_S3_ACL": "bucket-owner-full-control",
        "GLAD_S3_STORAGE_CLASS": "STANDARD_IA",
        "AWS_CA_BUNDLE": "/etc/ours.pem",
        "GLAD_S3_PROXY_URL": "http://proxy:3128",
    }
    plain, changed = (options_of(settings_of({"AWS_S3_BUCKET": "b", **more})) for more in ({}, ways))
    told = {each.name for each in fields(S3Options) if getattr(plain, each.name) != getattr(changed, each.name)}
    assert told == {
        "addressing",
        "checksum",
        "sse",
        "kms_key",
        "requester_pays",
        "acl",
        "storage_class",
        "ca_bundle",
    } | {"proxy_url"}
    for wrong in ({"GLAD_S3_KMS_KEY": "k"}, {"GLAD_S3_KMS_KEY": "k", "GLAD_S3_SSE": "AES256"}):
        with pytest.raises(UsageError, match="GLAD_S3_SSE is not aws:kms"):
            settings_of({"AWS_S3_BUCKET": "b", **wrong})
    with pytest.raises(UsageError, match="GLAD_S3_PROXY_URL"):
        settings_of({"GLAD_S3_PROXY_URL": "proxy:3128"})


def test_a_page_in_the_store_s_place_is_known_from_the_store_s_own_answers():
    def answer(status, body, **headers):
        headers = {"content-type": "text/html", **{name.replace("_", "-"): value for name, value in headers.items()}}
        return {"headers": headers, "status_code": status, "body": body}

    for page in (answer(200, b"<html>Log in"), answer(302, b""), answer(500, b"<html>Log in")):
        with pytest.raises(NoStoreError):
            refuse_pages(page)
    for own in (
        answer(200, b"<html>", etag='"1"'),
        answer(200, b"<html>", x_amz_request_id="1"),
        answer(502, b"<html>502 Bad Gateway"),
        answer(500, b"<html>500 Internal Server Error"),
        answer(500, b""),  # of a HEAD
        answer(200, b"<xml/>", content_type="application/xml"),
    ):
        refuse_pages(own)


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
    for told in (repr(store), repr(options_of(settings))):
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


# --- which store it is -------------------------------------------------------------------------------------------------

S3, SUPABASE = {"AWS_S3_BUCKET": "b"}, {"SUPABASE_URL": "https://p.supabase.co", "SUPABASE_KEY": "sb_secret_x"}
FOLDER = {"GLAD_VOLUME": "/data/images/", "GLAD_PUBLIC_BASE_URL": "https://img.example.com"}


@pytest.mark.parametrize(
    ("given", "kind", "bucket"),
    [
        ({}, None, None),
        (S3, "s3", "b"),
        (SUPABASE, "supabase", "images"),
        (SUPABASE | {"GLAD_SUPABASE_BUCKET": "blog"}, "supabase", "blog"),
        (FOLDER, "volume", "/data/images"),
        (S3 | FOLDER | {"GLAD_STORE": "volume"}, "volume", "/data/images"),
        (S3 | FOLDER | SUPABASE | {"GLAD_STORE": "s3"}, "s3", "b"),
        ({"GLAD_STORE": "volume"}, "volume", None),  # `./glad` has a folder for it
    ],
)
def test_the_store_is_the_one_that_is_set_or_that_glad_store_names(given, kind, bucket):
    settings = settings_of(given)
    assert settings.store_kind == kind
    assert settings.names_store is (bucket is not None)
    if bucket:
        assert (options_of(settings).bucket, type(options_of(settings))) == (bucket, KINDS[kind])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (S3 | FOLDER, "AWS_S3_BUCKET and GLAD_VOLUME are set, .*set GLAD_STORE .*s3 or volume"),
        (S3 | SUPABASE | FOLDER, "AWS_S3_BUCKET and SUPABASE_URL and GLAD_VOLUME are set"),
        (S3 | {"GLAD_STORE": "supabase"}, "GLAD_STORE is supabase and SUPABASE_URL is not set"),
        ({"GLAD_STORE": "s3"}, "GLAD_STORE is s3 and AWS_S3_BUCKET is not set"),
        ({"GLAD_STORE": "volume", "GLAD_PUBLIC_BASE_URL": "https://img.example.com"}, "GLAD_VOLUME is not set"),
        ({"GLAD_STORE": "ftp"}, "GLAD_STORE is 'ftp'.*'s3', 'supabase' or 'volume'"),
        ({"SUPABASE_URL": "https://p.supabase.co"}, "SUPABASE_KEY is not"),
        ({"GLAD_VOLUME": "images"}, "GLAD_VOLUME.*absolute path"),
        (FOLDER | {"GLAD_PUBLIC_BASE_URL": "/images"}, "GLAD_PUBLIC_BASE_URL"),
    ],
)
def test_two_stores_or_half_a_one_are_refused_with_the_names(given, told):
    with pytest.raises(UsageError, match=told) as error:
        settings_of(given)
    assert "sb_secret" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"SUPABASE_KEY": "sb_secret_hidden"}, "SUPABASE_KEY is set but SUPABASE_URL is not. Set SUPABASE_URL"),
        ({"GLAD_SUPABASE_BUCKET": "pictures"}, "GLAD_SUPABASE_BUCKET is set but SUPABASE_URL is not"),
        ({"AWS_CLOUDFRONT_DOMAIN": "d1.cloudfront.net"}, "AWS_CLOUDFRONT_DOMAIN is set to .* but AWS_S3_BUCKET is not"),
        (S3 | {"SUPABASE_KEY": "sb_secret_hidden"}, None),  # the blog's own
        (S3 | {"AWS_ACCESS_KEY_ID": "a"}, "AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not"),
        ({}, None),
    ],
)
def test_a_store_that_is_named_by_half_is_told_and_no_other_takes_its_place(given, told):
    settings = settings_of(given)
    if told is None:
        stack.check(settings)
        return
    with pytest.raises(UsageError, match=told) as error:
        stack.check(settings)
    assert "hidden" not in str(error.value)


def test_a_folder_needs_the_address_at_which_it_is_shown():
    with pytest.raises(UsageError, match=r"GLAD_PUBLIC_BASE_URL is not: set it to the address .*/data/images/public"):
        options_of(settings_of({"GLAD_VOLUME": "/data/images"}))


@pytest.mark.parametrize(
    ("bucket", "place", "told"),
    [
        ("b", "AWS eu-central-1", "AWS_S3_BUCKET=b AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…"),
        ("b", "https://s3.example.com", "AWS_ENDPOINT_URL_S3=https://s3.example.com"),
        ("/data/images", "volume", "GLAD_VOLUME=/data/images"),
        (
            "images",
            "Supabase https://p.supabase.co",
            "SUPABASE_URL=https://p.supabase.co .*GLAD_SUPABASE_BUCKET=images",
        ),
    ],
)
def test_where_a_picture_lies_is_said_by_the_settings_that_lead_there(bucket, place, told):
    assert re.search(told, named_in_words(bucket, place))
    assert told.startswith(naming_variable(place)) or naming_variable(place) == "AWS_S3_BUCKET"


@pytest.mark.parametrize(
    ("key", "private"),
    [("generated/ab/x.png", False), ("quarantine/generated/x.png", True), (".glad/deployment.json", True), ("x", True)],
)
def test_a_key_says_by_its_name_who_may_read_it(key, private):
    assert is_private(key) is private
