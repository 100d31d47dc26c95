"""A page that shows published posts with their pictures, as a blog would: the rendition that fits the screen, and the
placeholder while it loads.

Knows a post's words and the addresses of its picture; asks no network. Whatever a post says is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from glad_pipeline.rendition_plan import CONTENT_TYPES, FORMATS

SIZES = "auto, (max-width: 40rem) 92vw, 22rem"  # how wide a card is; `auto`: browsers that can see that themselves
_PLACEHOLDER = re.compile(r"data:image/webp;base64,[A-Za-z0-9+/=]+")


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One post on the page."""

    title: str
    slug: str
    prompt: str
    url: str  # the original's address
    size: int  # bytes of the original
    sha256: str  # of these, hex
    seconds: float | None  # of drawing
    width: int  # pixels
    height: int
    model: str
    data: Mapping[str, Any] | None = None  # the post's `featured_image_data`; None: its picture has no renditions

    @property
    def facts(self) -> str:
        """One short line: size, bytes, seconds."""
        facts = f"{self.width} × {self.height} · {self.size / 1024:.0f} KB"
        return facts if self.seconds is None else f"{facts} · {self.seconds:.1f} s"


def write_gallery(exhibits: Sequence[Exhibit], path: Path) -> None:
    """Write the page. Raises `OSError` if the file cannot be written."""
    page = files(__package__).joinpath("gallery.html.txt").read_text(encoding="utf-8")
    models = " · ".join(sorted({exhibit.model for exhibit in exhibits}))
    facts = f"{len(exhibits)} post{'' if len(exhibits) == 1 else 's'}" + (
        f", drawn by the model {models}" if models else ""
    )
    cards = "\n".join(_card(exhibit) for exhibit in exhibits)
    empty = '<p class="empty">Nothing is published yet. Add a prompt and run the job.</p>'
    path.write_text(page.replace("{{facts}}", escape(facts)).replace("{{cards}}", cards or empty), encoding="utf-8")


def _card(exhibit: Exhibit) -> str:
    return (
        f'<article><a class="frame" href="{escape(exhibit.url)}">{_picture(exhibit)}</a>'
        f"<h2>{escape(exhibit.title)}</h2>"
        f'<p class="prompt">{escape(exhibit.prompt)}</p>'
        f'<p class="facts"><code>/{escape(exhibit.slug)}</code><span>{escape(exhibit.facts)}</span></p></article>'
    )


def _picture(exhibit: Exhibit) -> str:
    """The best format first: a browser takes the first one that it knows, and the original where it knows none."""
    data = exhibit.data or {}
    srcset = data.get("srcset")
    sources = [
        f'<source type="{CONTENT_TYPES[kind]}" srcset="{escape(str(srcset[kind]))}" sizes="{SIZES}">'
        for kind in reversed(FORMATS)
        if isinstance(srcset, Mapping) and srcset.get(kind)
    ]
    placeholder = str(data.get("placeholder") or "")
    style = f" style=\"background-image:url('{placeholder}')\"" if _PLACEHOLDER.fullmatch(placeholder) else ""
    said = str(data.get("alt") or exhibit.prompt)
    image = (
        f'<img src="{escape(exhibit.url)}" width="{exhibit.width}" height="{exhibit.height}" alt="{escape(said)}" '
        f'loading="lazy"{style}>'
    )
    return f"<picture>{''.join(sources)}{image}</picture>"
