"""Slugs: a title's place in a URL."""

from __future__ import annotations

import re
from collections.abc import Collection

from anyascii import anyascii

MAX_LENGTH = 200


def slugify(text: str, longest: int = MAX_LENGTH) -> str:
    """`A Quiet Harbour – 港` → `a-quiet-harbour-gang`; any script, never empty, at most `longest` characters."""
    words = re.findall(r"[a-z0-9]+", anyascii(text).replace("'", "").lower())
    slug = ""
    for word in words:
        if slug and len(slug) + 1 + len(word) > longest:
            break
        slug = f"{slug}-{word}" if slug else word[:longest]
    return slug or "post"[:longest]


def free_slug(title: str, prompt_id: int, taken: Collection[str], width: int | None = None) -> str | None:
    """The title's slug, or the same with the prompt's id where that is taken; None if both are."""
    plain = slugify(title, min(width or MAX_LENGTH, MAX_LENGTH))
    return next((slug for slug in (plain, with_id(plain, prompt_id, width)) if slug not in taken), None)


def with_id(slug: str, prompt_id: int, width: int | None = None) -> str:
    """The slug with the prompt's id behind it, shortened to `width` characters."""
    end = f"-{prompt_id}"
    return (slug if width is None else slug[: max(width - len(end), 0)].rstrip("-")) + end
