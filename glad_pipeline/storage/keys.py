"""Where a picture lives in the bucket: derived from what it shows, never drawn or dated.

The master list of the objects of one picture: its original and its thumbnail. Who uploads, catalogues, deletes, purges
and audits them names both (CONTRIBUTING, "Another rendition").
"""

from __future__ import annotations

import re

PREFIX = "generated/"
QUARANTINE = "quarantine/"  # what an audit takes out of PREFIX, under its old key: no visitor may read it
DEPLOYMENT = ".glad/deployment.json"  # whose the bucket is: the first object that a new one is given
_KEY = re.compile(rf"{PREFIX}[0-9a-f]{{2}}/[0-9a-f]{{32}}(?=(-256\.webp|\.png)$)")


def original_key(recipe_hash: str) -> str:
    """The key of the picture with this recipe (64 hex digits): `generated/ab/abcd….png`, 128 bits of the hash.

    Two levels, so that a listing by prefix can be split 256 ways.
    """
    return f"{_stem(recipe_hash)}.png"


def thumbnail_key(recipe_hash: str) -> str:
    """The key of its thumbnail, whose longer side is 256 pixels: `generated/ab/abcd…-256.webp`."""
    return f"{_stem(recipe_hash)}-256.webp"


def is_private(key: str) -> bool:
    """Whether no visitor may read what is under this key: all but PREFIX, such as `quarantine/…` and `.glad/…`."""
    return not key.startswith(PREFIX)


def key_in(text: str) -> str | None:
    """The original's key that a key or a URL ends with, a thumbnail's included; None where it ends with none."""
    found = _KEY.search(text)
    return f"{found.group()}.png" if found else None


def _stem(recipe_hash: str) -> str:
    return f"{PREFIX}{recipe_hash[:2]}/{recipe_hash[:32]}"
