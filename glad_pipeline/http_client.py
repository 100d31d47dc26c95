"""HTTP requests of our own: to the blog's site, public URLs of pictures, stores over HTTP, servers of this machine.

Nothing is followed, sent along or read that the caller has not asked for, and a request is over when its time is. Knows
no room. httpx2 is imported with the first request that leaves this machine.
"""

from __future__ import annotations

import http.client
import logging
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glad_pipeline.deadline import within

if TYPE_CHECKING:
    import httpx2

READ = 4_096  # bytes of an answer's body, unless the caller wants more


class NoAnswer(Exception):
    """Nobody answers at that address; the text says why.

    `lasting`: the same request will not succeed later either (a host that does not exist, a wrong certificate).
    """

    def __init__(self, message: str, *, lasting: bool = False) -> None:
        super().__init__(message)
        self.lasting = lasting


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]  # by names in any case
    body: bytes  # as it was sent, cut
    addresses: tuple[str, ...]  # that were asked, the one that has answered last: more than one with `redirects`


def ask(
    method: str,
    url: str,
    *,
    seconds: float,
    headers: Mapping[str, str] | None = None,
    json: Any = None,
    redirects: bool = False,
    most: int = READ,
) -> Answer:
    """Send one request and read up to `most` bytes of its answer, all of it within so many seconds.

    Redirections are followed only with `redirects`; else they are the answer. Raises `NoAnswer`; its text may hold
    what the request carries.
    """
    import httpx2

    _quiet()

    def work() -> Answer:
        client = httpx2.Client(verify=_trusted(), timeout=seconds, follow_redirects=redirects)
        plain = {"User-Agent": "glad", "Accept-Encoding": "identity", **(headers or {})}
        with client, client.stream(method, url, headers=plain, json=json) as answer:
            body = b""
            for piece in answer.iter_raw():
                body += piece
                if len(body) >= most:
                    break
            asked = tuple(str(each.url) for each in (*answer.history, answer))
            return Answer(status=answer.status_code, headers=answer.headers, body=body[:most], addresses=asked)

    try:
        return within(seconds, work)
    except httpx2.TimeoutException:
        raise NoAnswer(f"no answer in {seconds:g} s") from None
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        raise NoAnswer(str(error) or type(error).__name__) from None


@dataclass(frozen=True, kw_only=True, slots=True)
class Arriving:
    """An answer whose body is still to be read, once."""

    status: int
    headers: Mapping[str, str]  # by names in any case
    pieces: Iterator[bytes]  # the body as it was sent

    def read(self) -> bytes:
        return b"".join(self.pieces)


class Connections:
    """Requests to one server over connections that are kept between them. Thread-safe.

    Args:
        connect: seconds for a connection to be made.
        silence: seconds for which the server may say nothing while something of it is waited for.
        most: connections at once; further requests wait for one.
    """

    def __init__(self, *, connect: float, silence: float, most: int) -> None:
        self._connect, self._silence, self._most = connect, silence, most

    @cached_property
    def _client(self) -> httpx2.Client:
        import httpx2

        _quiet()
        return httpx2.Client(
            verify=_trusted(),
            timeout=httpx2.Timeout(self._silence, connect=self._connect, pool=None),
            limits=httpx2.Limits(max_connections=self._most, max_keepalive_connections=self._most),
            headers={"User-Agent": "glad", "Accept-Encoding": "identity"},
        )

    @contextmanager
    def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        json: Any = None,
        body: bytes | None = None,
        last: bool = False,
    ) -> Iterator[Arriving]:
        """Send one request; its answer may be read within the block. Redirections are the answer.

        `last`: the connection is closed after it. Raises `NoAnswer`, also when the answer breaks off within the block;
        its text may hold what the request carries.
        """
        import httpx2

        sent = {**headers, "Connection": "close"} if last else headers
        try:
            with self._client.stream(method, url, headers=sent, json=json, content=body) as answer:
                yield Arriving(status=answer.status_code, headers=answer.headers, pieces=answer.iter_raw())
        except httpx2.TimeoutException:
            raise NoAnswer(f"no answer in {self._silence:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise NoAnswer(str(error) or type(error).__name__, lasting=_is_lasting(error)) from None


def _quiet() -> None:
    for chatter in ("httpx2", "httpcore2"):  # they log each answer's headers, whatever a server puts there
        logging.getLogger(chatter).setLevel(logging.WARNING)


def _is_lasting(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return True
        if isinstance(cause, socket.gaierror):
            return cause.errno != socket.EAI_AGAIN
        cause = cause.__cause__ or cause.__context__
    return False


def local_status(port: int | None, path: str, token: str | None = None) -> int | None:
    """The status of the answer to a GET on this machine, without a token or with this one; None: nobody answers.

    By the standard library: most commands ask, and httpx2 would cost each of them a tenth of a second.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _trusted() -> ssl.SSLContext:
    """The authorities that this machine trusts now."""
    usual = ssl.get_default_verify_paths()
    file = os.environ.get(usual.openssl_cafile_env, usual.openssl_cafile)
    folder = os.environ.get(usual.openssl_capath_env, usual.openssl_capath)
    return _trusted_by(file, _changed(file), folder, _changed(folder))


def _changed(path: str) -> int | None:
    """When it last was, in nanoseconds. None: it cannot be read."""
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None


@lru_cache(maxsize=1)
def _trusted_by(*_: str | int | None) -> ssl.SSLContext:
    """As OpenSSL finds them in these places, as of then. Reading them takes as long as a hundred requests."""
    return ssl.create_default_context()
