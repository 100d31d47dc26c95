"""One worker: the engines it keeps warm, and what it tells of itself. A plain class; `pool` makes it a Ray actor.

Drawing, loading and retiring are done one after the other; `state` answers meanwhile on a thread of its own.
"""

from __future__ import annotations

import importlib
import os
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from glad_pipeline.generation import devices
from glad_pipeline.generation.engine import Drawn, Engine
from glad_pipeline.generation.models import DEMO_CHECKPOINT, ModelProfile
from glad_pipeline.generation.parts import require_same_files
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.workers.options import EngineOptions

LOOK = 0.2  # of the idle time: how often it is looked whether it is over


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A worker is ready to draw with a model."""

    pid: int
    node: str
    load_seconds: float  # 0 if it was warm
    options: EngineOptions
    shapes: frozenset[str]  # that it has drawn, with any model


class Worker:
    """Draws with the models it has been asked for and keeps the last few of them loaded.

    Args:
        options: for the engines.
        models: how many models stay loaded; the one not used for longest makes room.
        idle_seconds: how long it may be idle before it ends and gives its GPU back; 0: it stays.
    """

    def __init__(self, options: EngineOptions, *, models: int = 1, idle_seconds: float = 0.0) -> None:
        self._options = options
        self._models = models
        self._idle_seconds = idle_seconds
        self._engines: OrderedDict[ModelProfile, Engine] = OrderedDict()
        self._shapes: set[str] = set()  # drawn so far
        self._drawn = 0
        self._expected: deque[int] = deque()
        self._busy_since: float | None = None
        self._last = self._started = time.monotonic()
        if idle_seconds:
            import ray

            me = ray.get_runtime_context().current_actor
            threading.Thread(target=self._retire_when_idle, args=(me,), name="glad-idle", daemon=True).start()

    def load(self, profile: ModelProfile, sample: Recipe | None = None) -> Loaded:
        """Load the model unless it is loaded, and draw a bucket of `sample` for nothing.

        Raises `GladError` if it cannot be had, read or drawn with here.
        """
        with _Working(self):
            engine, seconds = self._engine(profile)
            if sample is not None:
                self._draw(engine, [sample])
            return Loaded(
                pid=os.getpid(),
                node=socket.gethostname(),
                load_seconds=seconds,
                options=self._options,
                shapes=frozenset(self._shapes),
            )

    def bucket_of(self, profile: ModelProfile, recipe: Recipe) -> int:
        """How many pictures of this shape this worker draws at once."""
        with _Working(self):
            return self._engine(profile)[0].bucket_of(recipe)

    def expect(self, job: int) -> None:
        """A bucket is on its way: only for `state`, since Ray does not tell what waits for us."""
        self._expected.append(job)

    def draw(self, profile: ModelProfile, recipes: Sequence[Recipe], job: int = 0) -> tuple[list[Drawn], float]:
        """The pictures of one bucket's recipes, in any order, and the seconds spent on warming up.

        Fewer than asked for if the device has failed: then this process is good for nothing more.
        """
        while job in self._expected:  # what was told of before it and never came was cancelled
            self._expected.popleft()
        with _Working(self):
            engine, _ = self._engine(profile)
            warm = engine.warm_seconds
            drawn = self._draw(engine, recipes)
            self._drawn += sum(picture.pixels is not None for picture in drawn)
            return drawn, engine.warm_seconds - warm

    def _draw(self, engine: Engine, recipes: Sequence[Recipe]) -> list[Drawn]:
        drawn = list(engine.generate(recipes))
        self._shapes.add(shape_name(recipes[0]))
        return drawn

    def state(self) -> dict[str, Any]:
        """What `glad workers status` shows. JSON-ready."""
        now = time.monotonic()
        return {
            "pid": os.getpid(),
            "node": socket.gethostname(),
            "models": [profile.name for profile in list(self._engines)],
            "shapes": sorted(self._shapes),
            "drawn": self._drawn,
            "waiting": len(self._expected) if self._busy_since is not None else 0,
            "busy_seconds": round(now - self._busy_since, 1) if self._busy_since is not None else None,
            "idle_seconds": None if self._busy_since is not None else round(now - self._last, 1),
            "up_seconds": round(now - self._started, 1),
            "memory_mb": round(psutil.Process().memory_info().rss / 1e6),
            **devices.in_use(),
        }

    def retire(self) -> None:
        """End, for good and for whoever needs the GPU now, unless something was drawn since it was asked."""
        import ray

        if self._is_idle():
            ray.kill(ray.get_runtime_context().current_actor)

    def _is_idle(self) -> bool:
        return bool(self._idle_seconds) and time.monotonic() - self._last >= self._idle_seconds

    def _engine(self, profile: ModelProfile) -> tuple[Engine, float]:
        """The engine for a profile, loaded, and the seconds that took."""
        if profile.is_demo:  # it comes with the package, wherever that lies here
            profile = replace(profile, source=str(DEMO_CHECKPOINT))
        if profile in self._engines:
            self._engines.move_to_end(profile)
            engine = self._engines[profile]
            if engine.load_seconds is not None:
                return engine, 0.0
        options = self._options
        cache = Path(options.hash_cache) if options.hash_cache else None
        require_same_files(profile, cache)
        while len(self._engines) >= self._models and profile not in self._engines:
            self._engines.popitem(last=False)[1].close()
        module, _, name = options.engine.partition(":")
        engine = getattr(importlib.import_module(module), name)(
            profile,
            device=options.device,
            bucket=options.bucket,
            small_bucket=options.small_bucket,
            compiling=options.compiling,
            compile_cache=Path(options.compile_cache) if options.compile_cache else None,
            hash_cache=cache,
        )
        engine.load()
        self._engines[profile] = engine
        return engine, engine.load_seconds or 0.0

    def _retire_when_idle(self, me: Any) -> None:
        while True:
            time.sleep(max(0.1, LOOK * self._idle_seconds))
            if self._busy_since is None and self._is_idle():
                me.retire.remote()


class _Working:
    """Notes that the worker works, and since when it does not any more."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def __enter__(self) -> None:
        self._worker._busy_since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._worker._busy_since = None
        self._worker._last = time.monotonic()


def shape_name(recipe: Recipe) -> str:
    """A shape for people: `demo base 256 × 256, 20 steps, guidance 3, euler`."""
    return (
        f"{recipe.model} {recipe.preset} {recipe.width} × {recipe.height}, {recipe.num_inference_steps} steps, "
        f"guidance {recipe.guidance_scale:g}, {recipe.scheduler}"
    )
