"""What every request gets, whatever becomes of it: an id, a line in the log, its place in the metrics, safe headers.

A line of the log is written as it is, past `logging`: that looks for secrets in every text, which takes longer than
most requests, and nothing of a line is a client's but its id, of which the form is checked.
"""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glad_pipeline.gateway.metrics import Requests
from glad_pipeline.gateway.problems import Problem, answer
from glad_pipeline.gateway.state import CALLER
from glad_pipeline.guard.middleware import HEADERS

_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SAFE = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()] + [
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
]
logger = logging.getLogger(__name__)


class Front:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, *, requests: Requests) -> None:
        self._app = app
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0
        request_id = _id_of(scope)

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = _with_ours(list(message.get("headers", ())), request_id)
            await send(message)

        try:
            await self._app(scope, receive, told)
        except Exception:
            if status:  # the client sees an answer that breaks off
                raise
            logger.exception("gateway.failed method=%s path=%s id=%s", scope["method"], scope["path"], request_id)
            await answer(Problem(500, "this is a fault of the server: its log says more"))(scope, receive, told)
        finally:
            self._note(scope, status, time.perf_counter() - began, request_id)

    def _note(self, scope: Scope, status: int, seconds: float, request_id: str) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "none")
        self._requests.note(method, route, status, seconds)
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        with suppress(OSError, ValueError):  # nobody reads it any more
            sys.stderr.write(
                f"{at} gateway.request method={method} route={route} status={status} ms={seconds * 1_000:.1f} "
                f"caller={scope.get(CALLER, '-')} id={request_id}\n"
            )


def _id_of(scope: Scope) -> str:
    """The id that the client, or a proxy, has given the request, or a new one."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            return str(value, "ascii")
    return secrets.token_hex(8)


def _with_ours(headers: list[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
    """Beside those of the application, which has the last word."""
    there = {name.lower() for name, _ in headers}
    ours = [each for each in _SAFE if each[0] not in there]
    return [*headers, *ours, (b"vary", b"Origin"), (b"x-request-id", request_id.encode())]
