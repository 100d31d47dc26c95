"""How S3 is reached and what requests say: boto3's client, checksums, and where visitors find a bucket."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glad_pipeline.boto_sessions import new_session
from glad_pipeline.display import quoted
from glad_pipeline.storage.options import S3Options
from glad_pipeline.storage.protocol import CONCURRENCY, StoreError
from glad_pipeline.storage.s3_direct import Direct
from glad_pipeline.storage.s3_errors import refuse_pages

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

TRIED = (4, 48)  # SeaweedFS's version
USER_AGENT = "glad Boto3"  # botocore composes its own anew for each request, a tenth of what a PUT costs


def client_of(options: S3Options, heard: dict[str, str], *, signed: bool = True) -> S3Client:
    """A client of these options alone. Raises `StoreError` for a file of certificates that is not there.

    `heard` is given the headers of every answer. `signed`: whether requests have a signature, as no visitor's have.
    """
    from botocore import UNSIGNED
    from botocore.config import Config

    if options.ca_bundle and not Path(options.ca_bundle).exists():
        raise StoreError(f"AWS_CA_BUNDLE is {quoted(options.ca_bundle, 200)}, and there is no such file: correct it")
    session = new_session(
        aws_access_key_id=options.access_key_id,
        aws_secret_access_key=options.secret_access_key,
        aws_session_token=options.session_token,
        region_name=options.region,
    )
    client = session.client(
        "s3",
        endpoint_url=options.endpoint_url,
        verify=options.ca_bundle,
        config=Config(
            user_agent=USER_AGENT,
            signature_version="s3v4" if signed else UNSIGNED,
            s3={"addressing_style": style_of(options), "payload_signing_enabled": False},
            request_checksum_calculation="when_required",  # ours is sent; boto3's default costs twice the CPU
            response_checksum_validation="when_required",
            # a store that swallows everything holds a thread for 4 × 25 s and pauses, HEAD and PUT for 5 × 25;
            # patience is `Outage`'s
            retries={"mode": "standard", "max_attempts": 3},
            connect_timeout=5,
            read_timeout=20,
            max_pool_connections=2 * CONCURRENCY,
            proxies={"http": options.proxy_url, "https": options.proxy_url} if options.proxy_url else None,
        ),
    )
    client.meta.events.register("before-parse.s3", refuse_pages)
    client.meta.events.register(
        "before-parse.s3", lambda response_dict, **_: heard.update(server=response_dict["headers"].get("server", ""))
    )
    return client


class Opened:
    """A client of these options, and what goes by it. Raises as `client_of`."""

    def __init__(self, options: S3Options) -> None:
        self.heard: dict[str, str] = {}  # headers of the last answer, as far as they tell what the store is
        self.client = client_of(options, self.heard)
        self.direct = Direct(self.client, options.bucket)


def is_tried(options: S3Options, heard: Mapping[str, str]) -> bool:
    """Whether it is a SeaweedFS on this machine of the embedded one's version or newer: what it does our tests try."""
    if not (options.endpoint_url or "").startswith("http://127.0.0.1:"):
        return False
    version = re.fullmatch(r"SeaweedFS (?:\S+ )?([0-9]+)\.([0-9]+)", heard.get("server", ""))
    return version is not None and (int(version[1]), int(version[2])) >= TRIED


def style_of(options: S3Options) -> Any:
    """`path` or `virtual`. boto3 puts a bucket with a dot in its name into the path all the same: no certificate is
    valid for it as a host."""
    if options.addressing != "auto":
        return options.addressing
    return "path" if options.endpoint_url else "virtual"


def public_base_of(options: S3Options) -> str:
    """What precedes `/key` in the URL at which the store itself shows a bucket to visitors."""
    if options.endpoint_url and style_of(options) == "path":
        return f"{options.endpoint_url.rstrip('/')}/{options.bucket}"
    return _resolved(options.bucket, options.region, options.endpoint_url, style_of(options))


@cache
def _resolved(bucket: str, region: str, endpoint_url: str | None, style: Any) -> str:
    """By boto3's own rules: partitions such as China's, and FIPS and dual-stack where its variables ask for them."""
    from botocore import UNSIGNED
    from botocore.config import Config

    session = new_session(aws_access_key_id="nobody", aws_secret_access_key="nobody", region_name=region)  # noqa: S106
    config = Config(
        signature_version=UNSIGNED, s3={"addressing_style": style, "us_east_1_regional_endpoint": "regional"}
    )
    client = session.client("s3", endpoint_url=endpoint_url, config=config)
    url = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "key"})
    return url.partition("?")[0].removesuffix("/key")


def checked_by(checksum: str, body: bytes) -> dict[str, Any]:
    """What a PUT of these bytes says for the store to check them."""
    if checksum == "sha256":
        return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode()}
    if checksum == "md5":
        return {"ContentMD5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}
    return {}
