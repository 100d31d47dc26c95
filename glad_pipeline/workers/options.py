"""What workers make their engines with."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

from glad_pipeline.settings import Settings

ENGINE = "glad_pipeline.generation.engine:Engine"


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineOptions:
    """As `Engine` has them."""

    device: str = "auto"
    batch: int | None = None
    small_batch: int | None = None
    compiling: str = "auto"
    compile_cache: str | None = None
    hash_cache: str | None = None
    threads: str | None = None  # OMP_NUM_THREADS of whoever draws without workers
    engine: str = ENGINE  # module:class

    @property
    def drawing(self) -> tuple[object, ...]:
        """What decides pixels or time; not where files are kept."""
        return self.device, self.batch, self.small_batch, self.compiling, self.engine


def engine_options(settings: Settings, **changes: Any) -> EngineOptions:
    """By the settings, some of them changed. On other machines files lie elsewhere: there the workers decide where."""
    here = settings.ray_address is None and not settings.ray_exposed
    options = EngineOptions(
        device=settings.device,
        batch=settings.gpu_batch,
        small_batch=settings.gpu_small_batch,
        compiling=settings.compiling,
        compile_cache=str(settings.compile_cache or settings.home / "compiled") if here else None,
        hash_cache=str(settings.home / "model-hashes.json") if here else None,
        threads=os.environ.get("OMP_NUM_THREADS"),
    )
    return replace(options, **changes)
