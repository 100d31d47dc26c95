"""Every socket of `glad up`, tried by somebody without credentials."""

import http.client
import os
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from psycopg.conninfo import make_conninfo

from glad_pipeline.local.foreground import describe
from glad_pipeline.local.home import Home
from glad_pipeline.local.processes import session_members
from glad_pipeline_tests.strangers import (
    another_user_connects,
    called,
    documented,
    is_ours_alone,
    listening,
    request,
    self_made,
    spoken,
    trusting,
)
from glad_pipeline_tests.up.conftest import SITE, client_of

HTTP = ("S3 master", "S3 volume server", "S3 filer")
GRPC = ("S3 gateway, gRPC", "S3 master, gRPC", "S3 volume server, gRPC", "S3 filer, gRPC")
LOCAL = ("S3 gateway, local", "S3 filer, local", "Dagster's code server")
KNOWN = {"PostgreSQL", "S3", "web UI", "gateway", *({"site"} if SITE else ()), *HTTP, *GRPC, *LOCAL}
PARTS = {"S3 gateway": "s3", "S3 master": "master", "S3 volume server": "volume", "S3 filer": "filer"}


@pytest.fixture(scope="module")
def kept(machine, quiet):
    """Two objects, a picture and another: whatever is different afterwards, a stranger has done."""
    for key, body in {"generated/kept.png": b"kept", "private.txt": b"private"}.items():
        client_of(machine).put_object(Bucket="glad", Key=key, Body=body)


@pytest.fixture(scope="module")
def sockets(machine, web, quiet):
    """What listens, by the names that the documentation has for it."""
    up = psutil.Process(describe(Home(machine.home))["pid"])
    sessions = {os.getsid(up.pid)}
    for child in up.children(recursive=True):
        with suppress(ProcessLookupError):  # PostgreSQL's for one connection, say
            sessions.add(os.getsid(child.pid))
    members = {up, *(each for session in sessions for each in session_members(session) if is_below(up, each))}
    found = {}
    for each in listening(members):
        name = name_of(each, machine, web)
        assert name is not None, f"{each} is in no table"
        found.setdefault(name, each)
        assert found[name].place == each.place
    return found


def is_below(up, process):
    with suppress(psutil.NoSuchProcess):
        return up in process.parents()
    return False


def name_of(found, machine, web):
    home = Home(machine.home)
    if found.place.startswith("/"):
        run, ours = machine.home / "run", Path(home.recall("sockets") or machine.home / "run")
        known = {run / "s3.sock": "S3 gateway, local", run / "filer.sock": "S3 filer, local"}
        known[ours / "code.sock"] = "Dagster's code server"
        return known.get(Path(found.place))
    assert found.place.startswith("127.0.0.1:"), found
    gateway = urlsplit(describe(home)["gateway"]).port
    site = urlsplit(describe(home).get("site", "")).port
    ports = {
        site: "site",
        gateway: "gateway",
        urlsplit(web).port: "web UI",
        urlsplit(machine.exports["DATABASE_URL"]).port: "PostgreSQL",
    }
    for name, part in PARTS.items():
        port = home.recall(f"port {part}")
        ports |= {port: "S3" if part == "s3" else name, port + 10_000: f"{name}, gRPC"}
    return ports.get(found.port)


def posted(url, fields):
    """The status that an HTML form of any web page gets."""
    parts = "".join(
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()
    )
    form = urllib.request.Request(
        url, f"{parts}--x--\r\n".encode(), {"Content-Type": "multipart/form-data; boundary=x"}
    )
    try:
        with urllib.request.urlopen(form, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@pytest.fixture
def unchanged(machine, kept):
    """Whatever a test tries, rows, runs and objects are the same afterwards."""

    def state():
        objects = client_of(machine).list_objects_v2(Bucket="glad")["Contents"]
        return (
            [(each["Key"], each["ETag"], each["LastModified"]) for each in objects],
            [bucket["Name"] for bucket in client_of(machine).list_buckets()["Buckets"]],
            machine.sql("SELECT * FROM prompts ORDER BY id"),
            machine.sql("SELECT count(*) FROM runs", database="DAGSTER_DATABASE_URL"),
        )

    before = state()
    yield
    assert state() == before


def test_the_documentation_names_every_socket_and_no_other(sockets):
    assert set(sockets) == KNOWN
    assert set(documented()) >= KNOWN


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", LOCAL)
def test_nobody_else_gets_to_the_local_ones(sockets, name):
    path = Path(sockets[name].place)
    assert is_ours_alone(path)
    if os.geteuid() == 0:
        assert not another_user_connects(path)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", HTTP)
def test_nobody_else_is_heard_behind_s3(sockets, name, tmp_path):
    for tls in (None, trusting(), trusting(self_made(tmp_path / "tls"))):
        for method, path in (
            ("GET", "/col/delete?collection=glad"),
            ("GET", "/dir/assign"),
            ("GET", "/dir/status"),
            ("DELETE", "/buckets/?recursive=true"),
            ("POST", "/buckets/glad/generated/new.png"),
            ("GET", "/buckets/glad/private.txt"),
        ):
            answer = spoken(sockets[name].port, request(method, path), tls=tls)
            assert answer == b"" or answer.startswith(b"HTTP/1.0 400 Bad Request\r\n"), (method, path, answer)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("name", GRPC)
def test_nobody_else_may_call_behind_s3(machine, sockets, name, tmp_path):
    ours, theirs = machine.home / "tls", self_made(tmp_path / "tls")
    for keys in (None, {"ca": ours}, {"ca": ours, "own": theirs}):
        for method in (
            "/master_pb.Seaweed/CollectionDelete",
            "/volume_server_pb.VolumeServer/DeleteCollection",
            "/filer_pb.SeaweedFiler/DeleteCollection",
            "/filer_pb.SeaweedFiler/ListEntries",
            "/messaging_pb.SeaweedS3IamCache/RemoveIdentity",
        ):
            assert called(sockets[name].port, method, b"\x0a\x04glad", keys=keys) == "UNAVAILABLE"


@pytest.mark.usefixtures("unchanged")
def test_whoever_has_no_keys_sees_pictures_of_the_bucket_and_nothing_else(machine, sockets):
    stranger = client_of(machine, config=Config(signature_version=UNSIGNED))
    assert stranger.get_object(Bucket="glad", Key="generated/kept.png")["Body"].read() == b"kept"
    picture, private = {"Bucket": "glad", "Key": "generated/kept.png"}, {"Bucket": "glad", "Key": "private.txt"}
    for refused in (
        lambda: stranger.get_object(**private),
        lambda: stranger.get_object(Bucket="glad", Key=".glad/ready"),
        lambda: stranger.put_object(**picture, Body=b"x"),
        lambda: stranger.copy_object(**picture, CopySource=private),
        lambda: stranger.delete_object(**picture),
        lambda: stranger.delete_objects(Bucket="glad", Delete={"Objects": [{"Key": "generated/kept.png"}]}),
        lambda: stranger.create_multipart_upload(**picture),
        lambda: stranger.put_object_acl(**picture, ACL="public-read-write"),
        lambda: stranger.list_objects_v2(Bucket="glad"),
        lambda: stranger.get_bucket_policy(Bucket="glad"),
        lambda: stranger.delete_bucket_policy(Bucket="glad"),
        lambda: stranger.put_bucket_cors(Bucket="glad", CORSConfiguration={"CORSRules": []}),
        lambda: stranger.delete_bucket(Bucket="glad"),
        lambda: stranger.create_bucket(Bucket="strangers"),
        stranger.list_buckets,
    ):
        with pytest.raises(ClientError) as told:
            refused()
        assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
    form = {"key": "generated/new.png", "acl": "public-read", "file": "x"}
    assert posted(f"{machine.exports['AWS_ENDPOINT_URL_S3']}/glad", form) in (400, 403)  # as a form of a web page does
    for path in ("/metrics", "/debug/pprof/", "/ui/", "/?Action=ListUsers&Version=2010-05-08", "/buckets/"):
        assert b"403 Forbidden" in spoken(sockets["S3"].port, request("GET", path)), path


@pytest.mark.usefixtures("unchanged")
def test_postgresql_asks_every_user_for_the_password_in_every_database(machine, sockets):
    url = machine.exports["DATABASE_URL"]
    for user in ("glad", "postgres", "nobody"):
        for database in ("glad", "glad_dagster", "postgres", "template1"):
            for password in ("", "glad", urlsplit(url).password[:-1]):
                with pytest.raises(psycopg.OperationalError, match="password"):
                    psycopg.connect(
                        make_conninfo(url, user=user, dbname=database, password=password), connect_timeout=5
                    )
    with pytest.raises(psycopg.OperationalError, match=r"password|no pg_hba.conf entry"):
        psycopg.connect(make_conninfo(url, password="glad"), replication="database")


@pytest.mark.usefixtures("unchanged")
def test_the_web_ui_asks_for_credentials_as_soon_as_the_documentation_says_so(sockets):
    connection = http.client.HTTPConnection("127.0.0.1", sockets["web UI"].port, timeout=10)
    connection.request("GET", "/server_info")
    assert (connection.getresponse().status in (401, 403)) == ("nothing yet" not in documented()["web UI"])


@pytest.mark.usefixtures("unchanged")
def test_nobody_without_a_key_changes_anything_by_the_gateway_or_reads_what_is_not_for_everybody(sockets):
    port = sockets["gateway"].port
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        for path in ("/api/caller", "/api/studio/session", "/metrics", "/", "/docs", "/../.env", "/api/"):
            status = int(spoken(port, request(method, path)).split()[1])
            assert status in (401, 404, 405, 422), (method, path, status)


@pytest.mark.skipif(not SITE, reason="no Node.js: the site was not started")
@pytest.mark.usefixtures("unchanged")
def test_nobody_without_a_session_changes_anything_by_the_site_or_calls_it_by_another_name(sockets):
    port = sockets["site"].port
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/api/revalidate", "/studio/api/prompts", "/studio/api/session", "/posts/any", "/"):
            status = int(spoken(port, request(method, path)).split()[1])
            assert 400 <= status < 500 or (status < 300 and path in ("/", "/posts/any")), (method, path, status)
    for path in (
        "/_next/image?url=%2Fany&w=640&q=75",
        "/../../.env",
        "/server.js",
        "/unpacked",
        "/.next/required-server-files.json",
    ):
        assert int(spoken(port, request("GET", path)).split()[1]) in (400, 404, 503), path
    stranger = request("GET", "/").replace(b"Host: 127.0.0.1", b"Host: evil.example")
    assert spoken(port, stranger).startswith(b"HTTP/1.1 421")
