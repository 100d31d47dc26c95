"""What shows a volume's pictures to visitors: our file server, and the configurations of nginx and Caddy in `deploy/`."""

import http.client
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from glad_pipeline.local.file_server import READY, FileServer
from glad_pipeline.local.home import port_is_free
from glad_pipeline.storage.keys import DEPLOYMENT
from glad_pipeline.storage.protocol import CACHE_CONTROL
from glad_pipeline.storage.volume import VolumeStore
from glad_pipeline_tests.integration.store_contract import noise
from glad_pipeline_tests.strangers import documented

DEPLOY = Path(__file__).parents[2] / "deploy" / "volume"
STEM = "generated/ab/" + "ab" * 16
KINDS = {".png": "image/png", "-256.webp": "image/webp", "-w800.avif": "image/avif", "-social.jpg": "image/jpeg"}
BODY = noise(100_000)


@contextmanager
def ours(root, folder):
    with FileServer(str(root), 0) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        serving.start()
        yield server.server_address[1]
        server.shutdown()
        serving.join()


@contextmanager
def nginx(root, folder):
    text = (DEPLOY / "nginx.conf").read_text().replace("/data/images", str(root))
    port = free_port()
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    http = f"http {{ access_log off; {temporary} {text} }}"
    (folder / "conf").write_text(f"daemon off; pid {folder}/pid; error_log {folder}/log; events {{}} {http}")
    with running(["nginx", "-p", str(folder), "-c", str(folder / "conf"), "-e", str(folder / "log")], port):
        yield port


@contextmanager
def caddy(root, folder):
    text = (DEPLOY / "Caddyfile").read_text().replace("/data/images", str(root))
    port = free_port()
    text = text.replace("img.example.com {", f"http://127.0.0.1:{port} {{")
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    with running(["caddy", "run", "--config", str(folder / "Caddyfile")], port):
        yield port


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(command, port):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 20
        while port_is_free(port):
            assert server.poll() is None, f"{command[0]} did not start"
            assert time.monotonic() < until
            time.sleep(0.05)
        yield
    finally:
        server.terminate()
        server.wait(20)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    base = tmp_path_factory.mktemp("served")
    for folder in (base, *base.parents):  # nginx is another user, as it should be
        if "pytest-" in str(folder):
            folder.chmod(0o755)
    root = base / "images"
    root.mkdir()
    store = VolumeStore(bucket=str(root), public_base_url="https://img.example.com")
    store.put_once(DEPLOYMENT, b"whose it is", content_type="application/json", metadata={})
    for ending, kind in KINDS.items():
        store.put_once(STEM + ending, BODY, content_type=kind, metadata={"recipe-hash": "ab" * 32})
    store.copy(f"{STEM}.png", f"quarantine/{STEM}.png")
    (root / "public" / "generated" / "ab" / "link.png").symlink_to(root / "private" / DEPLOYMENT)
    (root / "public" / "generated" / "link").symlink_to(root / "private")
    return root


@pytest.fixture(scope="module", params=[ours, nginx, caddy], ids=lambda server: server.__name__)
def server(request, root, tmp_path_factory):
    with request.param(root, tmp_path_factory.mktemp(request.param.__name__)) as port:
        yield request.param.__name__, port


def asked(server, path, method="GET", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", server[1], timeout=10)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("ending", "kind"), KINDS.items())
def test_a_picture_is_given_with_its_type_and_may_be_kept_for_ever(server, ending, kind):
    status, headers, body = asked(server, f"/{STEM}{ending}")
    assert (status, body) == (200, BODY)
    assert headers["Content-Type"] == kind
    assert headers.get_all("Cache-Control") == [CACHE_CONTROL]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Access-Control-Allow-Origin"] == "*"
    status, head, nothing = asked(server, f"/{STEM}{ending}", "HEAD")
    assert (status, nothing, head["Content-Length"], head["ETag"]) == (200, b"", "100000", headers["ETag"])


def test_who_has_it_already_is_not_sent_it_again(server):
    tag = asked(server, f"/{STEM}.png")[1]["ETag"]
    status, _, body = asked(server, f"/{STEM}.png", If_None_Match=tag)
    assert (status, body) == (304, b"")


@pytest.mark.parametrize(
    ("wanted", "part"),
    [("bytes=0-9", slice(0, 10)), ("bytes=99990-", slice(99_990, None)), ("bytes=-5", slice(-5, None))],
)
def test_a_range_is_that_part(server, wanted, part):
    status, headers, body = asked(server, f"/{STEM}.png", Range=wanted)
    assert (status, body) == (206, BODY[part])
    assert headers["Content-Range"].endswith("/100000")
    assert asked(server, f"/{STEM}.png", Range="bytes=200000-")[0] == 416


PRIVATE = [
    "/.glad/deployment.json", "/.glad-volume", "/private/.glad/deployment.json", f"/quarantine/{STEM}.png",
    f"/sidecars/{STEM}.png.json", "/generated/../private/.glad/deployment.json",
    "/generated/%2e%2e/%2e%2e/private/.glad/deployment.json", "/generated/..%2f..%2fprivate/.glad/deployment.json",
    "//etc/passwd", "/generated/ab/../../../.glad-volume", "/generated/", "/generated/ab/", "/generated/ab", "/",
    f"/{STEM}.txt", "/generated/a%00b.png",
]  # fmt: skip


@pytest.mark.parametrize("path", PRIVATE)
def test_nothing_else_is_shown_and_a_404_is_not_kept(server, path):
    status, headers, body = asked(server, path)
    assert status in (301, 308, 400, 403, 404)
    assert b"whose it is" not in body
    assert b"abab" not in body  # no listing either
    assert "immutable" not in headers.get("Cache-Control", "")


@pytest.mark.parametrize("path", ["/generated/ab/link.png", "/generated/link/.glad/deployment.json"])
def test_links_lead_nowhere(server, path):
    if server[0] == "caddy":
        pytest.skip("Caddy follows links, and nobody but us writes there")
    assert asked(server, path)[0] in (403, 404)


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_nobody_changes_anything(server, root, method):
    before = sorted(str(path) for path in root.rglob("*"))
    assert asked(server, f"/{STEM}.png", method)[0] >= 400
    assert sorted(str(path) for path in root.rglob("*")) == before
    assert asked(server, f"/{STEM}.png")[2] == BODY


def test_an_unmounted_volume_is_no_404(root):
    """A CDN would remember that the picture does not exist."""
    away = root.with_name("away")
    with ours(root, None) as port:
        root.rename(away)
        root.mkdir()
        try:
            assert asked(("ours", port), f"/{STEM}.png")[0] == 503
        finally:
            root.rmdir()
            away.rename(root)


def test_the_file_server_is_in_the_table_of_sockets_and_listens_on_this_machine_alone(root):
    with FileServer(str(root), 0) as server:
        assert server.server_address[0] == "127.0.0.1"
    assert "sees pictures" in documented()["file server"]


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_the_configurations_say_what_visitors_are_told_word_for_word(name):
    text = (DEPLOY / name).read_text()
    assert f'Cache-Control "{CACHE_CONTROL}"' in text
    assert re.search(r"root (\* )?/data/images/public\b", text)
    assert "/generated/" in text


def test_railways_file_waits_for_the_volume_that_the_set_up_names():
    """Its keys are those of Railway's reference; a volume cannot be made by it."""
    root = DEPLOY.parents[1]
    said = json.loads((root / "railway.json").read_text())
    assert set(said) == {"$schema", "build", "deploy"}
    assert set(said["build"]) == {"builder", "dockerfilePath"}
    assert (root / said["build"]["dockerfilePath"]).is_file()
    assert set(said["deploy"]) == {
        *("startCommand", "requiredMountPath", "healthcheckPath", "healthcheckTimeout", "overlapSeconds"),
        *("restartPolicyType", "restartPolicyMaxRetries"),
    }
    assert said["deploy"]["healthcheckPath"] == READY
    setup = (root / "docs" / "setup.md").read_text()
    assert f"`GLAD_VOLUME={said['deploy']['requiredMountPath']}/images`" in setup
