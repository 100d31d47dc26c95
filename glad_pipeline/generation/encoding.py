"""Pixels to bytes: the lossless PNG that is stored, WebP previews, and the contrast that tells a blank picture.

Pixels are `numpy.uint8` arrays of shape (height, width, 3), RGB, 0..255. Knows no torch.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, PngImagePlugin

Pixels = npt.NDArray[np.uint8]

_WEBP_LARGEST_SIDE = 16_383


def encode_png(pixels: Pixels, *, text: Mapping[str, str]) -> bytes:
    """A lossless PNG with `text` as UTF-8 iTXt chunks.

    Compression level 1: 93 ms for a photo-like megapixel where level 6 takes 451 ms for a little less size.
    Keys are PNG keywords: 1 to 79 Latin-1 characters, else ValueError.
    """
    chunks = PngImagePlugin.PngInfo()
    for key, value in text.items():
        if not 1 <= len(key) <= 79:
            raise ValueError(f"a PNG keyword has 1 to 79 characters, this one {len(key)}: {key[:80]!r}")
        chunks.add_itxt(key, value)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1, pnginfo=chunks)
    return out.getvalue()


def contrast(pixels: Pixels) -> float:
    """Standard deviation of the grey levels: 0 for a blank picture, 127.5 for half black, half white."""
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return float(luma.std(dtype=np.float64))


def shrunk(pixels: Pixels, max_side: int) -> Pixels:
    """The same picture with a longer side of at most `max_side` pixels; never enlarged."""
    image = Image.fromarray(pixels)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def contact_sheet(tiles: Sequence[Pixels], columns: int, max_bytes: int = 10_000) -> bytes:
    """One WebP with the tiles in rows of `columns`, never over `max_bytes` (at least 200).

    Tiles may differ in size: each is centred in a cell as large as the largest. Quality falls first, then size.
    Raises ValueError for no tiles, no columns or too few bytes.
    """
    if not tiles or columns < 1 or max_bytes < 200:
        raise ValueError(f"{len(tiles)} tiles in {columns} columns and {max_bytes} bytes: need ≥ 1, ≥ 1 and ≥ 200")
    columns = min(columns, len(tiles))
    cell_width, cell_height = max(tile.shape[1] for tile in tiles), max(tile.shape[0] for tile in tiles)
    sheet = Image.new("RGB", (columns * cell_width, math.ceil(len(tiles) / columns) * cell_height), "white")
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        left = column * cell_width + (cell_width - tile.shape[1]) // 2
        sheet.paste(Image.fromarray(tile), (left, row * cell_height + (cell_height - tile.shape[0]) // 2))
    scale = min(1.0, _WEBP_LARGEST_SIDE / max(sheet.size))
    while True:
        size = (max(1, int(sheet.width * scale)), max(1, int(sheet.height * scale)))
        smaller = sheet if size == sheet.size else sheet.resize(size, Image.Resampling.LANCZOS)
        for quality in (80, 60, 40, 20):
            data = _webp(smaller, quality=quality)
            if len(data) <= max_bytes:
                return data
        scale *= 0.75


def _webp(image: Image.Image, *, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
