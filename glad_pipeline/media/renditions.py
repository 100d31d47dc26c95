"""Pixels to renditions: WebP and AVIF at the widths that a blog shows, the social JPEG, the placeholder.

Which ones a picture gets is said in `rendition_plan.py`. Every encoder works on one thread and lets go of the GIL, so
callers' threads may render several pictures at once: on all cores but one, and on Linux with a low priority, so that
the thread that draws and those that store originals never wait for a core. Equal pixels give equal bytes with one
version of Pillow. The files are sRGB without any metadata. Knows no store and no database.
"""

from __future__ import annotations

import base64
import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from PIL import Image, features

from glad_pipeline.media.encoding import Pixels
from glad_pipeline.rendition_plan import CENTRE, SOCIAL_SIZE, Focus, Format, Kind, Planned, Wanted, planned

_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
ENCODERS = threading.BoundedSemaphore(max(1, _CORES - 1))  # whoever reduces or encodes a picture
NICE = 10  # of 0 to 19: others' work goes first
PLACEHOLDER_SIDE = 16  # pixels, the longer one
LANCZOS = Image.Resampling.LANCZOS


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendition:
    """One rendition of a picture, as it is stored."""

    kind: Kind
    width: int  # pixels
    height: int
    body: bytes
    content_type: str
    suffix: str  # of its key, where the original's has `.png`


def render(pixels: Pixels, wanted: Wanted, focus: Focus = CENTRE) -> tuple[list[Rendition], str | None]:
    """All that is wanted of a picture: its renditions in the order of `planned`, and its placeholder's data URI.

    Parameters
    ----------
    pixels: `uint8`, (height, width, 3), RGB; each side ≥ 1.
    focus: what the social picture's crop keeps.
    """
    height, width = pixels.shape[:2]
    plans = planned(wanted, width=width, height=height, focus=focus)
    return list(rendered(pixels, plans, focus)), placeholder(pixels) if wanted.placeholder else None


def rendered(pixels: Pixels, plans: Iterable[Planned], focus: Focus = CENTRE) -> Iterator[Rendition]:
    """These renditions, one after the other: a caller that stores each has one in memory. See `renderer`."""
    with renderer(pixels) as made:
        for plan in plans:
            yield made(plan, focus)


@contextmanager
def renderer(pixels: Pixels) -> Iterator[Callable[[Planned, Focus], Rendition]]:
    """What makes renditions of this picture, one for each call; where one cannot be made, the others still can.

    In the order of `planned`, or any part of it, each width is reduced once, from the picture itself, for all formats.
    """
    image = Image.fromarray(pixels)
    small = image

    def made(plan: Planned, focus: Focus) -> Rendition:
        nonlocal small
        body, small = encoder.submit(_encoded, image, small, plan, focus).result()
        return Rendition(
            kind=plan.kind,
            width=plan.width,
            height=plan.height,
            body=body,
            content_type=plan.content_type,
            suffix=plan.suffix,
        )

    with ThreadPoolExecutor(1, thread_name_prefix="glad-render", initializer=_let_others_go_first) as encoder:
        yield made


def _let_others_go_first() -> None:
    """Lower this thread's priority. Only Linux has one for each thread, and none of them can be raised again."""
    if sys.platform == "linux":
        with suppress(OSError):  # a container may forbid it: then this costs the others some time
            mine = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, mine, max(NICE, os.getpriority(os.PRIO_PROCESS, mine)))


def _encoded(image: Image.Image, small: Image.Image, plan: Planned, focus: Focus) -> tuple[bytes, Image.Image]:
    """The file, and the reduced picture, which the next format may use; `small`: what the last plan has left."""
    with ENCODERS:
        if plan.kind == "social":
            return _jpeg(_cropped(image, focus)), small
        size = plan.width, plan.height
        if small.size != size:
            small = image if image.size == size else image.resize(size, LANCZOS)
        return _webp(small, quality=93) if plan.kind == "webp" else _avif(small), small


def placeholder(pixels: Pixels) -> str:
    """A WebP with a longer side of 16 pixels as a data URI of about 200 ASCII characters: CSS scales it up, blurred."""
    image = Image.fromarray(pixels)
    scale = min(1.0, PLACEHOLDER_SIDE / max(image.size))
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    tiny = image.resize(size, LANCZOS, reducing_gap=2.0)  # whole squares are averaged first: a tenth of the time
    return "data:image/webp;base64," + base64.b64encode(_webp(tiny, quality=40)).decode("ascii")


def can_make(kind: Format) -> bool:
    """Whether this installation's Pillow encodes it."""
    return bool(features.check(kind))


def problem_of(wanted: Wanted) -> str | None:
    """Why this installation cannot make what is wanted, with the cure; None where it can."""
    missing = " and ".join(kind for kind in wanted.formats if not can_make(kind))
    if not missing:
        return None
    return (
        f"Pillow {features.version('pil')} is built without {missing}, which GLAD_RENDITIONS asks for: install "
        f"Pillow's own wheel (`pip install --force-reinstall 'pillow>=11.3'`), or leave {missing} out of it"
    )


def crop_box(width: int, height: int, focus: Focus) -> tuple[float, float, float, float]:
    """The largest part with the social picture's proportions: left, top, right, bottom in pixels, inside the picture.

    Its centre is the focus, or as near to it as the picture's edges allow.
    """
    wide = min(float(width), height * SOCIAL_SIZE[0] / SOCIAL_SIZE[1])
    high = min(float(height), width * SOCIAL_SIZE[1] / SOCIAL_SIZE[0])
    across, down = focus.percent
    left = min(max(width * across / 100 - wide / 2, 0.0), width - wide)
    top = min(max(height * down / 100 - high / 2, 0.0), height - high)
    return left, top, min(left + wide, float(width)), min(top + high, float(height))


def _cropped(image: Image.Image, focus: Focus) -> Image.Image:
    return image.resize(SOCIAL_SIZE, LANCZOS, box=crop_box(*image.size, focus))


# Qualities are the lowest with a structural similarity of 0.98 on photo-like pictures (benchmarks/renditions.py), at
# speeds that cost little: WebP's usual method 4 at quality 90 saves 14 % of the bytes for twice the time, AVIF's speed
# 8 saves 8 % for 2.6 times the time.
def _webp(image: Image.Image, *, quality: int) -> bytes:
    return _saved(image, "WEBP", quality=quality, method=2)


def _avif(image: Image.Image) -> bytes:
    return _saved(image, "AVIF", quality=78, speed=9, max_threads=1)


def _jpeg(image: Image.Image) -> bytes:
    return _saved(image, "JPEG", quality=82)


def _saved(image: Image.Image, format: str, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()
