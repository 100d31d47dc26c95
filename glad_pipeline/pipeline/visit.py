"""A picture's public URL visited as a visitor's browser would, before posts are published that show it.

By this address a CDN that does not answer, a domain that is somebody else's or a proxy's login page would get into
posts. One picture, with those of its renditions that its post names, stands for all: they share the address up to the
key. Knows HTTP and the catalogue.
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from glad_pipeline.database import Database
from glad_pipeline.errors import UnavailableError
from glad_pipeline.http_client import Answer, NoAnswer, ask
from glad_pipeline.publishing.images import newest
from glad_pipeline.publishing.public_picture import PublicPicture
from glad_pipeline.records import DuePrompt
from glad_pipeline.settings.stores import PublicCheck
from glad_pipeline.storage.protocol import ObjectStore

SECONDS = 20.0  # one visit, all of it
PAUSES = (0.5, 1.0, 2.0, 3.0, 3.5)  # seconds between visits: a fresh object may be unknown at a CDN's edge for seconds
MORE = 65_536  # bytes that are read beyond the picture's own, to see that there are more
LARGEST = 64_000_000  # bytes that are read at most
CURE = (
    "see that AWS_CLOUDFRONT_DOMAIN or GLAD_PUBLIC_BASE_URL is the address of this bucket, and that anybody may read "
    "generated/*. Where visitors reach it and this machine does not: GLAD_PUBLIC_CHECK=warn, or off; a visit knows "
    "the authorities of SSL_CERT_FILE and the proxy of HTTPS_PROXY, not AWS_CA_BUNDLE and GLAD_S3_PROXY_URL"
)


class NotPublicError(UnavailableError):
    """Visitors would not see the pictures: nothing is published."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expected:
    """What a visitor has to be given at a URL."""

    url: str
    sha256: str  # of the stored bytes, hex
    bytes: int
    width: int  # pixels
    height: int


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Visits for one run."""

    check: PublicCheck  # what follows from a picture that visitors are not given
    warn: Callable[[str], None]
    featured: str = "original"  # what posts show

    def visit(
        self,
        due: Sequence[DuePrompt],
        *,
        mended: Callable[[Sequence[DuePrompt]], Sequence[DuePrompt]] = lambda due: (),
    ) -> bool:
        """Visit the first picture among these that is not taken down, and what else its post names of it; whether
        there was one.

        `mended`: what is due now, where renditions of these pictures were recorded and gone from the store; empty:
        none was. Raises `NotPublicError` where visitors are not given it, unless the settings say to warn only.
        """
        first = next((each for each in due if each.image_removed_at is None), None)
        if first is None:
            return False
        original = Expected(
            url=first.image_url,
            sha256=first.image_sha256,
            bytes=first.image_bytes,
            width=first.image_width,
            height=first.image_height,
        )
        if problem := problem_after_tries(original):
            self._tell(f"visitors are not given the picture of prompt {first.id} at {original.url}: it {problem}", CURE)
            return True
        shown = PublicPicture.of(first, self.featured)
        for url in sorted({shown.url, shown.social} - {original.url}):
            problem = problem_of_address(url)
            if problem and (again := mended(due)):
                return self.visit(again)
            if problem and (problem := _after_tries(partial(problem_of_address, url))):
                text = (
                    f"visitors are given the picture of prompt {first.id}, and not its rendition at {url}: it {problem}"
                )
                self._tell(text, f"if its object is gone, `./glad audit --fix` makes it anew; else {CURE}")
                break
        return True

    def _tell(self, found: str, cure: str) -> None:
        if self.check == "stop":
            raise NotPublicError(f"{found}. Nothing is published, and the pictures wait for the next run: {cure}")
        self.warn(f"{found}. Published all the same, since GLAD_PUBLIC_CHECK={self.check}: {cure}")


def problem_of_newest(database: Database, store: ObjectStore | None = None) -> str | None:
    """Why visitors are not given the newest catalogued picture, by one visit; None: they are, or there is none.

    With `store` one whose object is gone is passed over: that is no fault of the address.
    """
    for image in database.read(partial(newest, limit=1)):
        if store is not None and store.head(image.key) is None:
            return None
        problem = problem_of_picture(
            Expected(url=image.url, sha256=image.sha256, bytes=image.bytes, width=image.width, height=image.height)
        )
        if problem:
            return f"visitors are not given the newest picture at {image.url}: it {problem}. To mend it, {CURE}"
    return None


def problem_after_tries(picture: Expected) -> str | None:
    """Why visitors are not given this picture, after a few tries over about ten seconds; None: they are."""
    return _after_tries(partial(problem_of_picture, picture))


def _after_tries(problem_of: Callable[[], str | None]) -> str | None:
    problem = problem_of()
    for pause in PAUSES:
        if problem is None:
            return None
        time.sleep(pause)
        problem = problem_of()
    return problem


def problem_of_picture(picture: Expected) -> str | None:
    """Why a visitor is not given this picture at its URL, by one visit; None: they are.

    A CDN may have encoded it anew: then it is one of the same width and height.
    """
    try:
        most = min(picture.bytes + MORE, LARGEST)
        answer = ask("GET", picture.url, seconds=SECONDS, redirects=True, most=most)
    except NoAnswer as error:
        return f"does not answer: {error}"
    return problem_of_answer(answer) or _problem_of_body(answer.body, picture)


def problem_of_url(url: str) -> str | None:
    """Why a browser would show no picture at this URL, whichever; None: it would. One request, without the picture."""
    try:
        return problem_of_answer(ask("HEAD", url, seconds=SECONDS, redirects=True))
    except NoAnswer as error:
        return f"does not answer: {error}"


def problem_of_address(url: str) -> str | None:
    """As `problem_of_url`, asked once more by GET: a server may refuse HEAD alone, or have been away for a moment."""
    if problem_of_url(url) is None:
        return None
    try:
        return problem_of_answer(ask("GET", url, seconds=SECONDS, redirects=True))
    except NoAnswer as error:
        return f"does not answer: {error}"


def problem_of_answer(answer: Answer) -> str | None:
    """What is wrong with the answer to a visit, whatever the picture in it."""
    if any(one.startswith("https://") and not other.startswith("https://") for one, other in _steps(answer)):
        return f"leads from https to http, to {answer.addresses[-1]}, which browsers refuse"
    if answer.status in (401, 403):
        return f"answers {answer.status}: visitors may not read it"
    if answer.status != 200:
        return f"answers {answer.status}"
    kind = str(answer.headers.get("Content-Type"))
    return None if kind.startswith("image/") else f"answers with {kind}, not with a picture"


def _steps(answer: Answer) -> Sequence[tuple[str, str]]:
    return list(zip(answer.addresses, answer.addresses[1:], strict=False))


def _problem_of_body(body: bytes, picture: Expected) -> str | None:
    if not body:
        return "answers with nothing"
    if hashlib.sha256(body).hexdigest() == picture.sha256:
        return None
    size = _size(body)
    if size is None:
        return f"answers with {len(body):,} bytes that are no picture, where {picture.bytes:,} were stored"
    if size != (picture.width, picture.height):
        return (
            f"answers with another picture, of {size[0]} × {size[1]} pixels, where one of {picture.width} × "
            f"{picture.height} was stored"
        )
    return None


def _size(body: bytes) -> tuple[int, int] | None:
    """Width and height by a picture's header; None: it is none."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(body)) as image:
            return image.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
