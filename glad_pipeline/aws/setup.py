"""`glad storage setup` and `check`: all parts looked at in order, and those that differ changed in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from glad_pipeline.aws import bucket, stack
from glad_pipeline.aws.access import Access, AwsError, Refused, partition_of
from glad_pipeline.aws.parts import Part, Tell, denied
from glad_pipeline.aws.policies import Place
from glad_pipeline.diagnosis import Level
from glad_pipeline.errors import UsageError
from glad_pipeline.storage.options import S3Options, options_of

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ORIGIN = re.compile(r"https?://[^/\s?#@,]+")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_CERTIFICATE = re.compile(r"arn:aws:acm:us-east-1:[0-9]{12}:certificate/[A-Za-z0-9-]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What was asked for, checked."""

    access: Access
    bucket: bucket.Wanted
    cdn: stack.Wanted | None  # None: no CDN is asked for


def access_of(settings: Settings) -> Access:
    """To the bucket of the settings. Raises `UsageError` where they name none, or another kind of store."""
    if settings.store_kind is None:
        raise UsageError("no bucket is named: set AWS_S3_BUCKET")
    options = options_of(settings) if settings.store_kind == "s3" else None
    if not isinstance(options, S3Options):
        raise UsageError(
            f"this is for buckets on S3, and the pictures are kept by {settings.store_kind}, which needs none of it: "
            "set AWS_S3_BUCKET (and GLAD_STORE=s3)"
        )
    if not _BUCKET.fullmatch(options.bucket) or ".." in options.bucket:
        raise UsageError(f"AWS_S3_BUCKET {options.bucket!r} is no bucket's name: 3 to 63 of a-z, 0-9, - and . are one")
    return Access(options=options)


def place_of(settings: Settings) -> Place:
    """What policies are made of. Raises `UsageError` for a region that no partition has."""
    access = access_of(settings)
    return Place(
        bucket=access.bucket,
        region=access.region,
        partition=partition_of(access.region) if access.is_aws else "aws",
        distribution=settings.cloudfront_distribution_id,
        kms_key=settings.s3_kms_key,
        acl=settings.s3_acl,
    )


def wish_of(
    settings: Settings,
    *,
    cdn: bool,
    origins: Iterable[str] = (),
    domain: str | None = None,
    certificate: str | None = None,
) -> Wish:
    """What is to be set up. Raises `UsageError` for what cannot be."""
    access = access_of(settings)
    if (domain is not None or certificate) and not cdn:
        raise UsageError("--domain and --certificate go with --cdn")
    if bool(domain) != bool(certificate):
        raise UsageError("--domain and --certificate go together: the certificate has to be of that domain")
    if domain and not _HOST.fullmatch(domain):
        raise UsageError(f"--domain {domain!r} is no host name in lower case: write it as in cdn.example.com")
    if certificate and not _CERTIFICATE.fullmatch(certificate):
        raise UsageError(
            f"--certificate {certificate!r} is none that CloudFront takes: it has to be ACM's ARN in us-east-1, "
            "arn:aws:acm:us-east-1:…:certificate/…"
        )
    if cdn:
        _check_cloudfront(access)
    given = tuple(origins)
    if wrong := [each for each in given if not _ORIGIN.fullmatch(each)]:
        raise UsageError(f"--origin {wrong[0]!r} is no origin: write it as in https://example.com, without a path")
    known = (*origins_of(settings.site_url), *given) if settings.site_url else given
    known = tuple(dict.fromkeys(known))
    wanted = stack.Wanted(origins=known or None, domain=domain, certificate="" if domain == "" else certificate)
    return Wish(access=access, bucket=bucket.Wanted(origins=known, acl=settings.s3_acl), cdn=wanted if cdn else None)


def origins_of(url: str) -> tuple[str, ...]:
    """The origin of a site's URL, and the same with or without `www.`."""
    parts = urlsplit(url)
    own = f"{parts.scheme}://{parts.netloc.lower()}"
    host = parts.hostname or ""
    if host.startswith("www."):
        return own, own.replace("://www.", "://", 1)
    is_name = host.count(".") == 1 and not host.rpartition(".")[2].isdigit()
    return (own, own.replace("://", "://www.", 1)) if is_name else (own,)


def _check_cloudfront(access: Access) -> None:
    if not access.is_aws:
        raise UsageError(
            f"--cdn deploys CloudFront, which reads from AWS alone, and AWS_ENDPOINT_URL_S3 is "
            f"{access.options.endpoint_url}: unset it, or put a CDN of that store's provider in front"
        )
    if (partition := partition_of(access.region)) != "aws":
        raise UsageError(
            f"--cdn deploys CloudFront, and {access.region} is of the partition {partition}, which has "
            "another or none: set a CDN up by hand (./glad storage policy reader) and name it in AWS_CLOUDFRONT_DOMAIN"
        )


def look(wish: Wish) -> list[Part]:
    """All parts, as they are beside how they are wanted. Changes nothing. Raises `AwsError`."""
    parts = bucket.look(wish.access, wish.bucket)
    if wish.cdn is not None:
        parts += stack.Stack(access=wish.access).look(wish.cdn)
    return parts


def check(settings: Settings) -> list[Part]:
    """All parts; of the CDN whatever there is. Changes nothing. Raises `AwsError`."""
    wish = wish_of(settings, cdn=False)
    parts = bucket.look(wish.access, wish.bucket)
    for each in parts:
        if each.name == "bucket" and each.change:
            return [
                Part(
                    name="bucket",
                    level=Level.ERROR,
                    text=f"there is no bucket {wish.access.bucket}",
                    change=each.change,
                )
            ]
    if wish.access.is_aws:
        own = stack.Stack(access=wish.access)
        found = own.look(stack.Wanted(origins=wish.bucket.origins or None), is_wanted=False)
        parts += [*found, *_named(settings, own)]
    return parts


def _named(settings: Settings, own: stack.Stack) -> list[Part]:
    """Whether the settings lead to the stack's CDN."""
    try:
        found = own.find()
    except Refused:  # said already
        return []
    lines = []
    for name, wanted in stack.settings_of(own.access, found.outputs if found else {}).items():
        is_now = {
            "AWS_CLOUDFRONT_DOMAIN": settings.cloudfront_domain,
            "AWS_CLOUDFRONT_DISTRIBUTION_ID": settings.cloudfront_distribution_id,
        }.get(name, wanted)
        if is_now != wanted:
            text = f"{name} is {is_now or 'not set'}, and the stack's CDN has {wanted}"
            lines.append(Part(name="settings", level=Level.WARNING, text=text, cure=f"set {name}={wanted}"))
    return lines


def settings_for(wish: Wish) -> dict[str, str]:
    """The settings that lead to what was set up. Raises `AwsError`."""
    found = stack.Stack(access=wish.access).find() if wish.cdn is not None else None
    return stack.settings_of(wish.access, found.outputs if found else {})


def change(parts: Iterable[Part], tell: Callable[[Part], None], tell_of: Tell) -> bool:
    """Make what differs as it is wanted, in order. Returns whether all of it went through.

    A right that is lacking ends its own part: the others are changed all the same, but nothing of a bucket that could
    not be made. `tell` is given each part once it is done or has failed.
    """
    whole = True
    for part in parts:
        if part.change is None:
            continue
        try:
            part.change(tell_of)
            tell(replace(part, level=Level.OK, change=None))
        except AwsError as error:
            whole = False
            failed = denied(part.name, error) if isinstance(error, Refused) and error.is_denied else None
            tell(failed or Part(name=part.name, level=Level.ERROR, text=str(error)))
            if part.name == "bucket":
                break
    return whole
