"""One worker: the engines it keeps warm, and what it tells of itself. A plain class; `pool` makes it a Ray actor.

Drawing, loading and retiring are done one after the other; `state` answers meanwhile on a thread of its own.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psutil

from glad_pipeline import __version__
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import devices
from glad_pipeline.generation.artifacts import require_same_files
from glad_pipeline.generation.engine import Drawn, Engine, engine_of
from glad_pipeline.generation.models import DEMO_CHECKPOINT, ModelProfile
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.redaction import at_every_door
from glad_pipeline.workers import liveness

LOOK = 0.2  # of the idle time: how often it is looked whether it is over
FORGET = 5.0  # idle seconds after which what was announced and never came is forgotten
LAST_WORDS = 30.0  # seconds until a worker whose device has failed ends by itself, if nobody else has ended it


@dataclass(frozen=True, kw_only=True, slots=True)
class Done:
    """One batch, as its worker answers it."""

    pictures: list[Drawn]  # of its recipes, in any order
    warm: float  # seconds spent on warming up
    seconds: float  # and on the rest
    early: float  # seconds that it lay here before its worker was free; negative: that the worker waited for it


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A worker is ready to draw with a model."""

    node: str  # Ray's id of this machine
    load_seconds: float  # 0 if it was warm
    options: EngineOptions
    shapes: Mapping[str, float]  # that it has drawn with the models it has, and the seconds of the last batch of each
    version: str  # of what it runs


class Worker:
    """Draws with the models it has been asked for and keeps the last few of them loaded.

    Args:
        options: for the engines; how many models stay loaded (the one not used for longest makes room); how long the
            worker may be idle before it ends and gives its GPU back.
        threads: OMP_NUM_THREADS of whoever draws without workers.
    """

    def __init__(self, options: EngineOptions, *, threads: str | None) -> None:
        import ray

        at_every_door()  # Ray keeps what a worker says, and hands its errors on
        self._options = options
        self._idle_seconds = options.worker_idle_seconds
        self._engines: OrderedDict[ModelProfile, Engine] = OrderedDict()
        self._shapes: dict[ModelProfile, dict[str, float]] = {}  # drawn so far: seconds of the last batch of each
        self._drawn = 0
        self._expected: dict[str, float] = {}  # jobs, and since when
        self._drawing_since: float | None = None
        self._busy_since: float | None = None
        self._broken = False
        self._last = self._started = time.monotonic()
        # Ray lets torch have as many threads as the worker has CPUs; other threads give other last bits than a run
        os.environ.pop("OMP_NUM_THREADS", None)
        if threads is not None:
            os.environ["OMP_NUM_THREADS"] = threads
        context = ray.get_runtime_context()
        self._name, self._node = str(context.get_actor_name()), context.get_node_id()
        liveness.note(liveness.HERE, self._name)
        if self._idle_seconds:
            me = context.current_actor
            threading.Thread(target=self._retire_when_idle, args=(me,), name="glad-idle", daemon=True).start()

    def load(self, profile: ModelProfile, sample: Recipe | None = None) -> Loaded:
        """Load the model unless it is loaded, and draw a batch of `sample` for nothing.

        Raises `GladError` if it cannot be had, read or drawn with here.
        """
        with liveness.unless_unreachable():
            liveness.note(liveness.HERE, self._name)  # again: a run may have taken us for lost since
        with self._working():
            engine, seconds = self._engine(profile)
            if sample is not None:
                self._draw(engine, [sample])
            return Loaded(
                node=self._node,
                load_seconds=seconds,
                options=self._options,
                shapes=self._all_shapes(),
                version=__version__,
            )

    def batch_of(self, profile: ModelProfile, recipe: Recipe) -> int | None:
        """How many pictures of this shape this worker draws at once; None if the model is not loaded any more."""
        engine = self._engines.get(_here(profile))
        return engine.batch_of(recipe) if engine is not None and engine.load_seconds is not None else None

    def expect(self, job: str) -> None:
        """A batch is here, and waits until we are free: Ray does not tell."""
        self._expected[job] = time.monotonic()

    def forget(self, jobs: Sequence[str]) -> None:
        """These batches will not come after all."""
        for job in jobs:
            self._expected.pop(job, None)

    def draw(self, profile: ModelProfile, recipes: Sequence[Recipe], job: str) -> Done:
        """The pictures of one batch's recipes.

        Fewer than asked for if the device has failed: then this process is good for nothing more.
        """
        early = self._last - self._expected.pop(job, time.monotonic())
        if self._broken:
            time.sleep(LAST_WORDS)
            os._exit(1)
        with self._working():
            engine, _ = self._engine(profile)
            with liveness.unless_unreachable():
                liveness.note(liveness.DRAWING, job)
            self._drawing_since = time.monotonic()
            try:
                drawn, warm, seconds = self._draw(engine, recipes)
            finally:
                self._drawing_since = None
                with liveness.unless_unreachable():
                    liveness.erase(liveness.DRAWING, job)
            self._drawn += sum(picture.pixels is not None for picture in drawn)
            self._broken = any(picture.cause == "device" and picture.pixels is None for picture in drawn)
            return Done(pictures=drawn, warm=warm, seconds=seconds, early=early)

    @contextmanager
    def _working(self) -> Iterator[None]:
        """Notes that the worker works, and since when it does not any more."""
        self._busy_since = time.monotonic()
        try:
            yield
        finally:
            self._busy_since = None
            self._last = time.monotonic()

    def _draw(self, engine: Engine, recipes: Sequence[Recipe]) -> tuple[list[Drawn], float, float]:
        began, warm_before = time.monotonic(), engine.warm_seconds
        drawn = list(engine.generate(recipes))
        warm = engine.warm_seconds - warm_before
        seconds = time.monotonic() - began - warm
        self._shapes.setdefault(engine.profile, {})[shape_name(recipes[0])] = seconds
        return drawn, warm, seconds

    def _all_shapes(self) -> dict[str, float]:
        return {shape: seconds for shapes in list(self._shapes.values()) for shape, seconds in list(shapes.items())}

    def state(self) -> dict[str, Any]:
        """What `glad workers status` shows. JSON-ready."""
        now = time.monotonic()
        if self._busy_since is None and now - self._last > FORGET:
            self._expected.clear()
        since = self._drawing_since
        return {
            "pid": os.getpid(),
            "node": socket.gethostname(),
            "models": [profile.name for profile in list(self._engines)],
            "shapes": sorted(self._all_shapes()),
            "drawn": self._drawn,
            "waiting": len(self._expected),
            "drawing_seconds": round(now - since, 1) if since is not None else None,
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
            liveness.erase(liveness.HERE, self._name)
            ray.kill(ray.get_runtime_context().current_actor)

    def _is_idle(self) -> bool:
        return bool(self._idle_seconds) and time.monotonic() - self._last >= self._idle_seconds

    def _engine(self, profile: ModelProfile) -> tuple[Engine, float]:
        """The engine for a profile, loaded, and the seconds that took."""
        profile = _here(profile)
        if profile in self._engines:
            self._engines.move_to_end(profile)
            engine = self._engines[profile]
            if engine.load_seconds is not None:
                return engine, 0.0
        require_same_files(profile.artifacts, self._options.hash_cache)
        while len(self._engines) >= self._options.worker_models and profile not in self._engines:
            old, engine = self._engines.popitem(last=False)
            self._shapes.pop(old, None)
            engine.close()
        engine = engine_of(profile, self._options)
        engine.load()
        self._engines[profile] = engine
        return engine, engine.load_seconds or 0.0

    def _retire_when_idle(self, me: Any) -> None:
        while True:
            time.sleep(max(0.1, LOOK * self._idle_seconds))
            if self._busy_since is None and self._is_idle():
                me.retire.remote()


def _here(profile: ModelProfile) -> ModelProfile:
    """The demo model comes with the package, wherever that lies on this machine."""
    return replace(profile, source=str(DEMO_CHECKPOINT)) if profile.is_demo else profile


def shape_name(recipe: Recipe) -> str:
    """A shape for people: `demo base 256 × 256, 20 steps, guidance 3, euler`."""
    return (
        f"{recipe.model} {recipe.preset} {recipe.width} × {recipe.height}, {recipe.num_inference_steps} steps, "
        f"guidance {recipe.guidance_scale:g}, {recipe.scheduler}"
    )
