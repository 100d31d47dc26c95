"""What an object store is opened with, as the settings name it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from glad_pipeline.errors import UsageError

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """What a store is opened with."""

    bucket: str  # its name
    region: str = "us-east-1"  # must be right on AWS, any word for most other stores
    endpoint_url: str | None = None  # of an S3-compatible store; None: AWS
    access_key_id: str | None = None  # None: boto3's default chain
    secret_access_key: str | None = field(default=None, repr=False)  # goes with it
    session_token: str | None = field(default=None, repr=False)  # for temporary credentials only
    public_base_url: str | None = None  # what precedes the key in a public URL; None: the store's own address
    addressing: str = "auto"  # bucket in the `path` or in the host (`virtual`); auto: virtual on AWS, else path
    checksum: str = "auto"  # how an upload is checked: sha256, md5, read-back; auto: the best that the store does
    sse: str | None = None  # encryption asked of the store: AES256, aws:kms, aws:kms:dsse; None: the bucket's own
    kms_key: str | None = None  # id or ARN of the key, with aws:kms
    requester_pays: bool = False  # whether we pay for requests to somebody else's bucket
    acl: str | None = None  # canned ACL of what is written; None: none is sent
    storage_class: str | None = None  # of what is written; None: the bucket's own
    ca_bundle: str | None = None  # file of CA certificates; None: boto3's own
    proxy_url: str | None = field(default=None, repr=False)  # for requests to the store; None: the environment's

    @classmethod
    def of(cls, settings: Settings) -> StoreOptions:
        """Those that the settings name. Raises `UsageError` where they name no store."""
        if settings.s3_bucket is None:
            raise UsageError("no object store is named: set AWS_S3_BUCKET")
        secrets = (settings.s3_secret_access_key, settings.s3_session_token, settings.s3_proxy_url)
        secret, token, proxy = (each.get_secret_value() if each else None for each in secrets)
        return cls(
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            endpoint_url=settings.s3_endpoint_url,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=secret,
            session_token=token,
            public_base_url=settings.picture_base_url,
            proxy_url=proxy,
            **ways_of(settings),
        )


def ways_of(settings: Settings) -> dict[str, Any]:
    """How requests are made, by the fields of `StoreOptions`: no credentials, addresses or secrets."""
    return {
        "addressing": settings.s3_addressing,
        "checksum": settings.s3_checksum,
        "sse": settings.s3_sse,
        "kms_key": settings.s3_kms_key,
        "requester_pays": settings.s3_requester_pays,
        "acl": settings.s3_acl,
        "storage_class": settings.s3_storage_class,
        "ca_bundle": settings.s3_ca_bundle,
    }
