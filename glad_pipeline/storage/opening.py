"""Opens the object store that the settings name. The only module that knows which store that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from glad_pipeline.storage.options import StoreOptions

if TYPE_CHECKING:
    from glad_pipeline.settings import Settings
    from glad_pipeline.storage.protocol import ObjectStore


def open_store(settings: Settings | StoreOptions, *, patience: float = 0.0) -> ObjectStore:
    """The store of these settings, to which nothing has been said yet.

    `patience`: seconds for which every request is made again while the store answers nobody.
    """
    from glad_pipeline.storage.s3 import S3Store

    options = settings if isinstance(settings, StoreOptions) else StoreOptions.of(settings)
    return S3Store(**vars(options), patience=patience)
