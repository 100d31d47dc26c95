"""The gateway as a process: uvicorn with the application, until somebody asks for the end."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import resource
import socket
import sys
from contextlib import suppress
from typing import Any

import uvicorn
from fastapi import FastAPI

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.gateway.app import build_app
from glad_pipeline.gateway.connections import protocol_of
from glad_pipeline.guard.hosts import is_loopback
from glad_pipeline.local import uvicorn_server
from glad_pipeline.redaction import at_every_door
from glad_pipeline.settings import Settings, load_settings, settings_of

GRACE = 10  # seconds for which requests that are under way are waited for at the end
WANTED_FILES = 65_536  # connections are files
SPARE_FILES = 256  # that are no callers': the database's, the log


def main() -> None:
    """Serve; a mistake in the settings is a message."""
    at_every_door()
    if sys.argv[1:] == ["--openapi"]:
        print(json.dumps(build_app(settings_of({})).openapi(), indent=1, ensure_ascii=False))
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    try:
        settings = load_settings()
        given = _arguments(settings)
        require_reachable(settings, given.host)
        app = build_app(settings)
        options = options_of(settings)
    except GladError as error:
        raise SystemExit(f"glad gateway: {error}") from error
    _freeze()
    Server(uvicorn.Config(app, host=given.host, port=given.port, **options)).run_to_its_end()


class Server(uvicorn_server.Server):
    """It answers who waits for a picture as soon as it is to end."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        app: FastAPI = self.config.app  # type: ignore[assignment]  # as it was given
        app.state.waiting.end()
        await super().shutdown(sockets)


def _freeze() -> None:
    """What is there by now stays: the collector need not look at all of it, for all who wait, again and again."""
    gc.collect()
    gc.freeze()
    gc.enable()


def require_reachable(settings: Settings, host: str) -> None:
    """Raises `UsageError` for an address that others reach by no name which the gateway would answer to."""
    if not is_loopback(host) and not settings.gateway_hosts:
        raise UsageError(
            f"{host} can be reached by others, and GLAD_GATEWAY_HOSTS names no host by which they may call: set it, "
            "or listen on 127.0.0.1"
        )


def _arguments(settings: Settings) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="glad gateway", description="The blog's API and the studio's.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=settings.gateway_port)
    return parser.parse_args()


def options_of(settings: Settings) -> dict[str, Any]:
    """How uvicorn is to serve it."""
    proxies = [address.strip() for address in (settings.gateway_proxies or "").split(",") if address.strip()]
    return {
        "access_log": False,  # `front` writes one
        "server_header": False,
        "proxy_headers": bool(proxies),
        "forwarded_allow_ips": proxies,
        "timeout_graceful_shutdown": GRACE,
        "limit_concurrency": _most_files() // 2 - SPARE_FILES,  # each with a picture that is open
        "http": protocol_of(proxies),
        "ws": "none",
        "log_config": None,
    }


def _most_files() -> int:
    """How many files this process may have open, after as many as may be were asked for."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 4 * SPARE_FILES)
