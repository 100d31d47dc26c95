"""How much one caller may send, and how often."""

import asyncio
import json
import socket
import time
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import APIRouter, Response

from glad_pipeline.gateway import bounds, connections, rates
from glad_pipeline.gateway.problems import Problem, answer
from glad_pipeline.gateway.rates import Rate, Rates, rate_of
from glad_pipeline_tests.gateway.conftest import raw, served
from glad_pipeline_tests.gateway.test_guard import key_of

SESSION = "/api/studio/session"
POST = "POST /api/studio/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


def test_a_body_is_read_as_far_as_its_limit_whatever_it_says_of_itself(gateway, monkeypatch):
    long = b'{"key": "' + b"x" * 1_100_000 + b'"}'
    declared = raw(gateway, f"{POST}Content-Length: {len(long)}\r\n", long[:10])
    assert declared.startswith("HTTP/1.1 413")
    assert '"detail": "the body is longer than 1,048,576 bytes"' in declared
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    chunked = raw(gateway, f"{POST}Transfer-Encoding: chunked\r\n", chunk + b"10\r\n" + b"x" * 16 + b"\r\n0\r\n\r\n")
    assert chunked.startswith("HTTP/1.1 413")
    for encoding in ("gzip", "br", "deflate, gzip", "GZIP"):
        packed = raw(gateway, f"{POST}Content-Encoding: {encoding}\r\nContent-Length: 3\r\n", b"abc")
        assert packed.startswith("HTTP/1.1 415"), encoding
    monkeypatch.setattr(bounds, "BODY_SECONDS", 0.3)
    began = time.monotonic()
    assert raw(gateway, f"{POST}Content-Length: 20\r\n", b'{"key"').startswith("HTTP/1.1 408")
    assert time.monotonic() - began < 5


def test_a_body_that_cannot_be_read_is_a_mistake_of_the_client(client_with):
    client = client_with()
    for body, told in (
        (b"[" * 200_000, "nested too deeply"),
        (b'{"key":' + b'{"a":' * 100_000, "nested too deeply"),
        (b"\xff\xfe", "JSON"),
        (b'{"key": "\xff"}', "not in UTF-8"),
        (b'{"key": ' + b"9" * 5_000 + b"}", "digits"),
        (b"{", "JSON"),
        (b"", "required"),
        (b'{"key": NaN}', "string"),
        (b'{"key": "\\ud800", "\\udfff": 1}', "unicode"),
        (b"{" + b",".join(b'"%d": 1' % n for n in range(20_000)) + b"}", "more"),
        (b'{"' + b"k" * 500_000 + b'": 1}', "Extra"),
    ):
        refused = client.post(SESSION, content=body, headers={"Content-Type": "application/json"})
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json"), body[:20]
        assert told in refused.json()["detail"], body[:20]
        assert len(refused.content) < 10_000, body[:20]


def test_half_a_surrogate_pair_that_somebody_is_told_is_no_fault_of_ours():
    told = answer(Problem(422, "there is no post \ud83d"))
    assert json.loads(told.body)["detail"] == "there is no post ?"


def test_an_address_and_a_key_may_ask_so_often_and_are_told_when_again(client_with, settings):
    few = settings.model_copy(update={"gateway_rate": "3/hour", "gateway_key_rate": "5/hour"})
    keys = [key_of(client_with("read")) for _ in range(2)]
    with served(few) as address, httpx2.Client(base_url=address) as client:
        assert [client.get("/nowhere").status_code for _ in range(4)] == [404, 404, 404, 429]
        refused = client.get("/nowhere")
        assert 1_000 < int(refused.headers["retry-after"]) <= 1_200
        assert refused.headers["content-type"] == "application/problem+json"
        assert client.get("/healthz").status_code == 200  # a probe is asked for by whom it is of use
        shown = {"Authorization": f"Bearer {keys[0]}"}
        assert [client.get("/api/caller", headers=shown).status_code for _ in range(6)] == [200] * 5 + [429]
        assert client.get("/nowhere", headers={"Authorization": "Bearer x"}).status_code == 429


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Basic eDp5"),
        ("Authorization", "Bearer x"),
        ("X-API-Key", "x"),
        ("Cookie", "theme=dark"),
        ("Cookie", f"glad-studio-00000000={'x' * 43}"),
    ],
)
def test_a_header_that_is_no_key_of_ours_buys_no_further_requests(settings, name, value):
    few = settings.model_copy(update={"gateway_rate": "3/hour", "gateway_key_rate": "50/hour"})
    with served(few) as address, httpx2.Client(base_url=address, headers={name: value}) as client:
        assert [client.get("/nowhere").status_code for _ in range(5)] == [404] * 3 + [429] * 2


def test_what_only_looks_like_a_key_buys_few(settings):
    few = settings.model_copy(update={"gateway_rate": "3/hour", "gateway_key_rate": "500/hour"})
    with served(few) as address, httpx2.Client(base_url=address) as client:
        found = [client.get("/nowhere", headers={"X-API-Key": f"glad_{n:043d}"}).status_code for n in range(60)]
        assert 3 + 20 <= found.count(404) <= 3 + 25
        assert found[-1] == 429


def test_a_session_that_is_known_has_the_rate_of_its_key(settings, client_with):
    few = settings.model_copy(update={"gateway_rate": "3/hour", "gateway_key_rate": "50/hour"})
    key = key_of(client_with("read"))
    with served(few) as address, httpx2.Client(base_url=address) as client:
        assert client.post(SESSION, json={"key": key}).status_code == 200
        assert [client.get(SESSION).status_code for _ in range(30)] == [200] * 30


def test_who_guesses_keys_is_kept_waiting_and_who_has_one_is_not(client_with):
    client = client_with("read")
    assert client.get("/api/caller").status_code == 200
    stranger = client_with()
    found = [stranger.get("/api/caller", headers={"X-API-Key": f"glad_{n:043d}"}).status_code for n in range(40)]
    assert found[:20] == [401] * 20
    assert 429 in found
    while stranger.post(SESSION, json={"key": f"glad_{1:043d}"}).status_code != 429:  # one more every 3 s
        pass
    assert client.get("/api/caller").status_code == 200


slow = APIRouter()
LARGE = 30_000_000


@slow.get("/slow")
async def _slow() -> str:
    await asyncio.sleep(1)
    return "after a second"


@slow.get("/large")
async def _large() -> Response:
    return Response(b"x" * LARGE)


def open_line(address):
    parts = urlsplit(address)
    return socket.create_connection((parts.hostname, parts.port), timeout=5)


def rest_of(line):
    """What comes until the other side ends it."""
    found = b""
    with suppress(ConnectionError):
        while piece := line.recv(1 << 20):
            found += piece
    return found


ONE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


HALF = b"GET /healthz HTTP/1.1\r\nX: "


@pytest.mark.parametrize(("first", "then"), [(b"", b""), (HALF, b"x"), (ONE + HALF, b"x")])
def test_a_connection_on_which_no_request_arrives_is_ended(settings, monkeypatch, first, then):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with served(settings) as address, open_line(address) as line:
        began = time.monotonic()
        line.sendall(first)
        with suppress(ConnectionError):
            for _ in range(10):  # a little of a head, again and again
                line.sendall(then)
                time.sleep(0.1)
        found = rest_of(line)
        assert time.monotonic() - began < 3
        assert found.count(b"HTTP/1.1 ") == found.count(b"HTTP/1.1 200") == first.count(ONE)


def test_an_answer_that_takes_long_is_waited_for(settings, monkeypatch):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    with served(settings, slow) as address, httpx2.Client(base_url=address) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/slow").json() == "after a second"


def test_a_client_that_does_not_take_its_answer_is_let_go(settings, monkeypatch):
    monkeypatch.setattr(connections, "TAKEN_SECONDS", 0.5)
    with served(settings, slow) as address:
        with open_line(address) as line:
            line.sendall(ONE.replace(b"/healthz", b"/large"))
            time.sleep(2)
            assert len(rest_of(line)) < LARGE
        monkeypatch.setattr(connections, "TAKEN_SECONDS", 60)
        assert len(httpx2.get(f"{address}/large").content) == LARGE


def test_an_address_has_so_many_connections_and_a_proxy_any_number(settings, monkeypatch):
    monkeypatch.setattr(connections, "MOST", 3)
    monkeypatch.setattr(connections, "LOCAL", ())
    with served(settings) as address, ExitStack() as stack:
        lines = [stack.enter_context(open_line(address)) for _ in range(4)]
        assert rest_of(lines[3]) == b""
        lines[0].sendall(ONE)
        assert lines[0].recv(1 << 16).startswith(b"HTTP/1.1 200")
        lines[0].close()
        time.sleep(0.2)
        assert httpx2.get(f"{address}/healthz").status_code == 200
    with served(settings.model_copy(update={"gateway_proxies": "127.0.0.0/8"})) as address, ExitStack() as stack:
        for line in [stack.enter_context(open_line(address)) for _ in range(6)]:
            line.sendall(ONE)
            assert line.recv(1 << 16).startswith(b"HTTP/1.1 200")


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_rate_lets_so_many_at_once_and_then_as_many_in_its_time(monkeypatch):
    clock = Clock()
    rate = Rate(3, 60.0, clock)
    assert [rate.spend("a") for _ in range(4)] == [None, None, None, 20]
    assert rate.spend("b") is None
    clock.now += 19.5
    assert (rate.spend("a"), rate.wait("a")) == (1, 1)
    clock.now += 0.5
    assert (rate.wait("a"), rate.spend("a"), rate.spend("a")) == (None, None, 20)
    clock.now += 1_000
    assert [rate.spend("a") for _ in range(4)] == [None, None, None, 20]


def test_callers_beyond_those_that_are_remembered_share_one_place(monkeypatch):
    monkeypatch.setattr(rates, "MOST_CALLERS", 3)
    clock = Clock()
    rate = Rate(1, 60.0, clock)
    assert [rate.spend(n) for n in range(4)] == [None] * 4
    assert rate.spend(4) == 60  # one of the rest
    clock.now += 61
    assert [rate.spend(n) for n in (5, 6, 7)] == [None] * 3
    assert len(rate._free_at) == 3


@pytest.mark.parametrize(("address", "one"), [("2001:db8::1", "2001:db8::ffff"), ("10.0.0.1", "10.0.0.1")])
def test_an_address_is_a_neighbourhood(address, one):
    guarded = Rates(anonymous="1/minute", with_key="off")
    assert guarded.of_address({"client": (address, 1)}, shows_key=False) is None
    assert guarded.of_address({"client": (one, 2)}, shows_key=False) == 60
    assert guarded.of_address({"client": (one, 2)}, shows_key=True) is None
    assert guarded.of_address({"client": None}, shows_key=False) is None


def test_ipv4_addresses_are_one_each_however_a_socket_writes_them():
    guarded = Rates(anonymous="1/minute", with_key="off")
    for address in ("::ffff:192.0.2.1", "::ffff:192.0.2.2"):
        assert guarded.of_address({"client": (address, 1)}, shows_key=False) is None
    assert guarded.of_address({"client": ("192.0.2.1", 1)}, shows_key=False) == 60


def test_a_rate_is_read_as_the_setting_says():
    assert rate_of("off") is None
    assert (rate_of("7/second").seconds, rate_of("9/day").count) == (1.0, 9)
