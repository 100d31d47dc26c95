"""The blog's site: whether it takes our secret and no other, and shows pictures of our host."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from secrets import token_urlsafe
from urllib.parse import quote, urlsplit

from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.errors import GladError
from glad_pipeline.http_client import NoAnswer, ask
from glad_pipeline.operations.doctor.examination import Deployment, of_error
from glad_pipeline.operations.doctor.lines import not_tested, right, risk, wrong
from glad_pipeline.outbox.targets import Site, is_done
from glad_pipeline.publishing.images import newest

SECONDS = 10.0
POLICY = "Content-Security-Policy"
HARMLESS = ("/",)  # the page that is made anew


def site(deployment: Deployment) -> Iterator[Diagnosis]:
    """`/api/revalidate` takes our secret, and no other."""
    own = deployment.settings
    if own.site_url is None or own.revalidate_secret is None:
        yield not_tested("site", "GLAD_SITE_URL is not set: no site is told which pages have changed")
        return
    address = f"{own.site_url.rstrip('/')}/api/revalidate"
    pages = {"paths": list(HARMLESS), "tags": []}
    try:
        answer = ask("POST", address, seconds=SECONDS, headers={"x-revalidate-secret": token_urlsafe(12)}, json=pages)
    except NoAnswer as error:
        cure = "correct GLAD_SITE_URL, or start the site"
        yield wrong("revalidate", f"{address} does not answer: {error}", cure)
        return
    try:
        Site(url=own.site_url, secret=own.revalidate_secret.get_secret_value()).revalidate(HARMLESS, [])
    except GladError as error:
        yield of_error("revalidate", error)
        return
    yield right("revalidate", f"{address} takes our secret")
    if is_done(answer.status, answer.body):
        cure = "have the route compare x-revalidate-secret with its own secret, and answer 401"
        yield risk("secret", f"{address} takes any secret: anybody may have pages made anew", cure)
    else:
        yield right("secret", f"a wrong secret is refused ({answer.status})")


def images(deployment: Deployment) -> Iterator[Diagnosis]:
    """Next.js is allowed to show pictures of our host."""
    site_url = deployment.settings.site_url
    if site_url is None:
        yield not_tested("images", "GLAD_SITE_URL is not set")
        return
    found = deployment.database.read(partial(newest, limit=1))
    if not found:
        yield not_tested("images", "there is no picture yet to ask the site for")
        return
    url = deployment.store.url(found[0].key)
    host = urlsplit(url).hostname
    try:
        answer = ask("GET", f"{site_url.rstrip('/')}/_next/image?url={quote(url, safe='')}&w=640&q=75", seconds=SECONDS)
    except NoAnswer as error:
        yield not_tested("images", f"the site's /_next/image does not answer: {error}")
        return
    kind = str(answer.headers.get("Content-Type"))
    if answer.status == 400 and b"not allowed" in answer.body:
        cure = f"add {host} to images.remotePatterns in the site's next.config.js"
        yield risk("images", f"the site does not show pictures of {host}", cure)
    elif answer.status == 200 and kind.startswith("image/"):
        yield right("images", f"the site shows pictures of {host}")
    else:
        yield _by_policy(site_url, url, answer.status)


def _by_policy(site_url: str, url: str, status: int) -> Diagnosis:
    """What the site's content security policy says of our pictures, where it shows them as they are."""
    unknown = not_tested("images", f"the site has no /_next/image that we know ({status})")
    try:
        policy = ask("GET", f"{site_url.rstrip('/')}/", seconds=SECONDS, redirects=True).headers.get(POLICY)
    except NoAnswer:
        return unknown
    sources = next((each.split()[1:] for each in (policy or "").split(";") if each.split()[:1] == ["img-src"]), None)
    if sources is None:
        return unknown
    parts = urlsplit(url)
    origin = f"{parts.scheme}://{parts.netloc}"
    if {origin, parts.netloc, f"{parts.scheme}:", "*"} & set(sources):
        return right("images", f"the site's policy lets pages show pictures of {origin}")
    return risk(
        "images",
        f"the site's policy does not let pages show pictures of {origin}",
        f"add {origin} to its GLAD_IMAGE_HOSTS",
    )
