"""What a picture costs as PNG: our encoder beside the usual ones, on a photo-like megapixel and on a demo picture.

    python -m benchmarks.png [--repeat 9]

For each encoder: best milliseconds of one call, CPU milliseconds per call, milliseconds per picture with 8 threads at
once, how long it keeps every other Python thread waiting (the GIL: longest stall in the best of the calls), and bytes.
The ratio is one of CPU time, which a busy machine bends least. Every file is decoded by Pillow and compared: lossless.
Peers that are not installed are left out (`pip install opencv-python-headless pyvips pyvips-binary fpng-py`). Prints
the ratio to the best kept peer last and writes `benchmarks/results/png.json`.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.media.encoding import Pixels, decode_png, encode_png

Encoder = Callable[[Pixels], bytes]
THREADS = 8
# Facts that no run can measure: last release when compared (November 2026), wheel for Linux x86-64, licence.
PEERS: dict[str, dict[str, Any]] = {
    "glad_pipeline": {"package": "isal", "released": "2026-11", "wheel_mb": 0.3, "licence": "PSF-2.0"},
    "pillow": {"package": "pillow", "released": "2026-10", "wheel_mb": 7.0, "licence": "MIT-CMU"},
    "opencv": {"package": "opencv-python-headless", "released": "2026-07", "wheel_mb": 61.2, "licence": "Apache-2.0"},
    "pyvips": {"package": "pyvips-binary", "released": "2026-09", "wheel_mb": 8.1, "licence": "LGPL-3.0 (libvips)"},
    "fpng": {"package": "fpng-py", "released": "2022-07", "wheel_mb": None, "licence": "MIT"},
}
KEPT = ("pillow", "opencv", "pyvips")


def encoders() -> dict[str, Encoder]:
    """Ours and whichever peers are installed, each with the fastest settings that compress."""
    found: dict[str, Encoder] = {"glad_pipeline": lambda pixels: encode_png(pixels, text={}), "pillow": _pillow}
    for name, module in (("opencv", "cv2"), ("pyvips", "pyvips"), ("fpng", "fpng_py")):
        try:
            found[name] = {"opencv": _opencv, "pyvips": _pyvips, "fpng": _fpng}[name](importlib.import_module(module))
        except ImportError:
            print(f"{name} is not installed: left out")
    return found


def _pillow(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _opencv(cv2: Any) -> Encoder:
    cv2.setNumThreads(1)
    return lambda pixels: cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))[1].tobytes()


def _pyvips(pyvips: Any) -> Encoder:
    def encode(pixels: Pixels) -> bytes:
        height, width, _ = pixels.shape
        image = pyvips.Image.new_from_memory(pixels.tobytes(), width, height, 3, "uchar")
        return bytes(image.pngsave_buffer(compression=1))

    return encode


def _fpng(fpng: Any) -> Encoder:
    return lambda pixels: fpng.fpng_encode_image_to_memory(pixels.tobytes(), pixels.shape[1], pixels.shape[0], 3, 0)


def photo(side: int = 1_024) -> Pixels:
    """Noise with a photograph's spectrum (1/f), its colours alike but not equal, and a sensor's grain."""
    random = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :])
    amplitude = 1 / np.maximum(frequency, 1 / side) ** 1.1
    planes = [np.fft.irfft2(amplitude * np.exp(2j * np.pi * random.random(amplitude.shape))) for _ in range(3)]
    planes = [plane / plane.std() for plane in planes]
    mixed = [128 + 50 * (0.85 * planes[0] + 0.25 * plane) + random.normal(0, 1.2, (side, side)) for plane in planes]
    return np.clip(np.stack(mixed, axis=-1), 0, 255).round().astype(np.uint8)


def demo_picture() -> Pixels:
    """A sunset by the demo model, at its own 128 × 128."""
    profile = resolve_model(EngineOptions())
    recipe = Recipe(
        prompt="sunset over mountains",
        seed=1,
        width=profile.width,
        height=profile.height,
        num_inference_steps=profile.num_inference_steps,
        guidance_scale=profile.guidance_scale,
        scheduler="euler",
        model=profile.name,
        model_revision=profile.revision,
    )
    (drawn,) = Engine(profile, EngineOptions(gpu_batch=1)).generate([recipe])
    assert drawn.pixels is not None, drawn.error
    return drawn.pixels


def measure(encode: Encoder, pixels: Pixels, repeat: int) -> dict[str, Any]:
    data = encode(pixels)
    assert np.array_equal(decode_png(data), pixels), "not lossless"
    calls = max(1, int(0.05 / _seconds(encode, pixels)))  # enough for the clock
    times, cpu = [], time.process_time()
    for _ in range(repeat):
        times.append(_seconds(encode, pixels, calls) / calls)
    cpu = (time.process_time() - cpu) / (repeat * calls)
    with ThreadPoolExecutor(THREADS) as pool:
        many = [pixels] * max(2 * THREADS, calls)
        started = time.perf_counter()
        list(pool.map(encode, many))
        at_once = (time.perf_counter() - started) / len(many)
    return {
        "ms": round(min(times) * 1_000, 3),
        "median_ms": round(statistics.median(times) * 1_000, 3),
        "cpu_ms": round(cpu * 1_000, 3),
        "ms_with_8_threads": round(at_once * 1_000, 3),
        "ms_gil_held": round(min(_stall(encode, pixels) for _ in range(repeat)) * 1_000, 3),
        "bytes": len(data),
    }


def _stall(encode: Encoder, pixels: Pixels) -> float:
    """The longest time for which a thread that only looks at the clock could not, while another one encodes."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 0).result()  # the thread is there
        longest, last, done = 0.0, time.perf_counter(), False
        encoding = pool.submit(encode, pixels)
        while not done:
            done = encoding.done()
            now = time.perf_counter()
            longest, last = max(longest, now - last), now
    return longest


def _seconds(encode: Encoder, pixels: Pixels, calls: int = 1) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        encode(pixels)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=9)
    args = parser.parse_args()
    sys.setswitchinterval(1e-4)  # seconds; who wants the GIL and may have it gets it at once
    found = encoders()
    figures: dict[str, Any] = {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "encoders": {name: PEERS[name] | {"version": version(PEERS[name]["package"])} for name in found},
    }
    for name, pixels in (("photo_1024", photo()), ("demo_128", demo_picture())):
        figures[name] = {peer: measure(encode, pixels, args.repeat) for peer, encode in found.items()}
        for peer, row in figures[name].items():
            print(f"{name:11} {peer:14} {row}")
    rows = figures["photo_1024"]
    best = min((peer for peer in rows if peer in KEPT), key=lambda peer: rows[peer]["cpu_ms"])
    figures["best_kept_peer"] = best
    figures["ratio"] = round(rows[best]["cpu_ms"] / rows["glad_pipeline"]["cpu_ms"], 2)
    results = Path(__file__).parent / "results" / "png.json"
    results.parent.mkdir(exist_ok=True)
    results.write_text(json.dumps(figures, indent=2) + "\n")
    print(
        f"png: {rows['glad_pipeline']['cpu_ms']:.1f} CPU ms for a photo-like megapixel, {figures['ratio']} × as fast "
        f"as {best} with {rows['glad_pipeline']['bytes'] / rows[best]['bytes']:.2f} × its bytes"
    )


if __name__ == "__main__":
    main()
