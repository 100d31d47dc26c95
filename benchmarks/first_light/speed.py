"""Steps 2, 3 and 5: full-size SDXL: how fast, where the time goes, and what each choice is worth."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.first_light.model import (
    configuration,
    flop_per_picture,
    profile_of,
    random_weights,
    recipes,
    save,
)
from benchmarks.first_light.place import Place, drawn
from benchmarks.first_light.runner import Case, Figures
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import devices, loading
from glad_pipeline.generation.decoding import decode
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import resolve_model

SPEED = ("floor", "warm-up", "fewer-steps", "more-steps", "one-step")
AGAIN = ("warm-up-with-cache", "from-files")
CHOICES = (  # in the order of what one wants to know first
    "as-it-is",
    "eager",
    "not-deterministic",
    "batch-32",
    "cudnn-attention",
    "batch-8",
    "batch-1",
    "efficient-attention",
    "not-fused",
    "not-channels-last",
    "batch-4",
    "batch-2",
    "full",
)
PRESETS = ("few-step", "fp8", "refined")
WARM_STEPS = 2  # of a batch that is drawn for its compilation alone
SAMPLE_STEPS = 5  # of a picture whose speed at 30 is computed from its stages
KERNELS = 10  # most expensive ones that are named


def speed(place: Place) -> Mapping[str, Case]:
    """One engine, from an empty compile cache to a profile of a single step."""
    config = configuration(shrunken=place.shrunken)
    profile = profile_of(shrunken=place.shrunken)
    engine = place.engine(profile)

    def warm_up() -> Figures:
        shutil.rmtree(place.kernels, ignore_errors=True)
        return warmed(place, engine, config)

    fewer, more = place.steps
    return {
        "floor": lambda: {**floor(place), "flop": flop_per_picture(config)},
        "warm-up": warm_up,
        "fewer-steps": lambda: rate(place, engine, fewer, config),
        "more-steps": lambda: rate(place, engine, more, config),
        "one-step": lambda: one_step(place, engine, config),
    }


def again(place: Place) -> Mapping[str, Case]:
    """A second process: what is there of the first one's compiled kernels, and files in place of made-up weights."""
    config = configuration(shrunken=place.shrunken)
    return {
        "warm-up-with-cache": lambda: warmed(place, place.engine(profile_of(shrunken=place.shrunken)), config),
        "from-files": lambda: from_files(place, config),
    }


def opened(place: Place, engine: Engine, config: Any) -> None:
    """Load it with random weights, if it is not loaded."""
    with random_weights(config, place.device):
        engine.load()


def warmed(place: Place, engine: Engine, config: Any) -> Figures:
    """The first batch of an engine: loading (imports included), warming up, and drawing it."""
    started = time.perf_counter()
    opened(place, engine, config)
    drawn(engine, recipes(engine.profile, range(place.batch), steps=place.steps[0]))
    return {
        "load_seconds": round(engine.load_seconds or 0, 2),
        "warm_seconds": round(engine.warm_seconds, 2),
        "to_the_end_of_the_first_batch": round(time.perf_counter() - started, 2),
        "compile": engine._open.compile,
        "batch": place.batch,
    }


def floor(place: Place) -> Figures:
    """What the device reaches at a large bf16 matrix product."""
    import torch

    side = 8_192 if place.device == "cuda" else 512
    one, two = (torch.randn(side, side, device=place.device, dtype=torch.bfloat16) for _ in range(2))

    def some() -> None:
        for _ in range(20):
            one @ two

    best = min(place.seconds(some) for _ in range(5))
    return {"flop_per_second": 20 * 2 * side**3 / best}


def rate(place: Place, engine: Engine, steps: int, config: Any) -> Figures:
    """Pictures per second of one warm batch, its seconds by stage, and the memory it took."""
    opened(place, engine, config)
    profile = engine.profile
    drawn(engine, recipes(profile, range(place.batch), steps=WARM_STEPS))  # warm, where the case before has failed
    wanted = recipes(profile, range(1_000, 1_000 + place.batch), steps=steps)
    spent = place.seconds(lambda: drawn(engine, wanted))
    stages = {name: round(each * place.batch, 3) for name, each in drawn_stages(engine, profile, place).items()}
    return {
        "steps": steps,
        "batch": place.batch,
        "images_per_second": round(place.batch / spent, 4),
        f"seconds_by_stage_of_a_batch_at_{SAMPLE_STEPS}_steps": stages,
        "peak_gib": place.peak_gib(),
    }


def drawn_stages(engine: Engine, profile: Any, place: Place, *, first: int = 2_000, **changes: Any) -> dict[str, float]:
    """Seconds a picture by stage, texts never seen before, at SAMPLE_STEPS steps."""
    steps = changes.pop("steps", SAMPLE_STEPS)
    batch = engine.batch_of(recipes(profile, [0], steps=steps)[0])
    [one, *_] = drawn(engine, recipes(profile, range(first, first + batch), steps=steps, **changes))
    return dict(one.provenance["seconds"])


def one_step(place: Place, engine: Engine, config: Any) -> Figures:
    """The kernels of one denoising step, and of the decoding of four pictures, that take the most time."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    opened(place, engine, config)
    wanted = recipes(engine.profile, range(place.batch), steps=WARM_STEPS)
    drawn(engine, wanted)
    embeddings = engine._texts.arguments(wanted)
    cuda = place.device == "cuda"
    activities = [ProfilerActivity.CUDA] if cuda else [ProfilerActivity.CPU]
    found: Figures = {}

    def told(work: Callable[[], object]) -> Figures:
        with devices.attention(place.device), profile(activities=activities) as seen:
            spent = place.seconds(work)
        rows = [
            (row.key, (row.self_device_time_total if cuda else row.self_cpu_time_total) / 1e6, row.count)
            for row in seen.key_averages()
        ]
        rows.sort(key=lambda row: -row[1])
        total = sum(seconds for _, seconds, _ in rows)
        return {
            "seconds": round(spent, 4),
            "seconds_in_kernels": round(total, 4),
            "most_expensive": [
                {"kernel": name[:120], "seconds": round(seconds, 5), "share": round(seconds / total, 3), "calls": calls}
                for name, seconds, calls in rows[:KERNELS]
            ],
        }

    latents = engine._denoise(wanted, embeddings, steps=1)
    found["step"] = told(lambda: engine._denoise(wanted, embeddings, steps=1))
    few = wanted[:4]
    found["decoding"] = told(lambda: decode(engine._open.base.vae, latents, few, batch=len(few)))
    pixels = torch.zeros(
        len(few), engine.profile.height, engine.profile.width, 3, dtype=torch.uint8, device=place.device
    )
    found["copy_to_host_seconds"] = round(min(place.seconds(pixels.cpu) for _ in range(3)), 5)
    found["pictures_decoded_and_copied"] = len(few)
    return found


def from_files(place: Place, config: Any) -> Figures:
    """A checkpoint of that size on a disk (in memory where there is room): resolved, hashed, opened, warm, drawn."""
    room = Path("/dev/shm")  # noqa: S108  a disk's own speed is not ours
    parent = room if place.device == "cuda" and room.is_dir() and shutil.disk_usage(room).free > 20e9 else place.folder
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name) / "random-sdxl"
        started = time.perf_counter()
        save(config, folder, place.device, devices.number_format(place.device))
        saved = time.perf_counter()
        profile = resolve_model(EngineOptions(model=str(folder), hash_cache=str(Path(name) / "hashes.json")))
        resolved = time.perf_counter()
        engine = place.engine(profile, hash_cache=str(Path(name) / "hashes.json"))
        engine.load()
        loaded = time.perf_counter()
        drawn(engine, recipes(profile, range(place.batch), steps=place.steps[0]))
        return {
            "save_seconds": round(saved - started, 2),
            "hash_seconds": round(resolved - saved, 2),
            "load_seconds": round(loaded - resolved, 2),
            "warm_seconds": round(engine.warm_seconds, 2),
            "to_the_end_of_the_first_batch_with_known_hashes": round(time.perf_counter() - resolved, 2),
            "gb": round(sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e9, 2),
        }


def choices(place: Place) -> Mapping[str, Case]:
    """What each choice is worth, one at a time: pictures per second at 30 steps, computed from the stages of 5."""
    config = configuration(shrunken=place.shrunken)

    def measured(change: AbstractContextManager[Any] | None = None, **options: Any) -> Figures:
        place.forget()
        profile = profile_of(shrunken=place.shrunken)
        engine = place.engine(profile, **options)
        with change or nullcontext():
            opened(place, engine, config)
            drawn(engine, recipes(profile, range(engine._options.gpu_batch or 1), steps=WARM_STEPS))
            stages = drawn_stages(engine, profile, place)
        peak, warm = place.peak_gib(), engine.warm_seconds
        engine.close()
        return {**at_thirty(stages), "warm_seconds": round(warm, 2), "peak_gib": peak, "gib_closed": place.held_gib()}

    def batch(size: int) -> Case:
        return lambda: measured(gpu_batch=max(1, size // 8) if place.shrunken else size)

    return {
        "as-it-is": measured,
        "eager": lambda: measured(compiling="none"),
        "full": lambda: measured(compiling="full"),
        "not-deterministic": lambda: measured(not_deterministic()),
        "not-fused": lambda: measured(laid_out(channels_last=True, fused=False)),
        "not-channels-last": lambda: measured(laid_out(channels_last=False, fused=True)),
        "cudnn-attention": lambda: measured(attention_by("CUDNN_ATTENTION")),
        "efficient-attention": lambda: measured(attention_by("EFFICIENT_ATTENTION")),
        **{f"batch-{size}": batch(size) for size in (1, 2, 4, 8, 32)},
    }


def at_thirty(stages: Mapping[str, float], *, drawn_at: int = SAMPLE_STEPS) -> Figures:
    """Pictures per second at 30 steps, from a picture's seconds by stage at another number."""
    step = stages["denoise"] / drawn_at
    return {
        "images_per_second_at_30": round(1 / (30 * step + stages["text"] + stages["decode"]), 4),
        "seconds_a_picture_and_step": round(step, 5),
        "seconds_a_picture_decoding": stages["decode"],
        "seconds_a_picture_texts": stages["text"],
    }


@contextmanager
def not_deterministic() -> Iterator[None]:
    """Kernels chosen by a race, as torch does it by itself."""
    import torch
    import torch._inductor.config

    set_switches = devices.set_switches
    set_compiler = loading.set_compiler

    def switches(device: str, *, is_demo: bool) -> None:
        set_switches(device, is_demo=is_demo)
        torch.backends.cudnn.deterministic = False
        torch.backends.cudnn.benchmark = True

    def compiler() -> None:
        set_compiler()
        torch._inductor.config.deterministic = False

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(devices, "set_switches", switches))
        stack.enter_context(mock.patch.object(loading, "set_compiler", compiler))
        stack.enter_context(mock.patch("glad_pipeline.generation.engine.set_compiler", compiler))
        yield
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


def laid_out(*, channels_last: bool, fused: bool) -> AbstractContextManager[Any]:
    import torch

    def lay_out(module: Any, device: str) -> None:
        if channels_last:
            module.to(memory_format=torch.channels_last)
        if fused and device == "cuda":
            module.fuse_qkv_projections()

    return mock.patch.object(loading, "lay_out", lay_out)


def attention_by(first: str) -> AbstractContextManager[Any]:
    """This attention kernel before all others."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    others = ("FLASH_ATTENTION", "EFFICIENT_ATTENTION", "MATH")
    kernels = [getattr(SDPBackend, name) for name in dict.fromkeys((first, *others))]

    def attention(device: str) -> AbstractContextManager[Any]:
        return sdpa_kernel(kernels, set_priority=True) if device == "cuda" else nullcontext()

    return mock.patch.object(devices, "attention", attention)


def presets(place: Place) -> Mapping[str, Case]:
    """The presets that draw otherwise: how fast, and for fp8 how far from bfloat16."""
    return {name: partial(preset, place, name) for name in PRESETS}


def preset(place: Place, name: str) -> Figures:
    place.forget()
    config = configuration(shrunken=place.shrunken)
    if name == "few-step":
        engine = place.engine(profile_of(shrunken=place.shrunken))
        opened(place, engine, config)
        stages = drawn_stages(engine, engine.profile, place, steps=4, guidance=0.0, preset="lightning-4")
        return {
            "images_per_second": round(1 / sum(stages.values()), 4),
            "seconds_a_picture_by_stage": stages,
            "warm_seconds": round(engine.warm_seconds, 2),
        }
    if name == "refined":
        engine = place.engine(profile_of(shrunken=place.shrunken, refined=True))
        opened(place, engine, config)
        stages = drawn_stages(engine, engine.profile, place, steps=10, preset="refined")
        return {
            "images_per_second_at_10": round(1 / sum(stages.values()), 4),
            "seconds_a_picture_by_stage": stages,
            "warm_seconds": round(engine.warm_seconds, 2),
            "peak_gib": place.peak_gib(),
        }
    return fp8(place, config)


def fp8(place: Place, config: Any) -> Figures:
    """Row-wise fp8 beside bfloat16, the same weights and noise: speed, and how far apart one step's latents are."""
    import torch

    found: Figures = {}
    latents = {}
    for kind in (None, "fp8"):
        place.forget()
        profile = profile_of(shrunken=place.shrunken, quantization=kind)
        engine = place.engine(profile)
        opened(place, engine, config)
        wanted = recipes(profile, range(place.batch), steps=SAMPLE_STEPS, preset="fp8" if kind else "base")
        drawn(engine, wanted)
        stages = drawn_stages(engine, profile, place, preset="fp8" if kind else "base")
        with devices.attention(place.device):
            latents[kind] = engine._denoise(wanted, engine._texts.arguments(wanted), steps=1).float().cpu()
        found[kind or "bf16"] = {**at_thirty(stages), "peak_gib": place.peak_gib()}
        engine.close()
    distance = torch.linalg.vector_norm(latents["fp8"] - latents[None]) / torch.linalg.vector_norm(latents[None])
    times = found["fp8"]["images_per_second_at_30"] / found["bf16"]["images_per_second_at_30"]
    return {**found, "times_as_fast": round(times, 3), "relative_difference_of_one_step": float(np.round(distance, 5))}
