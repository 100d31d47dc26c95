"""A picture as posts show it: its address, the one for social networks, and what a page needs for `<img srcset>`.

Pure: renditions that are not there are done without, down to the original.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glad_pipeline.publishing.renditions import focuses_of
from glad_pipeline.records import DuePrompt
from glad_pipeline.rendition_plan import CENTRE, FORMATS, Wanted, featured_of, planned
from glad_pipeline.storage.keys import rendition_key

DATA = "featured_image_data"  # column of posts, or else a name in their metadata, that has `PublicPicture.data`
_SOCIAL = Wanted(widths=(), formats=(), placeholder=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class PublicPicture:
    """The addresses of one picture."""

    url: str  # that of GLAD_FEATURED
    original: str
    social: str  # 1200 × 630 pixels, where there is one
    data: Mapping[str, Any] | None  # url, width, height, placeholder, srcset by format; None: it has no renditions

    @classmethod
    def of(cls, prompt: DuePrompt, featured: str = "original", *, longest: int | None = None) -> PublicPicture:
        """Of a picture that is due. `longest`: characters that the blog takes as an address; None: any."""
        original, base = prompt.image_url, prompt.image_url.removesuffix(prompt.image_key)
        if base == original or not (prompt.image_renditions or prompt.image_placeholder):
            return cls(url=original, original=original, social=original, data=None)
        urls = {each["key"]: f"{base}{each['key']}" for each in prompt.image_renditions}
        short = {key: url for key, url in urls.items() if longest is None or len(url) <= longest}
        url = short.get(_featured(prompt, featured), original)
        return cls(
            url=url,
            original=original,
            social=_social(prompt, short) or original,
            data={
                "url": url,
                "width": prompt.image_width,
                "height": prompt.image_height,
                "placeholder": prompt.image_placeholder,
                "srcset": {kind: text for kind in FORMATS if (text := _srcset(prompt, kind, urls))},
            },
        )


def _featured(prompt: DuePrompt, featured: str) -> str:
    """The key of the rendition that is to be shown, whether it is there or not; "": the original."""
    named = featured_of(featured)
    if named is None:
        return ""
    kind, width = named
    wanted = Wanted(widths=(width,), formats=(kind,), social=False, placeholder=False)
    (plan,) = planned(wanted, width=prompt.image_width, height=prompt.image_height)
    return rendition_key(prompt.image_key, plan.suffix)


def _social(prompt: DuePrompt, urls: Mapping[str, str]) -> str | None:
    """The one that keeps what the row says, or else the centre."""
    for focus in (*focuses_of([prompt.focus]), CENTRE):
        (plan,) = planned(_SOCIAL, width=prompt.image_width, height=prompt.image_height, focus=focus)
        if url := urls.get(rendition_key(prompt.image_key, plan.suffix)):
            return url
    return None


def _srcset(prompt: DuePrompt, kind: str, urls: Mapping[str, str]) -> str:
    some = sorted((each["width"], each["key"]) for each in prompt.image_renditions if each["kind"] == kind)
    return ", ".join(f"{urls[key]} {width}w" for width, key in some)
