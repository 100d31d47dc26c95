"""What renditions cost and what they save: CPU time a picture, bytes of a gallery, likeness to the original.

    python -m benchmarks.renditions [--pictures 24] [--side 1024] [--threads 1 2] [--browser]

Renders photo-like pictures (`benchmarks/photos.py`) with the default settings. For each rendition: CPU milliseconds of
making it alone (reduction included), bytes, and the least similarity to the picture reduced by Lanczos's filter (SSIM).
For the gallery: bytes of all pictures at one width ÷ bytes of their PNGs, which is what a page saves that shows the
renditions. With threads: pictures a second, each thread rendering whole pictures.

`--browser`: what headless Chromium loads of a page with all pictures in `<picture>`, as docs/operations.md has it,
three in a row, on screens of one and of two device pixels to a CSS pixel, ÷ what it loads of the same page with the
originals.
"""

from __future__ import annotations

import argparse
import io
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import mean
from typing import Any

from PIL import Image

from benchmarks import gallery, report
from benchmarks.photos import photo, ssim
from glad_pipeline.media.encoding import Pixels, encode_png
from glad_pipeline.media.renditions import LANCZOS, Rendition, placeholder, render, rendered
from glad_pipeline.rendition_plan import Wanted, planned

GOAL = 0.25  # bytes of renditions ÷ bytes of originals
GOAL_SSIM = 0.98


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--side", type=int, default=1_024)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--browser", action="store_true", help="needs Chromium and Playwright")
    args = parser.parse_args()
    pictures = [photo(seed, args.side, args.side) for seed in range(args.pictures)]
    originals = sum(len(encode_png(pixels, text={})) for pixels in pictures)
    rows = by_rendition(pictures, originals)
    for suffix, row in rows.items():
        print(f"{suffix:14} {row}")
    cpu = mean(cpu_ms(pixels) for pixels in pictures)
    threads = {str(count): pictures_a_second(pictures, count) for count in args.threads}
    widest = max(row["of_originals"] for row in rows.values() if "ssim" in row)
    figures: dict[str, Any] = {
        "pictures": args.pictures,
        "side": args.side,
        "original_bytes": originals // args.pictures,
        "renditions": rows,
        "cpu_ms": round(cpu, 1),
        "pictures_a_second_by_threads": threads,
        "largest_gallery_of_originals": widest,
        "ssim": min(row["ssim"] for row in rows.values() if "ssim" in row),
        "goals": {"of_originals": GOAL, "ssim": GOAL_SSIM},
    }
    if args.browser:
        figures["browser_of_originals"] = gallery.loaded(pictures)
        print(
            f"gallery in a browser, bytes ÷ those of the originals, by device pixels: {figures['browser_of_originals']}"
        )
    report.write("renditions", figures)
    print(
        f"renditions: {cpu:.0f} CPU ms a picture of {originals / args.pictures / 1e6:.2f} MB, "
        f"{' and '.join(f'{rate} a second on {count}' for count, rate in threads.items())} threads; a gallery loads at "
        f"most {widest:.3f} of the originals' bytes (goal ≤ {GOAL}), SSIM ≥ {figures['ssim']:.4f} (goal ≥ {GOAL_SSIM})"
    )


def by_rendition(pictures: Sequence[Pixels], originals: int) -> dict[str, dict[str, float]]:
    """Means over the pictures, least similarity; `of_originals` is the gallery's ratio of bytes."""
    found: dict[str, list[tuple[float, int, float]]] = defaultdict(list)
    for pixels in pictures:
        height, width = pixels.shape[:2]
        for plan in planned(Wanted(), width=width, height=height):
            began = time.process_time()
            (made,) = rendered(pixels, [plan])
            cpu = time.process_time() - began
            found[plan.suffix].append((cpu, len(made.body), likeness(pixels, made)))
        began = time.process_time()
        uri = placeholder(pixels)
        found["placeholder"].append((time.process_time() - began, len(uri), 1.0))
    return {
        suffix: {
            "cpu_ms": round(1e3 * mean(cpu for cpu, _, _ in each), 1),
            "bytes": round(mean(size for _, size, _ in each)),
            "of_originals": round(sum(size for _, size, _ in each) / originals, 4),
            **({"ssim": round(min(alike for _, _, alike in each), 4)} if suffix.startswith("-w") else {}),
        }
        for suffix, each in found.items()
    }


def likeness(pixels: Pixels, made: Rendition) -> float:
    """To the original at this width; 1 for the social picture, which shows a part of it."""
    if made.kind == "social":
        return 1.0
    reduced = Image.fromarray(pixels).resize((made.width, made.height), LANCZOS)
    return ssim(reduced, Image.open(io.BytesIO(made.body)).convert("RGB"))


def cpu_ms(pixels: Pixels) -> float:
    """CPU milliseconds of all renditions together, each width reduced once."""
    began = time.process_time()
    render(pixels, Wanted())
    return 1e3 * (time.process_time() - began)


def pictures_a_second(pictures: Sequence[Pixels], threads: int) -> float:
    """All renditions of every picture, so many pictures at once."""
    with ThreadPoolExecutor(threads) as pool:
        began = time.perf_counter()
        list(pool.map(partial(render, wanted=Wanted()), pictures))
        return round(len(pictures) / (time.perf_counter() - began), 2)


if __name__ == "__main__":
    main()
