"""Pictures of a volume by the gateway: as the file server of ours gives them, and nothing else of the folder."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from fastapi import APIRouter

from glad_pipeline.gateway.state import Here
from glad_pipeline.settings import settings_of
from glad_pipeline.storage.keys import DEPLOYMENT
from glad_pipeline.storage.protocol import CACHE_CONTROL
from glad_pipeline.storage.volume import VolumeStore
from glad_pipeline_tests.gateway.conftest import served
from glad_pipeline_tests.integration.store_contract import noise

STEM = "generated/ab/" + "ab" * 16
KINDS = {".png": "image/png", "-256.webp": "image/webp", "-w800.avif": "image/avif", "-social.jpg": "image/jpeg"}
BODY = noise(600_000)  # more than is read at once
NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"  # pictures need no database


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("served") / "images"
    root.mkdir()
    store = VolumeStore(bucket=str(root), public_base_url="https://img.example.com")
    store.put_once(DEPLOYMENT, b"whose it is", content_type="application/json", metadata={})
    for ending, kind in KINDS.items():
        store.put_once(STEM + ending, BODY, content_type=kind, metadata={})
    store.put_once("generated/whose.txt", b"whose it is", content_type="text/plain", metadata={})
    store.copy(f"{STEM}.png", f"quarantine/{STEM}.png")
    (root / "public" / "generated" / "ab" / f"{'cd' * 16}.png").symlink_to(root / "private" / DEPLOYMENT)
    (root / "public" / "generated" / "cd").symlink_to(root / "private")
    return root


@pytest.fixture(scope="module")
def client(root: Path) -> Iterator[httpx2.Client]:
    given = {
        "DATABASE_URL": NOWHERE,
        "GLAD_VOLUME": str(root),
        "GLAD_PUBLIC_BASE_URL": "https://img.example.com/images",
    }
    with served(settings_of(given)) as address, httpx2.Client(base_url=address, timeout=30) as client:
        yield client


def asked(client: httpx2.Client, path: str) -> tuple[int, bytes]:
    """The path as it is: a client would tidy it up."""
    at = urlsplit(str(client.base_url))
    with socket.create_connection((at.hostname, at.port), timeout=10) as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(1 << 16), b""))
    return int(answer.split()[1]), answer


@pytest.mark.parametrize(("ending", "kind"), KINDS.items())
def test_a_picture_is_given_with_its_type_and_may_be_kept_for_ever(client, ending, kind) -> None:
    answer = client.get(f"/images/{STEM}{ending}")
    assert (answer.status_code, answer.content) == (200, BODY)
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == CACHE_CONTROL
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "cross-origin"  # the blog is another origin
    assert client.get("/healthz").headers["cross-origin-resource-policy"] == "same-origin"
    told = client.head(f"/images/{STEM}{ending}")
    assert (told.status_code, told.content) == (200, b"")
    assert [told.headers[name] for name in ("content-length", "etag")] == [str(len(BODY)), answer.headers["etag"]]


def test_a_part_of_it_is_that_part_and_who_has_it_is_not_sent_it_again(client) -> None:
    path = f"/images/{STEM}.png"
    tag = client.get(path).headers["etag"]
    for wanted, part in {"0-9": slice(0, 10), "599990-": slice(599_990, None), "-5": slice(-5, None)}.items():
        answer = client.get(path, headers={"Range": f"bytes={wanted}"})
        assert (answer.status_code, answer.content) == (206, BODY[part])
        assert answer.headers["content-range"].endswith(f"/{len(BODY)}")
    assert client.get(path, headers={"Range": "bytes=700000-"}).status_code == 416
    assert client.get(path, headers={"Range": "bytes=0-9", "If-Range": '"another"'}).content == BODY
    for known in (tag, f'"x", W/{tag}', "*"):
        answer = client.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content, answer.headers["cache-control"]) == (304, b"", CACHE_CONTROL)


ELSEWHERE = [
    DEPLOYMENT, ".glad-volume", f"private/{DEPLOYMENT}", f"quarantine/{STEM}.png", f"sidecars/{STEM}.png.json", "",
    f"generated/../private/{DEPLOYMENT}", f"generated/%2e%2e/%2e%2e/private/{DEPLOYMENT}", "/etc/passwd", "..%2f..%2fetc/passwd",
    "generated/", "generated/ab/", "generated/ab", "generated/whose.txt", f"{STEM}.txt", f"{STEM}.png/", f"{STEM}.png%00", "%00",
    f"generated/ab/{'cd' * 16}.png", f"generated/cd/{DEPLOYMENT}", f"generated/cd/{'cd' * 16}.png", f"{STEM}-w800.png%0a", "%ff",
]  # fmt: skip


def test_nothing_else_is_shown_and_a_404_is_not_kept(client) -> None:
    for path in ELSEWHERE:
        status, answer = asked(client, f"/images/{path}")
        assert status == 404, (path, answer)
        assert b"whose it is" not in answer
        assert b"immutable" not in answer
        assert b"no-store" in answer


def test_an_unmounted_volume_is_no_404(client, root) -> None:
    """A cache would remember that the picture does not exist."""
    away = root.with_name("away")
    root.rename(away)
    root.mkdir()
    try:
        answer = client.get(f"/images/{STEM}.png")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    finally:
        root.rmdir()
        away.rename(root)


blocking = APIRouter()
released = threading.Event()


@blocking.get("/blocking")
async def _blocking(state: Here) -> None:
    """A route of the studio's that takes long."""
    await state.blocking(released.wait, 30)


def test_work_of_the_studio_s_that_takes_long_keeps_no_visitor_waiting(root: Path) -> None:
    given = {"DATABASE_URL": NOWHERE, "GLAD_VOLUME": str(root), "GLAD_PUBLIC_BASE_URL": "https://img.example.com"}
    with (
        served(settings_of(given), blocking) as address,
        ThreadPoolExecutor(50) as threads,
        httpx2.Client(base_url=address, timeout=40, limits=httpx2.Limits(max_connections=60)) as client,
    ):
        released.clear()
        works = [threads.submit(client.get, "/blocking") for _ in range(50)]  # more than there are threads
        try:
            time.sleep(1)
            began = time.monotonic()
            assert client.get(f"/images/{STEM}.png").content == BODY
            assert time.monotonic() - began < 5
        finally:
            released.set()
        assert {work.result().status_code for work in works} == {200}


def test_where_pictures_are_not_in_a_folder_there_are_none(root) -> None:
    given = {"DATABASE_URL": NOWHERE, "AWS_S3_BUCKET": "pictures"}
    with served(settings_of(given)) as address:
        assert httpx2.get(f"{address}/images/{STEM}.png").status_code == 404
