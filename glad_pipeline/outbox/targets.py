"""Whom the outbox tells: the site which pages changed, the store what to delete, the CDN what to forget.

A target is a class here and a field of `Targets`, made by `targets`. It takes the messages of one kind, which the
transaction that makes something true writes (`messages.py`).

A target that does not answer, or that refuses our credentials, raises `DeliveryError`: the message is delivered again
later. One that refuses a message for what it says raises `Refused`: that message is dead. Knows HTTP and CloudFront.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from glad_pipeline.boto_sessions import new_session
from glad_pipeline.display import one_line
from glad_pipeline.errors import GladError
from glad_pipeline.http_client import NoAnswer, ask
from glad_pipeline.outbox.messages import Kind, Message
from glad_pipeline.redaction import redact

SECONDS = 15.0  # one request, all of it
NOT_THE_MESSAGE = (401, 403, 404, 405, 407, 408, 421, 425, 426, 429)  # 4xx that speak of us, the address or the time


class DeliveryError(GladError):
    """Somebody could not be notified, whatever the message was."""


class Refused(GladError):
    """What was sent is refused for what it says."""


@dataclass(frozen=True, kw_only=True)
class Site:
    """The blog's site, notified over `POST <url>/api/revalidate`."""

    url: str
    secret: str = field(repr=False)
    seconds: float = SECONDS

    def revalidate(self, paths: Sequence[str], tags: Sequence[str]) -> None:
        """Have these pages and tags made anew. Raises `DeliveryError`, `Refused`; the secret is in no message."""
        address = f"{self.url.rstrip('/')}/api/revalidate"
        pages = {"paths": list(paths), "tags": list(tags)}
        headers = {"x-revalidate-secret": self.secret}
        try:
            answer = ask("POST", address, seconds=self.seconds, headers=headers, json=pages)
        except NoAnswer as error:
            raise DeliveryError(self._in_words(f"{address} does not answer: {error}")) from None
        status, location = answer.status, answer.headers.get("Location") or "nowhere"
        problem = _problem(status, self._clean(location), self._clean(answer.body.decode("utf-8", "replace")))
        if problem is not None:
            kind = Refused if _is_about_the_message(status) else DeliveryError
            raise kind(self._in_words(f"{address} answers {status}{problem}"))

    def _clean(self, text: str) -> str:
        return text.replace(self.secret, "(secret)")

    def _in_words(self, text: str) -> str:
        return one_line(redact(self._clean(text)), 400)


def is_done(status: int, body: bytes) -> bool:
    """Whether a site that answers so has made the pages anew."""
    return 200 <= status < 300 and _problem(status, "", body.decode("utf-8", "replace")) is None


def _is_about_the_message(status: int) -> bool:
    return 200 <= status < 300 or (400 <= status < 500 and status not in NOT_THE_MESSAGE)


def _problem(status: int, location: str, body: str) -> str | None:
    """What an answer has to complain about, or None where the site has done it."""
    words = f": {text}" if (text := one_line(redact(body), 120)) else ""
    if 200 <= status < 300:
        try:
            answer = json.loads(body)
        except ValueError:
            return None
        done = not isinstance(answer, dict) or (
            answer.get("revalidated") is not False and answer.get("success") is not False
        )
        return None if done else words
    if 300 <= status < 400:
        return f", a redirection to {one_line(redact(location), 120)}: set GLAD_SITE_URL to where it leads"
    if status in (401, 403):
        return ": it does not take our secret. GLAD_REVALIDATE_SECRET has to be the site's own"
    if status in (404, 405):
        return ": there is no such route. Check GLAD_SITE_URL, and that the site has /api/revalidate"
    return words


@dataclass(frozen=True, kw_only=True, slots=True)
class Distribution:
    """What CloudFront says of a distribution."""

    enabled: bool = False  # whether it serves anybody
    status: str = ""  # `Deployed`, or `InProgress`
    domains: tuple[str, ...] = ()  # by which it is reached
    refused: str | None = None  # why nothing is known of it; else None


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
            text = one_line(
                redact(f"CloudFront refuses to purge {self.distribution_id}: {CURES.get(code, error)}"), 400
            )
            raise (Refused if code in ABOUT_THE_MESSAGE else DeliveryError)(text) from None
        except (BotoCoreError, ValueError) as error:
            raise DeliveryError(one_line(redact(f"CloudFront does not answer: {error}"), 400)) from None

    def look(self) -> Distribution:
        """What CloudFront says of it. Raises `DeliveryError` where there is none, or CloudFront does not answer."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            found = self._client().get_distribution(Id=self.distribution_id)["Distribution"]
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code == "AccessDenied":
                return Distribution(refused=f"these credentials may not look at {self.distribution_id}")
            said = CURES.get(code, str(error))
            raise DeliveryError(one_line(f"CloudFront does not show {self.distribution_id}: {said}", 400)) from None
        except (BotoCoreError, ValueError) as error:
            raise DeliveryError(one_line(redact(f"CloudFront does not answer: {error}"), 400)) from None
        config = found["DistributionConfig"]
        aliases = config.get("Aliases", {}).get("Items", [])
        return Distribution(
            enabled=bool(config["Enabled"]), status=found["Status"], domains=(found["DomainName"], *aliases)
        )

    @staticmethod
    def _client() -> Any:
        from botocore.config import Config

        config = Config(connect_timeout=5, read_timeout=SECONDS, retries={"mode": "standard", "total_max_attempts": 2})
        return new_session().client("cloudfront", region_name="us-east-1", config=config)


ABOUT_THE_MESSAGE = ("InvalidArgument", "BatchTooLarge", "InconsistentQuantities", "MissingBody")
CURES = {
    "AccessDenied": "these credentials may not do that, they need cloudfront:CreateInvalidation",
    "NoSuchDistribution": "there is no such distribution: correct AWS_CLOUDFRONT_DISTRIBUTION_ID",
    "TooManyInvalidationsInProgress": "too many purges are under way",
}


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Who is notified. None: nobody, and the messages are skipped."""

    site: Site | None
    cdn: Cdn | None
    delete: Callable[[Sequence[Message]], None]  # removes the objects of these messages; raises `GladError`
    url: Callable[[str], str] | None = None  # the public URL of a key, as the CDN is set up now

    def of(self, kind: Kind) -> tuple[Callable[[Sequence[Message]], None], None] | tuple[None, str]:
        """How messages of this kind are delivered together, or why nobody is."""
        if kind == "delete":
            return self.delete, None
        if kind == "revalidate":
            return (self._revalidate, None) if self.site else (None, "GLAD_SITE_URL is not set")
        return (self._purge, None) if self.cdn else (None, "AWS_CLOUDFRONT_DISTRIBUTION_ID is not set")

    def _revalidate(self, messages: Sequence[Message]) -> None:
        assert self.site is not None  # noqa: S101
        self.site.revalidate(joined(messages, "paths"), joined(messages, "tags"))

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
        contents = json.dumps([[message.id for message in messages], paths])
        self.cdn.purge(paths, f"glad-{hashlib.sha256(contents.encode()).hexdigest()[:40]}")


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
