"""How much one caller may send: requests in a time, bytes of a body, seconds that it may take to arrive.

Stands before the routes, so that nothing is read of what is too much.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glad_pipeline.callers.keys import digest, is_key
from glad_pipeline.gateway.problems import Problem, answer
from glad_pipeline.gateway.rates import Rates
from glad_pipeline.gateway.visitors import OF_SITE

PROBES = ("/healthz", "/readyz")
BODY_SECONDS = 60.0  # for a body to arrive


class Bounds:
    """ASGI middleware. `files`: paths that take a file of prompts, of up to `most_of_file` bytes; `cookie`: a
    session's."""

    def __init__(
        self, app: ASGIApp, *, rates: Rates, cookie: str, most: int, files: Collection[str], most_of_file: int
    ) -> None:
        self._app = app
        self._rates = rates
        self._cookies = (cookie, f"__Host-{cookie}")
        self._most, self._most_of_file = most, most_of_file
        self._files = frozenset(files)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        most = self._most_of_file if scope["path"] in self._files else self._most
        if problem := self._too_many(scope, headers) or _cannot_be_read(headers, most):
            await answer(problem)(scope, receive, send)
        elif b"content-length" in headers or b"transfer-encoding" in headers:
            await self._app(scope, _Body(receive, most).receive, send)
        else:
            await self._app(scope, receive, send)

    def _too_many(self, scope: Scope, headers: dict[bytes, bytes]) -> Problem | None:
        if scope["path"] in PROBES or scope.get(OF_SITE):
            return None
        shown = _shown(headers, self._cookies)
        known = shown is not None and self._rates.knows(digest(shown))
        wait = self._rates.of_address(scope, shows_key=known)
        if wait and shown is not None and not known:
            wait = self._rates.of_newcomer(scope)  # a key that this process has not seen yet
        return too_many("this address", wait) if wait else None


class _Body:
    """Counts a body that may say of itself what it likes, or nothing."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most = receive, most
        self._size, self._is_whole = 0, False
        self._until = asyncio.get_running_loop().time() + BODY_SECONDS

    async def receive(self) -> Message:
        if self._is_whole:  # who asks on waits for the client to hang up
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(408, f"the body did not arrive in {BODY_SECONDS:.0f} s", CLOSE) from error
        self._is_whole = not message.get("more_body", False)
        self._size += len(message.get("body", b""))
        if self._size > self._most:
            raise HTTPException(413, _too_long(self._most), CLOSE)
        return message


def _shown(headers: dict[bytes, bytes], cookies: Collection[str]) -> str | None:
    """What has the form of a key, or the name of our session."""
    scheme, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        key = headers.get(b"x-api-key", b"").decode("latin-1")
    if is_key(key):
        return key
    pairs = (pair.strip().partition("=") for pair in headers.get(b"cookie", b"").decode("latin-1").split(";"))
    return next((value for name, _, value in pairs if name in cookies), None)


CLOSE = {"Connection": "close"}  # what is left of the body is not read


def too_many(who: str, wait: int) -> Problem:
    """The answer to somebody who asks too often."""
    return Problem(429, f"{who} has made too many requests: again in {wait} s", headers={"Retry-After": str(wait)})


def _cannot_be_read(headers: dict[bytes, bytes], most: int) -> Problem | None:
    encoding = headers.get(b"content-encoding", b"identity").decode("latin-1").strip().lower()
    if encoding not in ("", "identity"):
        return Problem(
            415, f"a body with Content-Encoding {encoding[:40]!r} is not read: send it as it is", headers=CLOSE
        )
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:20]) > most:
        return Problem(413, _too_long(most), headers=CLOSE)
    return None


def _too_long(most: int) -> str:
    return f"the body is longer than {most:,} bytes"
