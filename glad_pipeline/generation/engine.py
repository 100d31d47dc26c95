"""The SDXL engine: recipes in, pixels out, the same pixels every time.

One model, loaded on first use. Recipes are grouped by shape and drawn in batches of one fixed size, a short
batch filled up by repetition: the kernels a batch size picks decide the last bits, so a fixed size makes a picture
independent of its company. Torch and diffusers are imported inside the methods, never with this module.
"""

from __future__ import annotations

import copy
import gc
import importlib
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import devices, schedulers
from glad_pipeline.generation.artifacts import weight_hashes
from glad_pipeline.generation.batches import MIN_REFINED_STEPS, Batch, Recipes, backlog_of, next_batch
from glad_pipeline.generation.decoding import Clock, decode
from glad_pipeline.generation.drawing_failures import Cause, cause_of
from glad_pipeline.generation.loading import (
    Pipelines,
    open_pipelines,
    place_compiled_code,
    set_compiler,
    silence,
)
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import Recipe, Shape
from glad_pipeline.generation.texts import TextEmbeddings
from glad_pipeline.media.encoding import Pixels

if TYPE_CHECKING:
    import torch

Begun = Callable[[Sequence[Recipe]], None]

TEXTS_AT_ONCE = {"cuda": 16}  # elsewhere 1
MOST_LANES = 4
LOOK = 0.05  # seconds between looks for more while lanes are drawing
MOST_WARM = 32  # shapes; dynamo keeps graphs for so many at least (loading.py), then all start anew
OTHERS_SHARE = 0.2  # of the GPU's memory: if others hold more, out of memory is not due to the picture


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One recipe's outcome: pixels, or the reason there are none."""

    recipe: Recipe
    pixels: Pixels | None = None  # uint8, (height, width, 3), RGB
    error: str | None = None
    cause: Cause = "unknown"  # what `error` is due to
    seconds: float = 0.0  # this picture's share of its batch's wall time, warm-up not counted
    provenance: dict[str, Any]  # all that decides last bits, and seconds by stage: JSON-ready


class Engine:
    """Draws with one model on one device.

    Args:
        profile: the model and all that is loaded with it.
        options: which device, how many pictures at once, how compiled. `profile` and recipes say what is drawn.
        lanes: batches drawn at once, each on a thread of its own; None: for the demo model on a CPU one a core (at
            most MOST_LANES), else 1: one batch keeps a GPU, or torch's own threads, busy. No difference to pixels.

    Not thread-safe: one engine, one thread at a time.
    """

    def __init__(self, profile: ModelProfile, options: EngineOptions, *, lanes: int | None = None) -> None:
        self.profile = profile
        self.load_seconds: float | None = None  # None until loaded
        self.warm_seconds = 0.0  # spent on first batches of a shape: compilation, kernel choice
        self._options = options
        self._wanted_lanes = lanes
        self._lanes = 1
        self._device = ""
        self._pipelines: Pipelines | None = None
        self._provenance: dict[str, Any] = {}
        self._broken = threading.Event()  # the device, or the setup: nothing more can be drawn
        self._halved: dict[Shape, int] = {}  # batches that turned out to be too large for the memory
        self._warm: set[tuple[Any, ...]] = set()

    def load(self) -> None:
        """Loads the model if it is not loaded yet, and sets `load_seconds` (imports included).

        Raises `GladError` when there is no device for it, or the checkpoint cannot be had or read.
        """
        if self._pipelines is not None:
            return
        self._broken.clear()
        started = time.perf_counter()
        place_compiled_code(self._options.compile_cache)
        silence()
        device = devices.choose_device(self._options.device, is_demo=self.profile.is_demo)
        devices.set_switches(device, is_demo=self.profile.is_demo)
        pipelines = open_pipelines(self.profile, device, self._options)
        self._provenance = {
            **devices.described(device),
            "peft": version("peft") if self.profile.loras else None,
            "torchao": version("torchao") if self.profile.quantization else None,
            "dtype": pipelines.dtype,
            "vae_dtype": pipelines.dtype,
            "quantization": self.profile.quantization,
            "compile": pipelines.compile,
            "weights": weight_hashes(self.profile.artifacts, self._options.hash_cache),
            **({"loras": pipelines.loras} if pipelines.loras else {}),
        }
        self._device = device
        self._noise = pipelines.base.scheduler.config  # schedules as the checkpoints were trained
        self._refiner_noise = pipelines.refiner.scheduler.config if pipelines.refiner else None
        batch = TEXTS_AT_ONCE.get(device, 1)
        self._texts = TextEmbeddings(pipelines.base, batch=batch)
        self._refiner_texts = TextEmbeddings(pipelines.refiner, batch=batch) if pipelines.refiner else None
        self._weight_bytes = pipelines.weight_bytes
        self._pipelines = pipelines
        by_itself = min(MOST_LANES, os.cpu_count() or 1) if device == "cpu" and self.profile.is_demo else 1
        self._lanes = self._wanted_lanes or (by_itself if pipelines.compile == "none" else 1)
        self.load_seconds = time.perf_counter() - started

    def close(self) -> None:
        """Gives the device's memory back. The engine loads again if it is used again."""
        if self._pipelines is None:
            return
        import torch

        self._pipelines = None
        del self._texts, self._refiner_texts
        self._warm.clear()
        gc.collect()
        if self._device == "cuda":
            with suppress(RuntimeError):  # of a device that has failed: that was reported
                torch.cuda.empty_cache()

    def generate(self, recipes: Recipes, *, on_batch_start: Begun = lambda recipes: None) -> Iterator[Drawn]:
        """Draws each recipe once and yields it as soon as its batch is done; of plain recipes full batches come first.

        `on_batch_start` is called with the recipes of each batch just before they are drawn: should the process die of
        one, its caller knows which. Asks `recipes` for a batch only when it can begin one: memory stays flat, and what
        comes late may be drawn next.

        A recipe that cannot be drawn comes back with `error` and leaves its neighbours whole; a batch that does not fit
        into memory is halved. Once the device has failed, nothing more is drawn, and what was not begun does not come
        back. Raises only what `load`, `recipes` or `on_batch_start` raise.
        """
        self.load()
        if self._open.compile != "none":
            set_compiler()  # torch's settings of it are a thread's own
        free = [self, *(self._twin() for _ in range(self._lanes - 1))]
        under_way: deque[Future[list[Drawn]]] = deque()
        pool = ThreadPoolExecutor(self._lanes, thread_name_prefix="glad-lane") if self._lanes > 1 else None
        following = partial(next_batch, backlog_of(recipes), self.profile, self.batch_of, self._options.gpu_small_batch)
        try:
            while (batch := following(wait=not under_way)) is not None:
                if batch.problem:
                    yield self._undrawn(batch.recipes[0], batch.problem, "recipe")
                    continue
                if batch.recipes:
                    on_batch_start(batch.recipes)
                if pool is None:
                    yield from self._draw_in_batches(batch.recipes, batch.size)
                elif batch.recipes:
                    under_way.append(pool.submit(_on_a_lane, free, batch))
                else:  # nothing right now, more may come
                    wait([under_way[0]], timeout=LOOK)
                while under_way and (len(under_way) > self._lanes or under_way[0].done()):  # one waits, so no lane does
                    yield from under_way.popleft().result()
                if self._broken.is_set():
                    break
            while under_way:
                yield from under_way.popleft().result()
        finally:
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)

    def _twin(self) -> Engine:
        """An engine for another thread: the same weights and memories, pipelines of its own."""
        twin = copy.copy(self)
        twin._pipelines = self._open.twin()
        return twin

    def batch_of(self, recipe: Recipe) -> int:
        """How many pictures of this recipe's shape are drawn at once."""
        if recipe.shape in self._halved:
            return self._halved[recipe.shape]
        pixels = recipe.width * recipe.height
        return self._options.gpu_batch or devices.automatic_batch(self._device, pixels, self._weight_bytes)

    def _undrawn(self, recipe: Recipe, error: str, cause: Cause) -> Drawn:
        if cause in ("device", "setup"):
            self._broken.set()
        return Drawn(recipe=recipe, error=error, cause=cause, provenance=dict(self._provenance))

    def _draw_in_batches(self, recipes: Sequence[Recipe], batch: int) -> list[Drawn]:
        """Recipes of one shape in batches of this size, or of what it has been halved to meanwhile."""
        drawn: list[Drawn] = []
        while recipes:
            size = min(batch, self._halved.get(recipes[0].shape, batch))
            drawn += self._draw(recipes[:size], size)
            recipes = recipes[size:]
        return drawn

    def _draw(self, recipes: Sequence[Recipe], batch: int) -> list[Drawn]:
        """1..batch recipes of one shape. If the batch fails, its halves are tried, to find the one that fails."""
        import torch

        try:
            return self._draw_together(recipes, batch)
        except torch.OutOfMemoryError:
            cause: Cause = "device" if batch == 1 and self._others_hold_the_memory() else "unknown"
            message = f"the GPU's memory is too small for {recipes[0].width} × {recipes[0].height} pixels"
            too_large = batch > 1
            apart = False
        except Exception as error:  # noqa: BLE001 one bad request must not take its neighbours down
            cause, message = cause_of(error)
            too_large = False
            apart = cause == "unknown" and len(recipes) > 1
        # only here is the exception gone, and with it what its frames held of the device's memory
        if too_large:
            if self._device == "cuda":
                torch.cuda.empty_cache()
            self._halved[recipes[0].shape] = batch // 2
            return self._draw_in_batches(recipes, batch)
        if apart:
            middle = len(recipes) // 2
            return [
                *self._draw_in_batches(recipes[:middle], batch),
                *self._draw_in_batches(recipes[middle:], batch),
            ]
        return [self._undrawn(recipe, message, cause) for recipe in recipes]

    def _others_hold_the_memory(self) -> bool:
        if self._device != "cuda":
            return False
        import torch

        free, total = torch.cuda.mem_get_info()
        return total - free - torch.cuda.memory_reserved() > OTHERS_SHARE * total

    def _draw_together(self, recipes: Sequence[Recipe], batch: int) -> list[Drawn]:
        """One batch, padded by repetition. Raises whatever torch raises."""
        padded = [*recipes, *[recipes[-1]] * (batch - len(recipes))]
        with devices.attention(self._device):
            self._warm_up(padded)
            clock = Clock(self._device)
            embeddings = self._texts.arguments(padded)
            clock.lap("text")
            latents = self._denoise(padded, embeddings)
            clock.lap("denoise")
            schedulers_used = {"scheduler": schedulers.described(self._open.base.scheduler)}
            if self.profile.refiner is not None:
                latents, scheduler = self._refine(padded, latents)
                clock.lap("refine")
                schedulers_used["refiner_scheduler"] = schedulers.described(scheduler)
            outcomes = decode(self._open.base.vae, latents, recipes, batch=batch)
            clock.lap("decode")
        common = {
            **self._provenance,
            **schedulers_used,
            "bucket": batch,
            "seconds": {stage: round(spent / len(recipes), 4) for stage, spent in clock.seconds.items()},
        }
        return [
            Drawn(
                recipe=recipe,
                pixels=None if isinstance(outcome, str) else outcome,
                error=outcome if isinstance(outcome, str) else None,
                cause="recipe",
                seconds=sum(clock.seconds.values()) / len(recipes),
                provenance={**common, "slot": slot, **self._cut_off(recipe)},
            )
            for slot, (recipe, outcome) in enumerate(zip(recipes, outcomes, strict=True))
        ]

    def _cut_off(self, recipe: Recipe) -> dict[str, int]:
        """How many tokens of each text were not read."""
        negative = recipe.negative_prompt if recipe.is_guided else ""
        return {
            "prompt_tokens_dropped": self._texts.dropped(recipe.prompt, recipe),
            "negative_prompt_tokens_dropped": self._texts.dropped(negative, recipe),
        }

    def _warm_up(self, padded: Sequence[Recipe]) -> None:
        """Compilation and the choice of kernels happen on a throw-away batch of few steps, on its own account."""
        first = padded[0]
        key = (first.width, first.height, first.preset, first.is_guided, first.text_pieces, len(padded))
        if key in self._warm or (self._device != "cuda" and self._open.compile == "none"):
            return
        import torch

        started = time.perf_counter()
        if len(self._warm) >= MOST_WARM and self._open.compile != "none":
            torch.compiler.reset()
            self._warm.clear()
        steps = MIN_REFINED_STEPS  # few, but some before and some after guidance ends or the refiner takes over
        latents = self._denoise(padded, self._texts.arguments(padded), steps=steps)
        if self.profile.refiner is not None:
            latents, _ = self._refine(padded, latents, steps=steps)
        decode(self._open.base.vae, latents, padded, batch=len(padded))
        self._warm.add(key)
        self.warm_seconds += time.perf_counter() - started

    @property
    def _open(self) -> Pipelines:
        assert self._pipelines is not None  # noqa: S101  `generate` has loaded
        return self._pipelines

    def _denoise(
        self, recipes: Sequence[Recipe], embeddings: dict[str, torch.Tensor], *, steps: int | None = None
    ) -> torch.Tensor:
        """Latents of a whole batch, (batch, channels, height / 8, width / 8)."""
        first, pipeline = recipes[0], self._open.base
        preset = PRESETS[first.preset]
        steps = steps or first.num_inference_steps
        pipeline.scheduler = schedulers.new_scheduler(first.scheduler, self._noise, preset.scheduler_changes)
        guided_steps = math.ceil(steps * preset.guided_until)
        unguided = _without_guidance_after(guided_steps) if guided_steps < steps and first.is_guided else {}
        result = pipeline(
            **embeddings,
            **unguided,
            **_common(recipes, steps),
            width=first.width,
            height=first.height,
            denoising_end=preset.refiner_from,
        )
        latents: torch.Tensor = result.images
        return latents

    def _refine(
        self, recipes: Sequence[Recipe], latents: torch.Tensor, *, steps: int | None = None
    ) -> tuple[torch.Tensor, Any]:
        """The latents with the rest of the noise taken off by the refiner, and its scheduler."""
        pipeline = self._open.refiner
        assert pipeline is not None and self._refiner_texts is not None  # noqa: S101, PT018  there is a refiner
        first = recipes[0]
        pipeline.scheduler = schedulers.new_scheduler(first.scheduler, self._refiner_noise, {})
        result = pipeline(
            **self._refiner_texts.arguments(recipes),
            **_common(recipes, steps or first.num_inference_steps),
            image=latents,
            latents=latents,
            denoising_start=PRESETS[first.preset].refiner_from,
        )
        return result.images, pipeline.scheduler


def engine_of(profile: ModelProfile, options: EngineOptions) -> Engine:
    """The engine that the options name, made with them; it draws with this profile."""
    module, _, name = options.engine.partition(":")
    engine: Engine = getattr(importlib.import_module(module), name)(profile, options)
    return engine


def _on_a_lane(free: list[Engine], batch: Batch) -> list[Drawn]:
    lane = free.pop()
    try:
        return lane._draw_in_batches(batch.recipes, batch.size)
    finally:
        free.append(lane)


def _common(recipes: Sequence[Recipe], steps: int) -> dict[str, Any]:
    """The arguments that the base's pipeline and the refiner's have in common."""
    import torch

    return {
        "generator": [torch.Generator("cpu").manual_seed(recipe.seed) for recipe in recipes],
        "num_inference_steps": steps,
        "guidance_scale": recipes[0].guidance_scale,
        "output_type": "latent",
    }


def _without_guidance_after(steps: int) -> dict[str, Any]:
    """The pipeline's arguments that end guidance after so many steps: from there on the UNet sees half the batch.

    diffusers' own `SDXLCFGCutoffCallback` keeps one picture's embedding only.
    """

    def cut(pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if step + 1 != steps:
            return {}
        pipeline._guidance_scale = 0.0
        return {name: both.chunk(2)[1] for name, both in tensors.items()}

    return {
        "callback_on_step_end": cut,
        "callback_on_step_end_tensor_inputs": ["prompt_embeds", "add_text_embeds", "add_time_ids"],
    }
