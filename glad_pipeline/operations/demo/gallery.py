"""A page that shows published posts with their pictures, whole in one file: it opens from a mail as well as from disk.

Knows a post's words and a picture's bytes; not where they came from.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from glad_pipeline.errors import GladError

WIDTH = 640  # pixels a card needs on a dense screen
QUALITY = 86


@dataclass(frozen=True, kw_only=True)
class Exhibit:
    """One post on the page."""

    title: str
    slug: str
    prompt: str
    url: str  # the picture's address
    size: int  # bytes
    seconds: float | None  # of drawing
    width: int  # pixels
    height: int
    model: str
    picture: bytes = b""  # the picture itself, in any format Pillow reads

    @property
    def facts(self) -> str:
        """One short line: size, bytes, seconds."""
        facts = f"{self.width} × {self.height} · {self.size / 1024:.0f} KB"
        return facts if self.seconds is None else f"{facts} · {self.seconds:.1f} s"


def write_gallery(exhibits: Sequence[Exhibit], path: Path) -> None:
    """Write the page. Raises `OSError` if the file cannot be written, `GladError` for bytes that are no picture."""
    page = files(__package__).joinpath("gallery.html.txt").read_text(encoding="utf-8")
    models = " · ".join(sorted({exhibit.model for exhibit in exhibits}))
    facts = f"{len(exhibits)} post{'' if len(exhibits) == 1 else 's'}" + (
        f", drawn by the model {models}" if models else ""
    )
    cards = "\n".join(_card(exhibit) for exhibit in exhibits)
    empty = '<p class="empty">Nothing is published yet. Add a prompt and run the job.</p>'
    path.write_text(page.replace("{{facts}}", escape(facts)).replace("{{cards}}", cards or empty), encoding="utf-8")


def _card(exhibit: Exhibit) -> str:
    try:
        source, width, height = _embedded(exhibit.picture)
    except (UnidentifiedImageError, OSError) as error:
        raise GladError(
            f"what {exhibit.url} answers is not the whole picture of {exhibit.title!r}: {error}. Open it in a browser: "
            "a CDN or proxy may answer with a page of its own"
        ) from error
    return (
        f'<article><a class="frame" href="{escape(exhibit.url)}">'
        f'<img src="{source}" width="{width}" height="{height}" alt="{escape(exhibit.prompt)}" loading="lazy"></a>'
        f"<h2>{escape(exhibit.title)}</h2>"
        f'<p class="prompt">{escape(exhibit.prompt)}</p>'
        f'<p class="facts"><code>/{escape(exhibit.slug)}</code><span>{escape(exhibit.facts)}</span></p></article>'
    )


def _embedded(picture: bytes) -> tuple[str, int, int]:
    """The picture as a data URI, scaled down to what a card shows, with its size."""
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    if image.width > WIDTH:
        image = image.resize((WIDTH, round(image.height * WIDTH / image.width)), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=QUALITY)
    encoded = base64.b64encode(buffer.getvalue()).decode()
    return f"data:image/webp;base64,{encoded}", image.width, image.height
