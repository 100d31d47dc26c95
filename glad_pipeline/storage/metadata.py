"""Reads the metadata of an original as untrusted input: whoever may write to the bucket can have written it."""

from __future__ import annotations

import re

from glad_pipeline.display import quoted
from glad_pipeline.storage.keys import thumbnail_key
from glad_pipeline.storage.protocol import StoredObject

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIDE = re.compile(r"[1-9][0-9]{0,4}")  # pixels


def metadata_problem(stored: StoredObject) -> str | None:
    """Why an original with a recipe's hash cannot be catalogued, or None."""
    given = stored.metadata
    right = {
        "sha256": _SHA256.fullmatch(given.get("sha256", "")),
        "width": _SIDE.fullmatch(given.get("width", "")),
        "height": _SIDE.fullmatch(given.get("height", "")),
        "pixels-sha256": "pixels-sha256" not in given or _SHA256.fullmatch(given["pixels-sha256"]),
        "thumbnail": given.get("thumbnail") in (None, thumbnail_key(given.get("recipe-hash", ""))),
    }
    for name, is_right in right.items():
        if not is_right:
            found = quoted(given[name], 80) if name in given else "nothing"
            return f"the metadata of the object {stored.key} was changed: {name} is {found}. Remove the object"
    if not stored.bytes:
        return f"the object {stored.key} is empty: remove it"
    if not stored.content_type.startswith("image/"):
        return f"the object {stored.key} is no image but {quoted(stored.content_type, 80)}: remove it"
    return None
