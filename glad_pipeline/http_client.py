"""HTTP requests of our own: to the blog's site, to the public URLs of pictures, to servers of this machine.

Nothing is followed, sent along or read that the caller has not asked for, and a request is over when its time is. Knows
no room. httpx2 is imported with the first request that leaves this machine.
"""

from __future__ import annotations

import http.client
import logging
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glad_pipeline.deadline import within

READ = 4_096  # bytes of an answer's body, unless the caller wants more


class NoAnswer(Exception):
    """Nobody answers at that address; the text says why."""


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

    for chatter in ("httpx2", "httpcore2"):  # they log each answer's headers, whatever a server puts there
        logging.getLogger(chatter).setLevel(logging.WARNING)

    def work() -> Answer:
        trusted = ssl.create_default_context()
        client = httpx2.Client(verify=trusted, timeout=seconds, follow_redirects=redirects)
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
