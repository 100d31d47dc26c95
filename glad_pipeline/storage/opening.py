"""Opens the object store that the settings name. The only module that knows which store that is."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from glad_pipeline.storage.options import S3Options, StoreOptions, VolumeOptions, options_of

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings
    from glad_pipeline.storage.protocol import ObjectStore


def open_store(settings: Settings | StoreOptions, *, patience: float = 0.0) -> ObjectStore:
    """The store of these settings, to which nothing has been said yet.

    `patience`: seconds for which every request is made again while the store answers nobody.
    """
    options = settings if isinstance(settings, StoreOptions) else options_of(settings)
    if isinstance(options, S3Options):
        return _open_s3(options, patience)
    if isinstance(options, VolumeOptions):
        from glad_pipeline.storage.volume import VolumeStore

        return VolumeStore(**vars(options), patience=patience)
    opened: ObjectStore = import_module("glad_pipeline.storage.supabase").SupabaseStore(
        **vars(options), patience=patience
    )
    return opened


def _open_s3(options: S3Options, patience: float) -> ObjectStore:
    from glad_pipeline.storage.memory import SCHEME, MemoryStore
    from glad_pipeline.storage.s3 import S3Store

    if options.endpoint_url and options.endpoint_url.startswith(SCHEME):  # no setting can say so: tests alone do
        return MemoryStore(
            bucket=options.bucket,
            place=options.endpoint_url,
            secret_access_key=options.secret_access_key,
            public_base_url=options.public_base_url,
            patience=patience,
        )
    return S3Store(**vars(options), patience=patience)


def warm_up(options: StoreOptions) -> None:
    """Import what the first request would import. Asks nobody, and looks for no credentials."""
    if isinstance(options, S3Options):
        for name in ("boto3.session", "botocore.config", "botocore.credentials", "botocore.endpoint"):
            import_module(name)
