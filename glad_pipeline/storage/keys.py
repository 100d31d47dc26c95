"""Where a picture lives in the bucket: derived from what it shows, never drawn or dated.

The master list of the objects of one picture: its original, its thumbnail, and its renditions. All have one stem, by
which whatever belongs to a picture is found (CONTRIBUTING, "Another rendition").
"""

from __future__ import annotations

import re

from glad_pipeline.rendition_plan import SUFFIX

PREFIX = "generated/"
QUARANTINE = "quarantine/"  # what an audit takes out of PREFIX, under its old key: no visitor may read it
DEPLOYMENT = ".glad/deployment.json"  # whose the bucket is: the first object that a new one is given
STEM = rf"{PREFIX}[0-9a-f]{{2}}/[0-9a-f]{{32}}"  # what all keys of a picture begin with; of Python and PostgreSQL
_KEY = re.compile(rf"({STEM})(-256\.webp|{SUFFIX}|\.png)$")


def original_key(recipe_hash: str) -> str:
    """The key of the picture with this recipe (64 hex digits): `generated/ab/abcd….png`, 128 bits of the hash.

    Two levels, so that a listing by prefix can be split 256 ways.
    """
    return f"{_stem(recipe_hash)}.png"


def thumbnail_key(recipe_hash: str) -> str:
    """The key of its thumbnail, whose longer side is 256 pixels: `generated/ab/abcd…-256.webp`."""
    return f"{_stem(recipe_hash)}-256.webp"


def rendition_key(original: str, suffix: str) -> str:
    """The key of a rendition of the picture with this original, by `Planned.suffix`: `generated/ab/abcd…-w800.webp`."""
    return f"{stem_of(original)}{suffix}"


def stem_of(original: str) -> str:
    """What the keys of all objects of a picture begin with, and no other picture's: the original's without `.png`."""
    return original.removesuffix(".png")


def is_private(key: str) -> bool:
    """Whether no visitor may read what is under this key: all but PREFIX, such as `quarantine/…` and `.glad/…`."""
    return not key.startswith(PREFIX)


def key_in(text: str) -> str | None:
    """The original's key that a key or a URL ends with, a thumbnail's or a rendition's included; None: with none."""
    found = _KEY.search(text)
    return f"{found[1]}.png" if found else None


def is_of_picture(key: str) -> bool:
    """Whether a key is that of a picture, its thumbnail or a rendition of it, and of nothing else."""
    return _KEY.fullmatch(key) is not None


def is_rendition(key: str) -> bool:
    """Whether a key is one of a rendition; an original's and a thumbnail's are not."""
    found = _KEY.fullmatch(key)
    return found is not None and found[2] not in (".png", "-256.webp")


def _stem(recipe_hash: str) -> str:
    return f"{PREFIX}{recipe_hash[:2]}/{recipe_hash[:32]}"
