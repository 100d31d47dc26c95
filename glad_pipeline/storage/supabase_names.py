"""Which keys and metadata Supabase Storage takes. Asks nobody."""

from __future__ import annotations

import re
from collections.abc import Mapping

from glad_pipeline.display import quoted
from glad_pipeline.storage.protocol import StoreError

METADATA_BYTES = 2_048  # names and values of an object: as on S3, so that pictures can move from one to the other
_KEY = re.compile(r"[A-Za-z0-9_/!\-.*'() &$@=;:+,?]{1,900}")  # the server's own rule


def is_taken(key: str) -> bool:
    """Whether an object can have this key."""
    return _KEY.fullmatch(key) is not None and not {"", ".", ".."} & set(key.split("/"))


def require_fitting(key: str, metadata: Mapping[str, str], *, where: str) -> None:
    """Raises `StoreError` for a key or metadata that cannot be stored, or not read back as they are."""
    if not is_taken(key):
        raise StoreError(
            f"could not store {quoted(key, 120)} in {where}: Supabase takes no such key. A key has letters and digits "
            "of ASCII, / _ - . and a few other signs, and no part that is empty, . or .."
        )
    if not all(text.isascii() for pair in metadata.items() for text in pair):
        raise StoreError(f"could not store {key} in {where}: its metadata is not ASCII")
    over = sum(len(name) + len(value) for name, value in metadata.items()) - METADATA_BYTES
    if over > 0:
        raise StoreError(
            f"could not store {key} in {where}: its metadata is {over} bytes over the {METADATA_BYTES:,} that are "
            "stored. Shorten it"
        )
