"""Opens the object store that the settings name. The only module that knows which store that is."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING

from glad_pipeline.errors import UsageError

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings
    from glad_pipeline.storage.protocol import ObjectStore


@dataclass(frozen=True, kw_only=True, slots=True)
class StoreOptions:
    """What a store is opened with."""

    bucket: str  # its name
    region: str  # must be right on AWS, any word for most other stores
    endpoint_url: str | None  # of an S3-compatible store; None: AWS
    access_key_id: str | None  # None: boto3's default chain
    secret_access_key: str | None = field(repr=False)  # goes with it
    session_token: str | None = field(repr=False)  # for temporary credentials only
    public_base_url: str | None  # what precedes the key in a public URL; None: the store's own address

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


def open_store(settings: Settings | StoreOptions, *, patience: float = 0.0) -> ObjectStore:
    """The store of these settings, to which nothing has been said yet.

    `patience`: seconds for which every request is made again while the store answers nobody.
    """
    from glad_pipeline.storage.s3 import S3Store

    options = settings if isinstance(settings, StoreOptions) else StoreOptions.of(settings)
    return S3Store(**{each.name: getattr(options, each.name) for each in fields(options)}, patience=patience)
