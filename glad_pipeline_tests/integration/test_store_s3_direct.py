"""HEAD and PUT past most of boto3: the same requests, and whatever is not plainly answered is boto3's."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from botocore.awsrequest import AWSResponse
from botocore.credentials import Credentials
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session

from glad_pipeline.storage import s3_client
from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.storage.protocol import StoreError
from glad_pipeline.storage.s3 import S3Store
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests import gateways
from glad_pipeline_tests.gateways import Answer, Gateway

PICTURE = {"content_type": "image/png", "metadata": {"recipe-hash": "ab" * 32, "odd": " two  spaces and ~"}}
OF_BOTO3_ALONE = {"amz-sdk-invocation-id", "amz-sdk-request", "expect"}
OF_THE_MOMENT = {"authorization", "x-amz-date"}


@pytest.fixture
def sent(monkeypatch):
    """What botocore's session is given to send."""
    requests, send = [], URLLib3Session.send
    monkeypatch.setattr(URLLib3Session, "send", lambda self, one: requests.append(one) or send(self, one))
    return requests


@pytest.fixture
def store(s3):
    return S3Store(
        bucket=s3["AWS_S3_BUCKET"],
        endpoint_url=s3["AWS_ENDPOINT_URL_S3"],
        access_key_id=s3["AWS_ACCESS_KEY_ID"],
        secret_access_key=s3["AWS_SECRET_ACCESS_KEY"],
    )


@pytest.fixture
def before(s3):
    """A store behind a gateway that behaves so."""
    open_ones = []

    def make(*given, **more):
        open_ones.append(Gateway(s3, *given, **more).__enter__())
        gate = open_ones[-1]
        return S3Store(
            bucket=s3["AWS_S3_BUCKET"], endpoint_url=gate.url, access_key_id="AKIDNOBODY", secret_access_key="of nobody"
        )

    yield make
    for each in open_ones:
        each.__exit__()


def by_boto3(store):
    """The requests of a store that boto3 makes."""
    asked = []
    store.client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.method))
    return asked


def new_key():
    return f"{PREFIX}direct/{uuid.uuid4().hex}.png"


def test_what_is_plainly_answered_is_one_request_and_none_of_boto3(store, sent):
    key, asked = new_key(), by_boto3(store)
    assert store.head(key) is None
    assert store.put_once(key, b"a picture", **PICTURE) is True
    assert store.put_once(key, b"another", **PICTURE) is False
    found = store.head(key)
    assert (found.key, found.bytes, found.content_type) == (key, 9, "image/png")
    assert found.metadata["recipe-hash"] == "ab" * 32
    assert [one.method for one in sent] == ["HEAD", "PUT", "PUT", "HEAD"]
    assert asked == []
    assert store.fetch(key) == b"a picture"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"region": "eu-central-1", "session_token": "of an hour"},
        {"region": "cn-north-1"},
        {"bucket": "with.a.dot", "region": "us-west-2"},
        {"endpoint_url": "http://127.0.0.1:9000", "region": "anywhere"},
        {"endpoint_url": "https://store.example:8443/below", "addressing": "path"},
        {"endpoint_url": "https://store.example", "addressing": "virtual"},
        {"checksum": "md5", "acl": "public-read", "storage_class": "STANDARD_IA", "requester_pays": True},
        {"sse": "aws:kms", "kms_key": "alias/pictures"},
    ],
    ids=str,
)
def test_requests_are_those_of_boto3(monkeypatch, options):
    sent = []

    def send(self, request):
        sent.append(request)
        if len(sent) % 2:
            raise ConnectionClosedError(endpoint_url=request.url)  # boto3 asks again
        headers = {"ETag": '"1"', "Content-Length": "1", "Content-Type": "image/png", "x-amz-request-id": "1"}
        return AWSResponse(request.url, 200, headers, SimpleNamespace(stream=lambda: iter([b""])))

    monkeypatch.setattr(URLLib3Session, "send", send)
    store = S3Store(
        **{"bucket": "pictures", "access_key_id": "AKIDNOBODY", "secret_access_key": "of nobody", **options}
    )
    assert store.put_once(f"{PREFIX}ab/cd+e ~ü.png", b"a picture", **PICTURE) is True
    assert store.head(f"{PREFIX}ab/cd+e ~ü.png") is not None
    assert [one.method for one in sent] == ["PUT", "PUT", "HEAD", "HEAD"]
    for ours, boto3s in (sent[:2], sent[2:]):
        assert (ours.url, ours.body) == (boto3s.url, boto3s.body and boto3s.body.getvalue())
        assert headers_of(ours, without=OF_THE_MOMENT) == headers_of(boto3s, without=OF_THE_MOMENT | OF_BOTO3_ALONE)
        assert scope_of(ours) == scope_of(boto3s)


def headers_of(request, *, without):
    return {name.lower(): as_text(value) for name, value in request.headers.items() if name.lower() not in without}


def scope_of(request):
    """Who signs, for which day, region and service."""
    return as_text(request.headers["Authorization"]).partition(", ")[0]


def as_text(value):
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("trouble", [Answer(503), Answer(500), Answer(429)], ids=lambda answer: str(answer.status))
def test_a_store_in_trouble_is_asked_again_by_boto3_and_later_directly(before, trouble):
    answers = [trouble, None, trouble, None, None]
    store, key = before(lambda asked: answers.pop(0)), new_key()
    asked = by_boto3(store)
    assert store.put_once(key, b"a picture", **PICTURE) is True
    assert store.head(key).bytes == 9
    assert asked == ["PUT", "HEAD"]
    assert store.head(key).bytes == 9
    assert asked == ["PUT", "HEAD"]


def named(answer):
    code = answer.body.decode().partition("<Code>")[2].partition("<")[0]
    return f"{answer.status} {code}".rstrip()


PASSING = [
    gateways.error(400, "RequestTimeout", "Your socket connection was not read from within the timeout period"),
    Answer(408),
    gateways.error(400, "ExpiredToken", "The provided token has expired", x_amz_bucket_region="us-east-1"),
    gateways.error(403, "RequestTimeTooSkewed", "The difference is too large"),
    gateways.error(403, "AccessDenied", "not so"),
]


@pytest.mark.parametrize("refusal", PASSING, ids=named)
def test_after_a_refusal_that_may_pass_requests_go_directly_again(before, refusal):
    refusals = [refusal]
    store, key = before(lambda asked: refusals.pop() if refusals else None), new_key()
    asked = by_boto3(store)
    assert store.head(key) is None
    assert asked == ["HEAD"]
    assert store.put_once(key, b"a picture", **PICTURE) is True
    assert asked == ["HEAD"]


NORTH = "eu-north-1"
ELSEWHERE = [
    Answer(301),
    Answer(307, headers={"location": "http://127.0.0.1:1/"}),
    gateways.error(400, "IllegalLocationConstraintException", "an opt-in region", x_amz_bucket_region=NORTH),
    gateways.error(400, "AuthorizationHeaderMalformed", "the region is wrong", f"<Region>{NORTH}</Region>"),
]


@pytest.mark.parametrize("refusal", ELSEWHERE, ids=named)
def test_a_bucket_in_another_region_is_left_to_boto3_which_goes_there(before, sent, refusal):
    def behave(asked):
        if PREFIX not in asked.path:  # boto3 asks where the bucket is
            return Answer(200, headers={"x-amz-bucket-region": NORTH})
        return None if f"/{NORTH}/" in asked.headers["authorization"] else refusal

    store, key = before(behave), new_key()
    asked = by_boto3(store)
    assert store.put_once(key, b"a picture", **PICTURE) is True
    asked.clear()
    sent.clear()
    assert store.head(key).bytes == 9
    assert store.head(key).bytes == 9
    assert [one.method for one in sent] == asked == ["HEAD", "HEAD"]


def test_a_request_in_hand_goes_on_when_another_is_told_that_the_bucket_is_elsewhere(before, monkeypatch):
    moved = new_key()
    store = before(lambda asked: Answer(301, headers={"x-amz-bucket-region": NORTH}) if moved in asked.path else None)
    key = new_key()
    assert store.put_once(key, b"a picture", **PICTURE) is True
    in_hand, told, frozen = threading.Event(), threading.Event(), Credentials.get_frozen_credentials

    def get(self):
        if not in_hand.is_set():
            in_hand.set()
            assert told.wait(20)
        return frozen(self)

    monkeypatch.setattr(Credentials, "get_frozen_credentials", get)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(store.head, key)
        assert in_hand.wait(20)
        with pytest.raises(StoreError, match="region"):
            store.head(moved)
        told.set()
        assert found.result().bytes == 9


ERRORS = [
    gateways.error(200, "InternalError", "We encountered an internal error. Please try again."),
    Answer(200, b'{"error": "out of space"}', {"content-type": "application/json"}),
    Answer(201, b"<Error><Code>InternalError"),
]


@pytest.mark.parametrize("trouble", ERRORS, ids=named)
def test_a_success_with_an_error_in_its_body_is_none(before, trouble):
    errors = [trouble]
    store, key = before(lambda asked: errors.pop() if errors and asked.writes else None), new_key()
    assert store.put_once(key, b"a picture", **PICTURE) is True
    assert store.fetch(key) == b"a picture"


@pytest.mark.parametrize("status", [201, 202, 204])
def test_any_success_without_a_body_is_one(before, status):
    def spoil(asked, answer):
        answer.status = status if asked.writes else answer.status

    store, key = before(spoil=spoil), new_key()
    asked = by_boto3(store)
    assert store.put_once(key, b"a picture", **PICTURE) is True
    assert asked == []
    assert store.fetch(key) == b"a picture"


def spoiled(asked, answer):
    if asked.writes and answer.status == 200:
        answer.status, answer.body = 500, b""


def test_a_write_whose_answer_says_500_is_asked_again_and_found_to_be_taken(before):
    store, key = before(spoil=spoiled), new_key()
    asked = by_boto3(store)
    assert store.put_once(key, b"a picture", **PICTURE) is False
    assert asked == ["PUT"]
    assert store.fetch(key) == b"a picture"


def test_a_write_whose_answer_is_lost_is_asked_again_and_found_to_be_taken(store, monkeypatch):
    sent, send = [], URLLib3Session.send

    def lose(self, request):
        sent.append(request.method)
        answer = send(self, request)
        if len(sent) == 1:
            raise ConnectionClosedError(endpoint_url=request.url)
        return answer

    monkeypatch.setattr(URLLib3Session, "send", lose)
    key, asked = new_key(), by_boto3(store)
    assert store.put_once(key, b"a picture", **PICTURE) is False
    assert (sent, asked) == (["PUT", "PUT"], ["PUT"])
    assert store.fetch(key) == b"a picture"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"bucket": "pictures"}, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ({"bucket": "pict ures", "access_key_id": "i", "secret_access_key": "k"}, "Invalid bucket name"),
    ],
    ids=["no credentials", "no bucket"],
)
def test_what_no_request_can_be_made_of_is_explained_when_one_is_made(monkeypatch, options, words):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    store = S3Store(**options)
    assert store.known() is None
    for ask in (
        store.check,
        lambda: store.head(new_key()),
        lambda: store.put_once(new_key(), b"a picture", **PICTURE),
    ):
        with pytest.raises(StoreError, match=words):
            ask()


def test_a_page_in_the_store_s_place_is_no_answer(before):
    store = before(lambda asked: Answer(200, b"<html>Log in</html>", {"content-type": "text/html"}))
    for ask in (lambda: store.head(new_key()), lambda: store.put_once(new_key(), b"a picture", **PICTURE)):
        with pytest.raises(StoreError, match="a proxy or login page answers"):
            ask()


def test_a_store_with_another_patience_asks_over_the_same_connections(store, sent):
    store.check()
    other = store.with_patience(3.0).with_patience(0.0)
    assert other.outage is not store.outage
    assert other.client is store.client
    assert store.neighbour("another", store.place).client is not store.client


def test_a_run_asks_twice_for_a_picture_and_opens_connections_once(world, sent, monkeypatch):
    opened, real = [], s3_client.client_of
    monkeypatch.setattr(s3_client, "client_of", lambda *given, **more: opened.append(1) or real(*given, **more))
    count = 150  # in several slices
    for n in range(count):
        world.add(f"a hill {n}", title=f"Hill {n}")
    world.run(sdxl=InstantSdxl())
    methods = [one.method for one in sent if f"/{PREFIX}" in one.url]
    assert methods.count("PUT") == count
    assert count <= methods.count("HEAD") + methods.count("GET") <= count * 1.5
    assert len(opened) <= 2
