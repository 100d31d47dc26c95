"""A post as the blog's front end reads it: a row of `post_reading.py`, with its picture as `<picture>` needs it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from glad_pipeline.publishing.post_reading import FIELDS
from glad_pipeline.rendition_plan import FORMATS

SIZES = "auto, 100vw"  # `auto`: browsers that see how wide a lazy picture is; a page that knows better says so itself
_NOTHING = dict.fromkeys(FIELDS)
_BEST_FIRST = tuple(reversed(FORMATS))


def post_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """All that readers get of a post. What the blog does not have is None."""
    post = {name: row.get(name) for name in _NOTHING}
    shown = post["featured_image_url"] or post["cover_image_url"]
    alt = row["alt"] or post["title"]
    post["coverImage"] = {"data": {"attributes": {"url": shown, "alternativeText": alt}}}
    post["picture"] = _picture(shown, alt, row["data"]) if shown else None
    return post


def _picture(url: str, alt: str | None, text: str | None) -> dict[str, Any]:
    data = _data_of(url, text)
    srcset = data.get("srcset")
    known = srcset if isinstance(srcset, dict) else {}
    placeholder = data.get("placeholder")
    return {
        "url": url,
        "width": _number(data.get("width")),
        "height": _number(data.get("height")),
        "alt": alt,
        "placeholder": placeholder if isinstance(placeholder, str) and placeholder.startswith("data:image/") else None,
        "sizes": SIZES,
        "srcset": {kind: known[kind] for kind in _BEST_FIRST if isinstance(known.get(kind), str)},
    }


def _data_of(url: str, text: str | None) -> dict[str, Any]:
    """What is noted of the picture: of this one, and not of one that the post showed before, or of somebody else's make."""
    try:
        data = orjson.loads(text) if text else None
    except orjson.JSONDecodeError:  # a number that is too long, say
        data = None
    return data if isinstance(data, dict) and data.get("url") == url else {}


def _number(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None
