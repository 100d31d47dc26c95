"""SDXL at full size on a CPU, once: one step at 512 × 512, in bfloat16 and in float32. Minutes, and up to 16 GB.

    python -m benchmarks.first_light.on_a_cpu [bfloat16 float32]

Shows that what a GPU would draw is finite, and that weights and pictures take the memory that `devices` counts with.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from unittest import mock

import psutil

from benchmarks.first_light.model import configuration, profile_of, random_weights, recipes
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import devices
from glad_pipeline.generation.engine import Engine
from glad_pipeline.media.encoding import contrast


def main() -> None:
    import torch

    for name in sys.argv[1:] or ["bfloat16", "float32"]:
        started = time.perf_counter()
        config = configuration(shrunken=False)
        profile = profile_of(shrunken=False)
        [one] = recipes(profile, [1], steps=1)
        wanted = type(one).from_dict(one.as_dict() | {"width": 512, "height": 512})
        engine = Engine(profile, EngineOptions(device="cpu", gpu_batch=1))
        most = Most()
        with (
            mock.patch.object(devices, "number_format", return_value=getattr(torch, name)),
            random_weights(config, "cpu"),
        ):
            engine.load()
        loaded = psutil.Process().memory_info().rss / 2**30
        [picture] = engine.generate([wanted])
        pixels = picture.pixels
        told = {
            "number_format": name,
            "error": picture.error,
            "finite": picture.error is None,
            "shape": None if pixels is None else list(pixels.shape),
            "contrast": None if pixels is None else round(contrast(pixels), 2),
            "weights_gib": round(engine._weight_bytes / 2**30, 3),
            "resident_gib_after_loading": round(loaded, 2),
            "resident_gib_at_most": round(most.stop(), 2),
            "load_seconds": round(engine.load_seconds or 0, 1),
            "seconds": picture.provenance["seconds"],
            "all_seconds": round(time.perf_counter() - started, 1),
        }
        print(json.dumps(told), flush=True)
        engine.close()


class Most:
    """The largest resident set since it was made, in GiB."""

    def __init__(self) -> None:
        self._most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.2):
            self._most = max(self._most, psutil.Process().memory_info().rss / 2**30)

    def stop(self) -> float:
        self._over.set()
        self._thread.join()
        return self._most


if __name__ == "__main__":
    main()
