"""How a project's Storage is reached over its REST API: URLs, headers, answers. Knows no promises of a store."""

from __future__ import annotations

import base64
import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from glad_pipeline.http_client import Arriving, Connections, NoAnswer
from glad_pipeline.settings.supabase import payload_of, problem_of_key, problem_of_project_url
from glad_pipeline.storage.protocol import CACHE_CONTROL, CONCURRENCY, StoreError
from glad_pipeline.storage.supabase_errors import Refusal, as_error, misunderstood, refusal_of, unanswered

API = "/storage/v1"
CONNECT, SILENCE = 5.0, 20.0  # seconds
AGAIN_WITHIN = 3.0  # seconds in which a request that got no answer is made again here; longer patience is `Outage`'s
PAUSE = 0.2  # seconds between them

Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """One request: what follows `/storage/v1`, and what goes with it."""

    method: str
    path: str
    headers: Mapping[str, str] | None = None
    json: Any = None
    body: bytes | None = None
    last: bool = False  # on a connection of its own: an upload that is refused early leaves one hanging


class Client:
    """Requests with one key to one project. Thread-safe."""

    def __init__(self, *, project_url: str, key: str | None, place: str) -> None:
        """Raises `StoreError` for an address or a key with which nothing could be stored.

        `place`: the project, for people.
        """
        if problem := problem_of_project_url(project_url):
            raise StoreError(f"SUPABASE_URL cannot be used: {problem}")
        if not key:
            raise StoreError("SUPABASE_URL is set and SUPABASE_KEY is not: set it to the project's secret key")
        if problem := problem_of_key(key):
            raise StoreError(f"SUPABASE_KEY cannot be used: {problem}")
        self.place = place
        self._base = project_url.rstrip("/") + API
        self._headers = {"apikey": key}
        if payload_of(key) is not None:  # the newer keys are no JWT, and gateways refuse them here
            self._headers["Authorization"] = f"Bearer {key}"
        self._connections = Connections(connect=CONNECT, silence=SILENCE, most=2 * CONCURRENCY)

    def ask(
        self,
        doing: str,
        bucket: str,
        sent: Sent,
        *,
        expected: Callable[[Refusal], bool] = lambda _: False,
    ) -> tuple[Any, Mapping[str, str]] | None:
        """The JSON that is answered, and the headers; None: a refusal that was `expected`. Raises `StoreError`."""

        def read(answer: Arriving) -> tuple[Any, Mapping[str, str]]:
            body = answer.read()
            try:
                return json.loads(body), answer.headers
            except ValueError:
                raise misunderstood(doing, bucket, self.place, answer.headers) from None

        return self.read(doing, bucket, sent, read, expected=expected)

    def read(
        self,
        doing: str,
        bucket: str,
        sent: Sent,
        read: Callable[[Arriving], Read],
        *,
        expected: Callable[[Refusal], bool] = lambda _: False,
    ) -> Read | None:
        """What `read` makes of a success; None: a refusal that was `expected`. Raises `StoreError`.

        A request that gets no answer, or one that may pass, is made again for a moment: a kept connection that the
        server has closed meanwhile is no outage.
        """
        until = time.monotonic() + AGAIN_WITHIN
        for tries_left in (2, 1, 0):
            try:
                with self._send(sent) as answer:
                    if answer.status < 300 and "text/html" not in answer.headers.get("content-type", ""):
                        return read(answer)
                    if answer.status < 400:
                        raise misunderstood(doing, bucket, self.place, answer.headers)
                    refusal = refusal_of(answer.status, answer.read())
                if expected(refusal):
                    return None
                error = as_error(refusal, doing, bucket, self.place)
            except NoAnswer as gone:
                error = unanswered(gone, doing, bucket, self.place)
            if not error.transient or not tries_left or time.monotonic() > until:
                break
            time.sleep(PAUSE * random.uniform(0.5, 1.0))  # noqa: S311  not all at the same moment
        raise error from None

    def _send(self, sent: Sent) -> AbstractContextManager[Arriving]:
        return self._connections.ask(
            sent.method,
            f"{self._base}{sent.path}",
            headers={**self._headers, **(sent.headers or {})},
            json=sent.json,
            body=sent.body,
            last=sent.last,
        )


def path_of(*parts: str) -> str:
    """`/object/info/images/generated/ab/….png`, percent-encoded."""
    return "".join(f"/{quote(part, safe='/')}" for part in parts)


def upload(bucket: str, key: str, body: bytes, content_type: str, metadata: Mapping[str, str]) -> Sent:
    """The request that stores an object, over one of the same key."""
    headers = {
        "Content-Type": content_type,
        "Cache-Control": CACHE_CONTROL,
        "x-upsert": "true",
        "x-metadata": base64.b64encode(json.dumps(dict(metadata)).encode()).decode(),
    }
    return Sent(method="POST", path=path_of("object", bucket, key), headers=headers, body=body, last=True)


def is_absent(refusal: Refusal) -> bool:
    return refusal.is_absent


def texts_of(metadata: object) -> Mapping[str, str]:
    """The metadata of an object: of ours, and of what others have put there by hand."""
    given: Collection[tuple[object, object]] = metadata.items() if isinstance(metadata, dict) else ()
    return {str(name): value if isinstance(value, str) else json.dumps(value) for name, value in given}
