"""The pictures as visitors have them: by their public URL, through whatever CDN, without credentials."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from functools import partial
from urllib.parse import urlsplit
from uuid import uuid4

from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.guard.hosts import is_loopback
from glad_pipeline.http_client import Answer, NoAnswer, ask
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import not_tested, right, risk, wrong
from glad_pipeline.operations.doctor.of_store import stale_under
from glad_pipeline.outbox.targets import Cdn
from glad_pipeline.pipeline.identity import KEY
from glad_pipeline.pipeline.store_check import under_a_lock
from glad_pipeline.pipeline.visit import CURE, Expected, problem_after_tries, problem_of_picture
from glad_pipeline.publishing.images import newest
from glad_pipeline.storage.keys import PREFIX
from glad_pipeline.storage.protocol import CACHE_CONTROL, ObjectStore

SECONDS = 10.0
PROBE = f"{PREFIX}.glad-doctor-"  # one that is left over is foreign to the audit: it leaves it alone


def public(deployment: Deployment) -> Iterator[Diagnosis]:
    """A picture is given to anybody, as it is, by https, to be kept by browsers; and nothing else is."""
    yield from _left_over(deployment)
    with _picture(deployment) as picture:
        if picture is None:
            yield not_tested("visit", "there is no picture yet, and no more are put beside those that were left over")
            return
        base = urlsplit(picture.url)
        where = f"{base.scheme}://{base.netloc}"
        if deployment.settings.public_check == "off":
            yield not_tested("visit", f"GLAD_PUBLIC_CHECK is off: {where} is not visited")
            return
        is_fresh = picture.url.rpartition("/")[2].startswith(".glad-doctor-")
        if problem := (problem_after_tries if is_fresh else problem_of_picture)(picture):
            yield wrong("visit", f"visitors are not given a picture at {picture.url}: it {problem}", CURE)
            return
        yield right("visit", f"{where} gives anybody a picture as it was stored")
        yield _transport(deployment, picture.url)
        origin = deployment.settings.site_url
        answer = ask(
            "HEAD", picture.url, seconds=SECONDS, redirects=True, headers={"Origin": _origin(origin)} if origin else {}
        )
        yield _cached(answer)
        yield _shared(answer, origin)
    yield from _nothing_else(deployment.store)


@contextmanager
def _picture(deployment: Deployment) -> Iterator[Expected | None]:
    """The newest one, or where there is none a tiny one that is removed again; None: such were left over."""
    store = deployment.store
    if deployment.probed is not None:
        store = store.adapted(deployment.probed.able, under_a_lock(deployment.database))
    for image in deployment.database.read(partial(newest, limit=1)):
        if store.head(image.key) is not None:
            url = store.url(image.key)
            yield Expected(url=url, sha256=image.sha256, bytes=image.bytes, width=image.width, height=image.height)
            return
    if stale_under(PROBE, store):  # they may be what the store does not delete
        yield None
        return
    key, body = f"{PROBE}{uuid4().hex}.png", _tiny()
    store.put_once(key, body, content_type="image/png", metadata={})
    try:
        digest = hashlib.sha256(body).hexdigest()
        yield Expected(url=store.url(key), sha256=digest, bytes=len(body), width=1, height=1)
    finally:
        store.delete([key])


def _tiny() -> bytes:
    import numpy as np

    from glad_pipeline.media.encoding import encode_png

    return encode_png(np.zeros((1, 1, 3), dtype=np.uint8), text={})


def _left_over(deployment: Deployment) -> Iterator[Diagnosis]:
    stale = stale_under(PROBE, deployment.store)
    if not stale:
        return
    if deployment.fix:
        deployment.store.delete(stale)
        yield right("left over", f"removed {len(stale)} objects of doctors that were ended")
    else:
        cure = "./glad doctor --fix removes them"
        yield risk("left over", f"{len(stale)} objects of doctors that were ended are under {PROBE}…", cure)


def _transport(deployment: Deployment, url: str) -> Diagnosis:
    host = urlsplit(url).hostname or ""
    if url.startswith("https://"):
        return right("https", "picture URLs are https")
    if is_loopback(host):
        return right("https", f"picture URLs are of this machine alone ({host})")
    cure = "put a CDN in front (AWS_CLOUDFRONT_DOMAIN), or set GLAD_PUBLIC_BASE_URL to an https address"
    return risk("https", f"picture URLs are http ({host}): pages on https do not show them", cure)


def _cached(answer: Answer) -> Diagnosis:
    said = answer.headers.get("Cache-Control")
    if said == CACHE_CONTROL:
        return right("cache", f"Cache-Control is {CACHE_CONTROL!r}")
    cure = "have the CDN pass on the object's own Cache-Control"
    text = f"Cache-Control is {said!r}, and was stored as {CACHE_CONTROL!r}" if said else "there is no Cache-Control"
    return risk("cache", f"{text}: pictures never change, and are fetched again and again", cure)


def _origin(site: str) -> str:
    parts = urlsplit(site)
    return f"{parts.scheme}://{parts.netloc}"


def _shared(answer: Answer, site: str | None) -> Diagnosis:
    if site is None:
        return not_tested("CORS", "GLAD_SITE_URL is not set: it is not known from where pictures are shown")
    allowed = answer.headers.get("Access-Control-Allow-Origin")
    if allowed in ("*", _origin(site)):
        return right("CORS", f"scripts of {_origin(site)} may read pictures")
    cure = f"add a CORS rule to the bucket, and to the CDN, with GET, HEAD and the origin {_origin(site)}"
    text = f"scripts of {_origin(site)} may not read pictures (Access-Control-Allow-Origin: {allowed})"
    return risk("CORS", text, cure)


def _nothing_else(store: ObjectStore) -> Iterator[Diagnosis]:
    """What is beside `generated/` is nobody's to read: what was taken down or put aside lies there."""
    try:
        answer = ask("GET", store.url(KEY), seconds=SECONDS)
    except NoAnswer:
        return
    if answer.status == 200 and b'"bucket"' in answer.body:
        cure = "limit the bucket's policy, or the CDN, to generated/*"
        yield risk("private", f"anybody may read what is beside {PREFIX}, such as {KEY} and quarantine/", cure)
    else:
        yield right("private", f"nothing beside {PREFIX} is given to visitors")


def cdn(deployment: Deployment) -> Iterator[Diagnosis]:
    """The CloudFront distribution is there, enabled, and the one that picture URLs lead to."""
    own = deployment.settings
    if own.cloudfront_distribution_id is None:
        yield not_tested("cdn", "AWS_CLOUDFRONT_DISTRIBUTION_ID is not set: no distribution is purged")
        return
    found = Cdn(distribution_id=own.cloudfront_distribution_id).look()
    if found.refused:
        yield not_tested("distribution", found.refused, "allow cloudfront:GetDistribution; runs do without")
        return
    if not found.enabled:
        cure = "enable it, or correct AWS_CLOUDFRONT_DISTRIBUTION_ID"
        yield wrong("distribution", f"{own.cloudfront_distribution_id} is disabled: it serves nobody", cure)
    elif own.cloudfront_domain and not _is_among(own.cloudfront_domain, found.domains):
        cure = "correct AWS_CLOUDFRONT_DOMAIN or AWS_CLOUDFRONT_DISTRIBUTION_ID"
        serves = ", ".join(found.domains)
        text = f"{own.cloudfront_distribution_id} serves {serves}, and picture URLs are of {own.cloudfront_domain}"
        yield wrong("distribution", text, cure)
    else:
        yield right("distribution", f"{own.cloudfront_distribution_id} is enabled, {found.status}")


def _is_among(domain: str, domains: Iterable[str]) -> bool:
    """Whether a distribution serves a domain, which may have a port; of its aliases some are like `*.example.com`."""
    host = domain.lower().partition(":")[0]
    return any(fnmatchcase(host, each.lower()) for each in domains)
