"""Where a step runs, and how large what it draws with is."""

from __future__ import annotations

import gc
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.engine import Drawn, Engine
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.recipe import Recipe


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One machine, and the folder for what has to outlive a process."""

    device: str  # "cuda" or "cpu"
    shrunken: bool
    folder: Path

    @property
    def kernels(self) -> Path:
        """Compiled kernels of the main measurement."""
        return self.folder / "kernels"

    @property
    def batch(self) -> int:
        """Pictures drawn at once in the main measurement."""
        return 2 if self.shrunken else 16

    @property
    def steps(self) -> tuple[int, int]:
        """Denoising steps of the two main figures."""
        return (2, 3) if self.shrunken else (20, 30)

    def engine(self, profile: ModelProfile, *, lanes: int | None = None, **options: Any) -> Engine:
        """An engine on this device."""
        ours = {"device": self.device, "gpu_batch": self.batch, "compile_cache": str(self.kernels)}
        return Engine(profile, EngineOptions(**{**ours, **options}), lanes=lanes)

    def wait(self) -> float:
        """The clock, when the device has done all it was given."""
        if self.device == "cuda":
            import torch

            torch.cuda.synchronize()
        return time.perf_counter()

    def seconds(self, work: Callable[[], object]) -> float:
        """How long the device takes for it."""
        started = self.wait()
        work()
        return self.wait() - started

    def peak_gib(self) -> float:
        """The most memory that torch has held since `forget`, or on a CPU this process ever."""
        import torch

        if self.device == "cuda":
            return round(torch.cuda.max_memory_allocated() / 2**30, 2)
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)

    def held_gib(self) -> float:
        """The device's memory that torch holds now; on a CPU 0."""
        import torch

        return round(torch.cuda.memory_reserved() / 2**30, 2) if self.device == "cuda" else 0.0

    def forget(self) -> None:
        """Give back what nobody holds any more, compiled code included."""
        import torch

        gc.collect()
        torch.compiler.reset()
        if self.device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()


def drawn(engine: Engine, wanted: Sequence[Recipe]) -> list[Drawn]:
    """All of them, in the order of `wanted`. Fails if one cannot be drawn."""
    pictures = {picture.recipe.hash: picture for picture in engine.generate(wanted)}
    for picture in pictures.values():
        assert picture.error is None, picture.error
    return [pictures[recipe.hash] for recipe in wanted]
