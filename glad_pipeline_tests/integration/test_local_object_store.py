"""The embedded S3 server: who may read, who may not write, and what a kill -9 leaves."""

import signal
import socket
import urllib.error
import urllib.request

import pytest

from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import ObjectStore


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    deep = tmp_path_factory.mktemp("s3") / ("a folder, with a comma " * 4) / ("and deep " * 8)  # sockets: ~100 bytes
    store = ObjectStore(Home(deep).prepare())
    store.start()
    yield store
    store.stop()


def status(url, method="GET", body=None, headers=None):
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def port_of(store, server):
    return store._home.recall(f"port {server}")


def test_anyone_may_read_pictures_and_only_those(store):
    client = store.client()
    for key in ("generated/ab/picture.png", "private.txt"):
        client.put_object(Bucket="glad", Key=key, Body=b"bytes", ContentType="image/png")
    assert status(f"{store.endpoint}/glad/generated/ab/picture.png") == 200
    assert status(f"{store.endpoint}/glad/private.txt") == 403
    assert status(f"{store.endpoint}/glad/?list-type=2") == 403
    assert status(f"{store.endpoint}/") == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_nobody_writes_without_a_key(store, method):
    store.client().put_object(Bucket="glad", Key="generated/kept.png", Body=b"kept")
    assert status(f"{store.endpoint}/glad/generated/kept.png", method, b"x" if method == "PUT" else None) == 403
    assert status(f"{store.endpoint}/glad/generated/kept.png") == 200


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "GET"])
def test_the_filer_behind_it_refuses_whoever_has_no_token(store, method):
    store.client().put_object(Bucket="glad", Key="generated/kept.png", Body=b"kept")
    url = f"http://127.0.0.1:{port_of(store, 'filer')}/buckets/glad/generated/kept.png"
    assert status(url, method, b"x" if method in ("PUT", "POST") else None) == 401
    assert store.client().get_object(Bucket="glad", Key="generated/kept.png")["Body"].read() == b"kept"


def test_the_volume_server_refuses_whoever_has_no_token(store):
    assert status(f"http://127.0.0.1:{port_of(store, 'volume')}/1,01637037d6", "POST", b"x") == 401


def test_a_browser_of_any_origin_may_show_a_picture(store):
    headers = {"Origin": "https://blog.example", "Access-Control-Request-Method": "GET"}
    assert status(f"{store.endpoint}/glad/generated/x.png", "OPTIONS", headers=headers) == 200


def test_every_socket_is_on_loopback(store):
    addresses = {c.laddr.ip for c in store.running().net_connections("tcp") if c.status == "LISTEN"}
    assert addresses == {"127.0.0.1"}


def test_acknowledged_objects_survive_kill_9_and_the_address_stays(store):
    client = store.client()
    before = store.endpoint
    for number in range(60):
        client.put_object(Bucket="glad", Key=f"generated/{number}.png", Body=bytes([number]) * 50_000)
    store.running().send_signal(signal.SIGKILL)
    store.start()
    assert store.endpoint == before
    client = store.client()
    for number in range(60):
        body = client.get_object(Bucket="glad", Key=f"generated/{number}.png")["Body"].read()
        assert body == bytes([number]) * 50_000
    assert status(f"{store.endpoint}/glad/generated/1.png") == 200


def test_a_server_of_ours_that_hangs_is_named_with_the_cure_and_no_data_is_at_stake(store, monkeypatch):
    answers = store._answers
    monkeypatch.setattr(store, "_answers", lambda seconds: answers(seconds=1))
    server = store.running()
    server.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(GladError, match=rf"pid {server.pid}\) and does not answer.*glad down") as told:
            store.start()
        assert "reset" not in str(told.value)
    finally:
        server.send_signal(signal.SIGCONT)
    store.start()


def test_a_taken_port_is_an_error_because_urls_contain_it(store):
    store.stop()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", store.port))
        other.listen()
        with pytest.raises(GladError, match=rf"port {store.port} .* is taken by .*glad reset"):
            store.start()
    store.start()
