"""Whether the settings mean what they are meant to: names that are none, halves, and what contradicts itself."""

from __future__ import annotations

from collections.abc import Iterator

from glad_pipeline.diagnosis import Diagnosis
from glad_pipeline.errors import UsageError
from glad_pipeline.local import stack, web
from glad_pipeline.operations.doctor.examination import Deployment
from glad_pipeline.operations.doctor.lines import not_tested, right, risk, wrong
from glad_pipeline.settings import Settings, unknown_variables


def settings(deployment: Deployment) -> Iterator[Diagnosis]:
    """Unknown names with the nearest right one; a store or database that is named by half, or beside another."""
    own = deployment.given or deployment.settings
    found = [*_halves(own), *_contradictions(own)]
    said = " ".join(each.text for each in found)
    unknown = [each for each in _unknown(deployment) if each.check not in said]  # named there with what it leads to
    yield from unknown
    yield from found
    if not found and not unknown:
        whose = [
            "the database is yours" if own.database_url else "the database is the embedded one",
            "the store is yours" if own.names_store else "the store is the embedded one",
        ]
        yield right("settings", f"each is known, and they go together; {', '.join(whose)}")


def _unknown(deployment: Deployment) -> Iterator[Diagnosis]:
    for name, nearest in unknown_variables(deployment.environment).items():
        cure = f"is {nearest} meant? Rename it" if nearest else "remove it, or see docs/settings.md"
        yield risk(name, f"{name} is no setting and changes nothing", cure)


def _halves(own: Settings) -> Iterator[Diagnosis]:
    for look in (stack.check, stack.check_embedded_store):
        try:
            look(own)
        except UsageError as error:
            yield wrong("settings", str(error), None)


def web_ui(deployment: Deployment) -> Iterator[Diagnosis]:
    """Who may use the web UI is said without contradiction."""
    own = deployment.given or deployment.settings
    if own.web_token is None:  # one is made, which is more than a look
        yield not_tested("web", "GLAD_WEB_TOKEN is not set: ./glad up asks for one of its own")
        return
    try:
        web.access(own)
    except UsageError as error:
        yield wrong("web", str(error), None)
        return
    yield right("web", "who may use the web UI is set")


def _contradictions(own: Settings) -> Iterator[Diagnosis]:
    from glad_pipeline.media.renditions import problem_of

    if problem := problem_of(own.wanted):
        yield wrong("GLAD_RENDITIONS", problem, None)
    base = own.public_base_url
    if base and own.cloudfront_domain and own.cloudfront_domain.lower() not in base.lower():
        yield risk(
            "AWS_CLOUDFRONT_DOMAIN",
            f"it is {own.cloudfront_domain}, and picture URLs begin with GLAD_PUBLIC_BASE_URL, which is another host",
            "unset one of the two",
        )
    if own.cloudfront_distribution_id and not own.picture_base_url:
        yield risk(
            "AWS_CLOUDFRONT_DISTRIBUTION_ID",
            "a distribution is purged of what is taken down, and picture URLs do not lead there",
            "set AWS_CLOUDFRONT_DOMAIN to the distribution's domain, or unset AWS_CLOUDFRONT_DISTRIBUTION_ID",
        )
    if own.cloudfront_domain and not own.cloudfront_distribution_id:
        yield risk(
            "AWS_CLOUDFRONT_DOMAIN",
            "pictures that are taken down stay in the CDN's caches: no distribution is named",
            "set AWS_CLOUDFRONT_DISTRIBUTION_ID",
        )
    if own.s3_endpoint_url and own.s3_endpoint_url.startswith("https://") and (base or "").startswith("http://"):
        yield risk("GLAD_PUBLIC_BASE_URL", "it is http, where the store speaks https", "write it with https://")
