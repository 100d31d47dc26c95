"""Whom the outbox tells: the site which pages changed, the store what to delete, the CDN what to forget.

A target that is away, or takes the caller for somebody else, raises `DeliveryError`: the message is delivered again
later. One that refuses a message for what it says raises `Refused`: that message is dead. Knows HTTP and CloudFront.
"""

from __future__ import annotations

import hashlib
import json
import queue
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException, HTTPMessage
from typing import Any, TypeVar

from glad_pipeline.errors import GladError
from glad_pipeline.outbox.messages import Kind, Message
from glad_pipeline.redaction import redact

SECONDS = 15.0  # one request, all of it
READ = 4_096  # bytes of an answer
NOT_THE_MESSAGE = (401, 403, 404, 405, 407, 408, 421, 425, 426, 429)  # 4xx that speak of us, the address or the time
Answer = TypeVar("Answer")


class DeliveryError(GladError):
    """Somebody could not be told, whatever the message was."""


class Refused(GladError):
    """What was sent is refused for what it says."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The blog's site, told over `POST <url>/api/revalidate`."""

    url: str
    secret: str = field(repr=False)
    seconds: float = SECONDS

    def revalidate(self, paths: Sequence[str], tags: Sequence[str]) -> None:
        """Have these pages and tags made anew. Raises `DeliveryError`, `Refused`; the secret is in no message."""
        address = f"{self.url.rstrip('/')}/api/revalidate"
        request = urllib.request.Request(  # noqa: S310  the settings let only http(s) through
            address,
            data=json.dumps({"paths": paths, "tags": tags}).encode(),
            headers={"Content-Type": "application/json", "x-revalidate-secret": self.secret, "User-Agent": "glad"},
            method="POST",
        )
        try:
            status, headers, body = _within(self.seconds, partial(_send, request, self.seconds))
        except (OSError, HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or error
            raise DeliveryError(self._told(f"{address} does not answer: {why or type(error).__name__}")) from None
        fault = _fault(
            status, self._clean(headers.get("Location") or "nowhere"), self._clean(body.decode("utf-8", "replace"))
        )
        if fault is not None:
            kind = Refused if _is_about_the_message(status) else DeliveryError
            raise kind(self._told(f"{address} answers {status}{fault}"))

    def _clean(self, text: str) -> str:
        return text.replace(self.secret, "(secret)")

    def _told(self, text: str) -> str:
        return _plain(self._clean(text), 400)


def _is_about_the_message(status: int) -> bool:
    return 200 <= status < 300 or (400 <= status < 500 and status not in NOT_THE_MESSAGE)


def _fault(status: int, location: str, body: str) -> str | None:
    """What an answer has to complain about, or None where the site has done it."""
    words = f": {text}" if (text := _plain(body, 120)) else ""
    if 200 <= status < 300:
        try:
            told = json.loads(body)
        except ValueError:
            return None
        done = not isinstance(told, dict) or (told.get("revalidated") is not False and told.get("success") is not False)
        return None if done else words
    if 300 <= status < 400:
        return f", a redirection to {_plain(location, 120)}: set GLAD_SITE_URL to where it leads"
    if status in (401, 403):
        return ": it does not take our secret. GLAD_REVALIDATE_SECRET has to be the site's own"
    if status in (404, 405):
        return ": there is no such route. Check GLAD_SITE_URL, and that the site has /api/revalidate"
    return words


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The secret goes to nobody but the site."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _send(request: urllib.request.Request, seconds: float) -> tuple[int, HTTPMessage, bytes]:
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        answer = opener.open(request, timeout=seconds)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read(READ)


def _within(seconds: float, call: Callable[[], Answer]) -> Answer:
    """`call()` on a thread of its own that is left behind when the time is over: a socket's time-out bounds each
    read, not all of them, and no time-out bounds the search for an address. Raises `TimeoutError`."""
    done: queue.SimpleQueue[tuple[Answer | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            done.put((call(), None))
        except BaseException as error:  # noqa: BLE001  handed to the caller
            done.put((None, error))

    threading.Thread(target=work, name="glad-tell", daemon=True).start()
    try:
        answer, error = done.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"nothing within {seconds:g} s") from None
    if error is not None:
        raise error
    return answer  # type: ignore[return-value]  # None only where call() says so


@dataclass(frozen=True, kw_only=True)
class Cdn:
    """A CloudFront distribution; credentials by boto3's default chain, endpoint by AWS_ENDPOINT_URL_CLOUDFRONT."""

    distribution_id: str

    def purge(self, paths: Sequence[str], reference: str) -> None:
        """Have these paths forgotten; the same reference again is the same request. Raises as `Site.revalidate`."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client().create_invalidation(
                DistributionId=self.distribution_id,
                InvalidationBatch={
                    "Paths": {"Quantity": len(paths), "Items": list(paths)},
                    "CallerReference": reference,
                },
            )
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            text = _plain(f"CloudFront refuses to purge {self.distribution_id}: {CURES.get(code, error)}", 400)
            raise (Refused if code in ABOUT_THE_MESSAGE else DeliveryError)(text) from None
        except (BotoCoreError, ValueError) as error:
            raise DeliveryError(_plain(f"CloudFront does not answer: {error}", 400)) from None

    @staticmethod
    def _client() -> Any:
        import boto3
        from botocore.config import Config

        config = Config(connect_timeout=5, read_timeout=SECONDS, retries={"mode": "standard", "total_max_attempts": 2})
        return boto3.session.Session().client("cloudfront", region_name="us-east-1", config=config)


ABOUT_THE_MESSAGE = ("InvalidArgument", "BatchTooLarge", "InconsistentQuantities", "MissingBody")
CURES = {
    "AccessDenied": "these credentials may not do that, they need cloudfront:CreateInvalidation",
    "NoSuchDistribution": "there is no such distribution: correct AWS_CLOUDFRONT_DISTRIBUTION_ID",
    "TooManyInvalidationsInProgress": "too many purges are under way",
}


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Who is told. None: nobody, and the messages are skipped."""

    site: Site | None
    cdn: Cdn | None
    delete: Callable[[Sequence[Message]], None]  # removes the objects of these messages; raises `GladError`
    url: Callable[[str], str] | None = None  # the public URL of a key, as the CDN is set up now

    def of(self, kind: Kind) -> tuple[Callable[[Sequence[Message]], None], None] | tuple[None, str]:
        """How messages of this kind are told together, or why nobody is."""
        if kind == "delete":
            return self._delete, None
        if kind == "revalidate":
            return (self._revalidate, None) if self.site else (None, "GLAD_SITE_URL is not set")
        return (self._purge, None) if self.cdn else (None, "AWS_CLOUDFRONT_DISTRIBUTION_ID is not set")

    def _revalidate(self, messages: Sequence[Message]) -> None:
        assert self.site is not None  # noqa: S101
        self.site.revalidate(joined(messages, "paths"), joined(messages, "tags"))

    def _delete(self, messages: Sequence[Message]) -> None:
        self.delete(messages)

    def _purge(self, messages: Sequence[Message]) -> None:
        assert self.cdn is not None  # noqa: S101
        paths = joined(messages, "paths")
        known = {self.url(path.removeprefix("/")) for path in paths} if self.url else set()
        if strange := [url for url in joined(messages, "urls") if self.url and url not in known]:
            raise Refused(
                f"visitors know the picture as {strange[0]}, which the CDN of the settings does not serve: purge it "
                "there, with AWS_CLOUDFRONT_DOMAIN and AWS_CLOUDFRONT_DISTRIBUTION_ID of that CDN for one command: "
                "`glad outbox retry --dead`, then `glad outbox deliver`"
            )
        told = json.dumps([[message.id for message in messages], paths])
        self.cdn.purge(paths, f"glad-{hashlib.sha256(told.encode()).hexdigest()[:40]}")


def targets(
    *,
    site_url: str | None,
    secret: str | None,
    distribution_id: str | None,
    delete: Callable[[Sequence[Message]], None],
    url: Callable[[str], str] | None = None,
) -> Targets:
    """The targets of these settings."""
    return Targets(
        site=Site(url=site_url, secret=secret) if site_url and secret else None,
        cdn=Cdn(distribution_id=distribution_id) if distribution_id else None,
        delete=delete,
        url=url,
    )


def joined(messages: Sequence[Message], name: str) -> list[str]:
    """What the messages' payloads have under this name, each once, in order."""
    return list(dict.fromkeys(text for message in messages for text in _texts(message.payload, name)))


def _texts(payload: Mapping[str, Any], name: str) -> list[str]:
    found = payload.get(name) if isinstance(payload, Mapping) else None
    return [str(text) for text in found] if isinstance(found, list) else []


def _plain(text: str, longest: int) -> str:
    """One printable line."""
    text = redact(text)  # before it is cut
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"
