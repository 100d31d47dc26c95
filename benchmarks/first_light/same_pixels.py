"""Step 1: the demo model on this device: the same recipe gives the same pixels, whatever happens around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np

from benchmarks.first_light.place import Place, drawn
from benchmarks.first_light.runner import Case, Figures
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.media.encoding import contrast

CASES = ("eager", "out-of-memory", "compiled", "against-the-cpu")
SIDE, STEPS, BATCH = 256, 20, 4


def cases(place: Place) -> Mapping[str, Case]:
    return {
        "eager": lambda: company(place, "none"),
        "out-of-memory": lambda: halved(place),
        "compiled": lambda: company(place, "regional"),
        "against-the-cpu": lambda: against_the_cpu(place),
    }


def some(count: int, *, side: int = SIDE, **changes: Any) -> list[Recipe]:
    """Recipes for the demo model: other prompts and seeds, every third with a negative prompt."""
    profile = resolve_model(EngineOptions())
    places = ("a red sunset over the sea", "a city at night, full moon", "snowy mountains at dawn", "a green desert")
    return [
        Recipe(
            prompt=places[seed % len(places)],
            negative_prompt="dark" if seed % 3 == 2 else "",
            seed=seed,
            width=side,
            height=side,
            num_inference_steps=STEPS,
            guidance_scale=3.0,
            scheduler="euler",
            model=profile.name,
            model_revision=profile.revision,
            **changes,
        )
        for seed in range(count)
    ]


def different(one: Sequence[Any], other: Sequence[Any]) -> int:
    """How many pictures have not the very same pixels."""
    return sum(not np.array_equal(a.pixels, b.pixels) for a, b in zip(one, other, strict=True))


def company(place: Place, compiling: str) -> Figures:
    """The same recipes in one batch, backwards, alone, by another engine, and with the guidance cut off."""
    steps = 3 if place.shrunken else STEPS
    wanted = [replace(each, num_inference_steps=steps) for each in some(BATCH + 2)]
    engine = place.engine(resolve_model(EngineOptions()), gpu_batch=BATCH, compiling=compiling)
    first = drawn(engine, wanted)
    backwards = drawn(engine, wanted[::-1])[::-1]
    alone = [drawn(engine, [each])[0] for each in wanted[::2]]
    cut = [replace(each, preset="cfg-cutoff") for each in wanted]
    cut_first, cut_alone = drawn(engine, cut), [drawn(engine, [each])[0] for each in cut[::2]]
    warm = engine.warm_seconds
    engine.close()
    place.forget()
    other = drawn(place.engine(resolve_model(EngineOptions()), gpu_batch=BATCH, compiling=compiling), wanted)
    return {
        "pictures": len(wanted),
        "different_backwards": different(first, backwards),
        "different_alone": different(first[::2], alone),
        "different_by_another_engine": different(first, other),
        "different_with_cfg_cutoff_alone": different(cut_first[::2], cut_alone),
        "least_contrast": round(min(contrast(each.pixels) for each in first if each.pixels is not None), 1),
        "warm_seconds": round(warm, 2),
        "seconds_a_picture": round(first[0].seconds, 4),
        "device": first[0].provenance["device"],
    }


def halved(place: Place) -> Figures:
    """Memory is taken away until a batch does not fit: the halves must be what an engine of that batch draws."""
    side, batch, profile = (
        (64, 4, resolve_model(EngineOptions())) if place.shrunken else (768, 16, resolve_model(EngineOptions()))
    )
    wanted = [replace(each, num_inference_steps=3) for each in some(batch, side=side)]
    peaks = {}
    for size in (batch // 2, batch):
        place.forget()
        drawn(place.engine(profile, gpu_batch=size, compiling="none"), wanted[:size])
        peaks[size] = place.peak_gib()
    place.forget()
    tight = place.engine(profile, gpu_batch=batch, compiling="none", lanes=1)
    with memory_for(place, tight, (peaks[batch // 2] + peaks[batch]) / 2, batch):
        got = drawn(tight, wanted)
    batches = sorted({each.provenance["bucket"] for each in got})
    place.forget()
    same = drawn(place.engine(profile, gpu_batch=batches[0], compiling="none"), wanted)
    return {
        "peak_gib": peaks,
        "bucket_asked": batch,
        "buckets_drawn": batches,
        "different_from_an_engine_of_that_batch": different(got, same),
    }


@contextmanager
def memory_for(place: Place, engine: Engine, gib: float, batch: int) -> Iterator[None]:
    """So much of the GPU's memory and no more. On a CPU, for the rehearsal, a batch of `batch` is refused."""
    import torch

    if place.device == "cuda":
        engine.load()
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(gib * 2**30 / total)
        try:
            yield
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
        return
    denoise = engine._denoise

    def refused(padded: Sequence[Recipe], *rest: Any, **options: Any) -> Any:
        if len(padded) >= batch:
            raise torch.OutOfMemoryError("taken away")
        return denoise(padded, *rest, **options)

    with mock.patch.object(engine, "_denoise", refused):
        yield


def against_the_cpu(place: Place) -> Figures:
    """How far this device's pictures (bfloat16 on a GPU) are from the CPU's in float32: the same scene, other bits."""
    profile = resolve_model(EngineOptions())
    wanted = some(BATCH, side=64 if place.shrunken else SIDE)
    here = drawn(place.engine(profile, gpu_batch=BATCH, compiling="none"), wanted)
    there = drawn(Engine(profile, EngineOptions(device="cpu", gpu_batch=BATCH)), wanted)
    distances = [np.abs(a.pixels.astype(int) - b.pixels).mean() for a, b in zip(here, there, strict=True)]  # type: ignore[union-attr,operator]
    return {"mean_difference_of_255": [round(float(each), 2) for each in distances]}
