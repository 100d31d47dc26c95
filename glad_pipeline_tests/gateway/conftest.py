"""The gateway on a socket of its own, over a fresh database, and clients of it."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx2
import pytest
import uvicorn
from fastapi import APIRouter

from glad_pipeline.callers.keys import make_key
from glad_pipeline.database import Database
from glad_pipeline.gateway.app import build_app
from glad_pipeline.gateway.serving import Server, options_of
from glad_pipeline.local import uvicorn_server
from glad_pipeline.settings import Settings, settings_of


class _Hurried:
    """asyncio for uvicorn, which sleeps a tenth of a second when it ends: longer than most tests of the gateway take."""

    def __getattr__(self, name: str) -> object:
        return getattr(asyncio, name)

    @staticmethod
    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 10)


uvicorn.server.asyncio = _Hurried()  # type: ignore[attr-defined]
uvicorn_server.TICK = 0.01


@contextmanager
def served(settings: Settings, *more: APIRouter) -> Iterator[str]:
    """The address of a gateway with these settings, in a thread; `more`: routes that a test adds."""
    app = build_app(settings)
    for routes in more:
        app.include_router(routes)
    server = Server(uvicorn.Config(app, port=0, **options_of(settings)))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the gateway has ended at its start"
        assert time.monotonic() < until, "the gateway does not start"
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        assert not thread.is_alive(), "the gateway does not end"


def raw(address: str, head: str, body: bytes = b"") -> str:
    """What is answered to a request that no library would send; it ends with the connection."""
    parts = urlsplit(address)
    answer = b""
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as line:
        line.sendall(head.encode("latin-1") + b"Connection: close\r\n\r\n" + body)
        while piece := line.recv(65_536):
            answer += piece
    return answer.decode("utf-8", "replace")


@pytest.fixture
def settings(migrated_url: str, s3: dict[str, str], tmp_path) -> Settings:
    return settings_of({**s3, "DATABASE_URL": migrated_url, "GLAD_HOME": str(tmp_path)})


@pytest.fixture
def database(migrated_url: str) -> Iterator[Database]:
    with Database(migrated_url) as found:
        yield found


@pytest.fixture
def gateway(settings: Settings) -> Iterator[str]:
    """The address of one with the settings of this test."""
    with served(settings) as address:
        yield address


@pytest.fixture
def client_with(gateway: str, database: Database) -> Iterator[Callable[..., httpx2.Client]]:
    """`client_with("submit", "read")`: a client with a new key of these scopes; without any, one without a key."""
    clients: list[httpx2.Client] = []

    def make(*scopes: str) -> httpx2.Client:
        headers = {}
        if scopes:
            _, key = make_key(database, f"key-{len(clients)}", scopes)
            headers["Authorization"] = f"Bearer {key}"
        clients.append(httpx2.Client(base_url=gateway, headers=headers, timeout=30))
        return clients[-1]

    yield make
    for client in clients:
        client.close()
