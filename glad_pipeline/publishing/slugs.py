"""Slugs: a title's place in a URL."""

from __future__ import annotations

import re
from collections.abc import Collection

from anyascii import anyascii

MAX_LENGTH = 200


def slugify(text: str) -> str:
    """`A Quiet Harbour – 港` → `a-quiet-harbour-gang`; any script, never empty, at most 200 characters."""
    words = re.findall(r"[a-z0-9]+", anyascii(text).replace("'", "").lower())
    slug = ""
    for word in words:
        if slug and len(slug) + 1 + len(word) > MAX_LENGTH:
            break
        slug = f"{slug}-{word}" if slug else word[:MAX_LENGTH]
    return slug or "post"


def free_slug(title: str, prompt_id: int, taken: Collection[str]) -> str | None:
    """The title's slug, or the same with the prompt's id where that is taken; None if both are."""
    plain = slugify(title)
    return next((slug for slug in (plain, with_id(plain, prompt_id)) if slug not in taken), None)


def with_id(slug: str, prompt_id: int) -> str:
    return f"{slug}-{prompt_id}"
