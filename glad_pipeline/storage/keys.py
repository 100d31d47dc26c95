"""Where a picture lives in the bucket: derived from what it shows, never drawn or dated."""

from __future__ import annotations

PREFIX = "generated/"


def original_key(recipe_hash: str) -> str:
    """The key of the picture with this recipe (64 hex digits): `generated/ab/abcd….png`, 128 bits of the hash.

    Two levels, so that a listing by prefix can be split 256 ways.
    """
    return f"{PREFIX}{recipe_hash[:2]}/{recipe_hash[:32]}.png"
