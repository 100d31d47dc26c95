"""What an object store is opened with, as the settings name it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

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

    @classmethod
    def of(cls, settings: Settings) -> StoreOptions:
        """Those that the settings name. Raises `UsageError` where they name no store."""
        if settings.s3_bucket is None:
            raise UsageError("no object store is named: set AWS_S3_BUCKET")
        secret, token = settings.s3_secret_access_key, settings.s3_session_token
        return cls(
            bucket=settings.s3_bucket,
            region=settings.s3_region,
            endpoint_url=settings.s3_endpoint_url,
            access_key_id=settings.s3_access_key_id,
            secret_access_key=secret.get_secret_value() if secret else None,
            session_token=token.get_secret_value() if token else None,
            public_base_url=settings.picture_base_url,
        )
