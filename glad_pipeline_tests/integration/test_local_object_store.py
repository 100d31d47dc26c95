"""The embedded S3 server: who may read, who may not write, and what a kill -9 leaves."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home, port_is_free
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.seaweedfs import locate
from glad_pipeline_tests.strangers import called, is_ours_alone, request, self_made, spoken, trusting


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    deep = tmp_path_factory.mktemp("s3") / ("a folder, with a comma " * 4) / ("and deep " * 8)  # sockets: ~100 bytes
    store = S3Server(Home(deep).prepare())
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


@pytest.fixture(scope="module")
def strangers(store, tmp_path_factory):
    """Who has no certificate of ours: nothing, TLS without one, one that they have made themselves."""
    made = self_made(tmp_path_factory.mktemp("strangers") / "tls")
    return {"unencrypted": None, "without a certificate": {}, "with one of their own": {"own": made}}


@pytest.mark.parametrize("who", ["unencrypted", "without a certificate", "with one of their own"])
@pytest.mark.parametrize("part", ["master", "volume", "filer"])
def test_nobody_else_is_heard_by_the_servers_behind_it(store, strangers, part, who):
    store.client().put_object(Bucket="glad", Key="generated/kept.png", Body=b"kept")
    keys = strangers[who]
    tls = None if keys is None else trusting(keys.get("own"))
    for method, path in (
        ("GET", "/col/delete?collection=glad"),
        ("GET", "/dir/status"),
        ("GET", "/buckets/glad/generated/kept.png"),
        ("DELETE", "/buckets/?recursive=true"),
        ("GET", "/status"),
    ):
        answer = spoken(port_of(store, part), request(method, path), tls=tls)
        assert answer == b"" or answer.startswith(b"HTTP/1.0 400 Bad Request"), (method, path, answer)
    assert store.client().get_object(Bucket="glad", Key="generated/kept.png")["Body"].read() == b"kept"


CALLS = {
    "master": ("/master_pb.Seaweed/CollectionDelete", b"\x0a\x04glad"),
    "volume": ("/volume_server_pb.VolumeServer/DeleteCollection", b"\x0a\x04glad"),
    "filer": ("/filer_pb.SeaweedFiler/DeleteCollection", b"\x0a\x04glad"),
    "s3": ("/messaging_pb.SeaweedS3IamCache/RemoveIdentity", b"\x0a\x04glad"),
}


@pytest.mark.parametrize("who", ["unencrypted", "without a certificate", "with one of their own"])
@pytest.mark.parametrize("part", CALLS)
def test_nobody_else_may_call_by_grpc(store, strangers, part, who):
    store.client().put_object(Bucket="glad", Key="generated/kept.png", Body=b"kept")
    keys = strangers[who]
    if keys is not None:
        keys = {"ca": store._home.path / "tls", **keys}
    assert called(port_of(store, part) + 10_000, *CALLS[part], keys=keys) == "UNAVAILABLE"
    assert store.client().get_object(Bucket="glad", Key="generated/kept.png")["Body"].read() == b"kept"


@pytest.mark.parametrize("part", CALLS)
def test_with_our_certificate_the_same_calls_are_heard(store, part):
    ours = store._home.path / "tls"
    method, _ = CALLS[part]
    told = called(port_of(store, part) + 10_000, method, b"\x0a\x04none", keys={"ca": ours, "own": ours})
    assert told not in ("UNAVAILABLE", "UNIMPLEMENTED")
    if part != "s3":
        assert spoken(port_of(store, part), request("GET", "/dir/status"), tls=trusting(ours)).startswith(b"HTTP/1.1 ")


def test_its_keys_are_for_its_owner_alone_and_no_authority_is_kept(store):
    folder = store._home.path / "tls"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {
        "ca.pem": 0o600,
        "cert.pem": 0o600,
        "key.pem": 0o600,
    }


def test_every_socket_of_its_lies_in_our_own_folder(store):
    found = {
        (Path(process.cwd()) / connection.laddr).resolve()
        for _, process in store.parts()
        for connection in process.net_connections("unix")
        if connection.laddr
    }
    assert found == {store._home.path / "run" / "s3.sock", store._home.path / "run" / "filer.sock"}
    assert all(is_ours_alone(path) for path in found)


def test_a_server_that_does_not_know_our_keys_is_not_left_running(tmp_path, monkeypatch):
    monkeypatch.setattr("glad_pipeline.local.seaweedfs.security", str)
    store = S3Server(Home(tmp_path / "home").prepare())
    with pytest.raises(GladError, match=r"would let other users of this machine in at port \d+, .*constraints.txt"):
        store.start()
    assert store.parts() == []


def test_the_data_of_an_earlier_version_opens_at_the_same_address_even_while_that_one_runs(tmp_path):
    store = S3Server(Home(tmp_path / "home").prepare())
    with start_as_in_the_first_version(store) as old:
        for number in range(20):
            old.put_object(Bucket="glad", Key=f"generated/{number}.png", Body=bytes([number]) * 100_000)
        endpoint = store.endpoint
        store.start()
        try:
            assert store.endpoint == endpoint
            for number in range(20):
                body = store.client().get_object(Bucket="glad", Key=f"generated/{number}.png")["Body"].read()
                assert body == bytes([number]) * 100_000
            store.client().put_object(Bucket="glad", Key="generated/new.png", Body=b"new")
            assert {part for part, _ in store.parts()} == {"master", "volume", "filer", "s3"}
        finally:
            store.stop()
    assert store.parts() == []


@contextmanager
def start_as_in_the_first_version(store):
    """`weed mini` as the first version of glad started it: yields a client once it stores."""
    home, data = store._home, store.data
    data.mkdir(mode=0o700)
    (home.path / "s3.json").write_text(json.dumps(store._identities()))
    (home.logs / "s3").mkdir()
    command = [locate(), "-logdir=../logs/s3", "mini", "-dir=.", "-s3.config=../s3.json", "-ip=127.0.0.1"]
    command += ["-ip.bind=127.0.0.1", "-master.telemetry=false", "-s3.iam=false", "-admin.ui=false", "-webdav=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.localSocket=../run/s3.sock"]
    command += ["-filer.localSocket=../run/filer.sock"]
    for part in ("s3", "master", "volume", "filer", "admin"):
        port = home.port(part, lambda port: port_is_free(port) and port_is_free(port + 10_000))
        command += [f"-{part}.port={port}", f"-{part}.port.grpc={port + 10_000}"]
    secrets = {
        f"WEED_JWT_{name}_KEY": home.secret(f"jwt {name.lower()}")
        for name in ("SIGNING", "FILER_SIGNING", "SIGNING_READ", "FILER_SIGNING_READ")
    }
    with store.log.open("wb") as log:
        environment = {"PATH": os.environ["PATH"], "HOME": str(data), **secrets}
        process = subprocess.Popen(command, cwd=data, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        client = store.client()
        for _ in range(300):
            with suppress(Exception):
                client.create_bucket(Bucket="glad")
                break
            time.sleep(0.1)
        yield client
    finally:
        process.kill()
        process.wait()


def test_a_browser_of_any_origin_may_show_a_picture(store):
    headers = {"Origin": "https://blog.example", "Access-Control-Request-Method": "GET"}
    assert status(f"{store.endpoint}/glad/generated/x.png", "OPTIONS", headers=headers) == 200


def test_every_socket_is_on_loopback(store):
    addresses = {
        connection.laddr.ip
        for _, process in store.parts()
        for connection in process.net_connections("tcp")
        if connection.status == "LISTEN"
    }
    assert addresses == {"127.0.0.1"}


@pytest.mark.few(2)
@pytest.mark.parametrize("killed", [["s3", "filer", "volume", "master"], ["master"], ["volume"], ["filer"]])
def test_acknowledged_objects_survive_kill_9_of_any_part_and_the_address_stays(store, killed):
    client = store.client()
    before = store.endpoint
    for number in range(20):
        client.put_object(Bucket="glad", Key=f"generated/{number}.png", Body=bytes([number]) * 50_000)
    for part, process in store.parts():
        if part in killed:
            process.send_signal(signal.SIGKILL)
            process.wait(5)
    assert store.running() is None
    store.start()
    assert store.endpoint == before
    client = store.client()
    for number in range(20):
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
