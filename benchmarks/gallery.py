"""How many bytes a browser loads of a page of pictures, with their renditions and with the originals alone."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from glad_pipeline.media.encoding import Pixels, encode_png
from glad_pipeline.media.renditions import render
from glad_pipeline.rendition_plan import FORMATS, Wanted

VIEWPORT = (1_280, 900)  # CSS pixels
COLUMN = 400  # CSS pixels: three in a row
DENSITIES = (1, 2)  # device pixels to a CSS pixel


class _Quiet(SimpleHTTPRequestHandler):
    extensions_map: ClassVar[dict[str, str]] = {  # type: ignore[misc]
        **SimpleHTTPRequestHandler.extensions_map,
        ".avif": "image/avif",
        ".webp": "image/webp",
    }

    def log_message(self, format: str, *args: object) -> None:
        pass


def loaded(pictures: Sequence[Pixels]) -> dict[str, float]:
    """Bytes loaded with renditions ÷ bytes loaded of the originals, by DENSITIES."""
    from playwright.sync_api import sync_playwright

    browser_file = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as address, sync_playwright() as playwright:
        write_pages(pictures, Path(folder))
        browser = playwright.chromium.launch(executable_path=browser_file, args=["--no-sandbox", "--disable-gpu"])
        found = {}
        for density in DENSITIES:
            sizes = []
            for page_name in ("renditions.html", "originals.html"):
                size = dict(zip(("width", "height"), VIEWPORT, strict=True))
                page = browser.new_context(viewport=size, device_scale_factor=density).new_page()
                bodies: list[int] = []
                page.on("requestfinished", lambda request, bodies=bodies: bodies.append(_body_bytes(request)))
                page.goto(f"{address}/{page_name}", wait_until="networkidle")
                shown = page.evaluate("[...document.images].filter(image => image.naturalWidth > 0).length")
                assert shown == len(pictures), f"{page_name}: {shown} of {len(pictures)} pictures are shown"
                sizes.append(sum(bodies))
            found[str(density)] = round(sizes[0] / sizes[1], 4)
        browser.close()
    return found


def _body_bytes(request: object) -> int:
    url: str = request.url  # type: ignore[attr-defined]
    return 0 if url.startswith("data:") else int(request.sizes()["responseBodySize"])  # type: ignore[attr-defined]


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def write_pages(pictures: Sequence[Pixels], folder: Path) -> None:
    """The files, `renditions.html` and `originals.html`. No picture is lazy: all count."""
    cards: list[str] = []
    plain: list[str] = []
    for place, pixels in enumerate(pictures):
        (folder / f"{place}.png").write_bytes(encode_png(pixels, text={}))
        made, placeholder = render(pixels, Wanted())
        for each in made:
            (folder / f"{place}{each.suffix}").write_bytes(each.body)
        height, width = pixels.shape[:2]
        image = f'<img src="{place}.png" width="{width}" height="{height}"'
        sources = "".join(
            f'<source type="image/{kind}" sizes="{COLUMN}px" srcset="'
            + ", ".join(f"{place}{each.suffix} {each.width}w" for each in made if each.kind == kind)
            + '">'
            for kind in reversed(FORMATS)
        )
        cards.append(f'<picture>{sources}{image} style="background: url({placeholder}) center / cover"></picture>')
        plain.append(f"{image}>")
    style = f"<!doctype html><style>img {{ width: {COLUMN}px; height: auto }}</style>"
    (folder / "renditions.html").write_text(style + "".join(cards), encoding="utf-8")
    (folder / "originals.html").write_text(style + "".join(plain), encoding="utf-8")
