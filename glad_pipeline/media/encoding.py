"""Pixels to bytes: the lossless PNG that is stored, WebP previews, the hash and the contrast of a picture.

Pixels are `numpy.uint8` arrays of shape (height, width, 3), RGB, 0..255. Knows no torch.
"""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from isal import isal_zlib
from PIL import Image

Pixels = npt.NDArray[np.uint8]

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
THUMBNAIL_SIDE = 256  # pixels; also in the thumbnail's key


def encode_png(pixels: Pixels, *, text: Mapping[str, str]) -> bytes:
    """A lossless 8-bit RGB PNG; `text` comes before the pixels, so that a reader of the first bytes has it.

    A text is a tEXt chunk where Latin-1 can hold it (some readers know no other) and an iTXt chunk in UTF-8 where not.
    Keys are PNG keywords: 1 to 79 printable Latin-1 characters, else ValueError.

    The filter is NumPy's work (every row "average": the smallest files of the five filters at a fixed choice), the
    compression ISA-L's at level 1. A photo-like megapixel takes 10 ms of one core and 2.43 MB, where OpenCV takes 30
    ms and 2.56 MB and Pillow at level 1 100 ms and 2.54 MB (benchmarks/png.py); both release the GIL. Faster is only
    fpng (4 ms, 2.93 MB), unmaintained since 2022, and it holds the GIL. ISA-L is a wheel of 0.3 MB, OpenCV of 61.
    """
    height, width, _ = pixels.shape
    chunks = [
        _chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + bytes((8, 2, 0, 0, 0))),
        *(_text_chunk(key, value) for key, value in text.items()),
        _chunk(b"IDAT", isal_zlib.compress(_filtered(pixels), 1)),
        _chunk(b"IEND", b""),
    ]
    return b"".join((PNG_SIGNATURE, *chunks))


def _filtered(pixels: Pixels) -> npt.NDArray[np.uint8]:
    """Each row after its filter's number, 3: what is left of a byte less the average of its left and upper ones."""
    height, width, _ = pixels.shape
    framed = np.zeros((height + 1, 3 * width + 3), np.uint8)
    framed[1:, 3:] = pixels.reshape(height, 3 * width)
    here, left, up = framed[1:, 3:], framed[1:, :-3], framed[:-1, 3:]
    rows = np.empty((height, 3 * width + 1), np.uint8)
    rows[:, 0] = 3
    np.subtract(here, (left & up) + ((left ^ up) >> 1), out=rows[:, 1:])  # the average without a ninth bit
    return rows


def _text_chunk(key: str, value: str) -> bytes:
    keyword = key.encode("latin-1", "replace")
    if not 1 <= len(keyword) <= 79 or not key.isprintable() or keyword.decode("latin-1") != key:
        raise ValueError(
            f"a PNG keyword has 1 to 79 printable Latin-1 characters, this one has {len(key)}: {key[:80]!r}"
        )
    try:
        return _chunk(b"tEXt", keyword + b"\0" + value.encode("latin-1"))
    except UnicodeEncodeError:
        return _chunk(b"iTXt", keyword + b"\0\0\0\0\0" + value.encode())  # not compressed, no language


def _chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)


def pixels_sha256(pixels: Pixels) -> str:
    """64 hex digits over height and width (4 bytes each, big-endian) and the RGB bytes, row by row.

    The same for equal pixels whatever the file, its compression or its texts are.
    """
    height, width, _ = pixels.shape
    digest = hashlib.sha256(height.to_bytes(4) + width.to_bytes(4))
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def decode_png(data: bytes) -> Pixels:
    """The pixels of a PNG, as RGB. Raises ValueError for what is no picture or not a whole one."""
    try:
        return np.asarray(Image.open(io.BytesIO(data), formats=["PNG"]).convert("RGB"))
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:  # Pillow's own, by its documentation
        raise ValueError(f"not a whole PNG: {error}") from error


def thumbnail(pixels: Pixels) -> bytes | None:
    """A WebP with a longer side of THUMBNAIL_SIDE pixels, or None: the picture itself is no larger."""
    if max(pixels.shape[:2]) <= THUMBNAIL_SIDE:
        return None
    return _webp(Image.fromarray(shrunk(pixels, THUMBNAIL_SIDE)), quality=80)


def contrast(pixels: Pixels) -> float:
    """Standard deviation of the grey levels: 0 for a blank picture, 127.5 for half black, half white."""
    luma = pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    return float(luma.std(dtype=np.float64))


def shrunk(pixels: Pixels, max_side: int) -> Pixels:
    """The same picture with a longer side of at most `max_side` pixels; never enlarged."""
    image = Image.fromarray(pixels)
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return np.asarray(image)


def _webp(image: Image.Image, *, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=quality, method=4)
    return out.getvalue()
