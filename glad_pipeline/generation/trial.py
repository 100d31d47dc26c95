"""A picture drawn for trial, in a process of its own: a driver that crashes or hangs takes nobody with it.

`python -m glad_pipeline.generation.trial` reads `EngineOptions` as JSON from its input, and prints `Trial` as JSON in
its last line.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from glad_pipeline.display import one_line
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.records import Prompt
from glad_pipeline.redaction import redact

TEXT = "a quiet harbour at dawn, pink light"
SIDE = 512  # pixels, or the model's own side if that is smaller
STEPS = 6  # or the model's own if those are fewer: enough to see that it draws, and for a refiner to take part
GIGABYTE = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """What became of it."""

    model: str = ""
    device: str = ""  # for people: its name, driver, capability
    memory_free: float | None = None  # gigabytes before the model was loaded; None: not a GPU
    memory_total: float | None = None
    seconds: float = 0.0  # loading and drawing
    problem: str | None = None  # why there is no picture
    unsupported: str | None = None  # why this build of torch does not fit the GPU


def trial(options: EngineOptions) -> Trial:
    """Draw one small picture with the options' model. Raises nothing that a person can mend."""
    from glad_pipeline.generation.defaults import recipe_of
    from glad_pipeline.generation.devices import choose_device
    from glad_pipeline.generation.engine import engine_of
    from glad_pipeline.generation.models import resolve_model
    from glad_pipeline.media.gates.blank import problem_of_pixels

    options = options.model_copy(update={"compiling": "none", "gpu_batch": 1})
    done = Trial()
    began = time.monotonic()
    try:
        profile = resolve_model(options)
        done = replace(done, model=profile.name)
        device = choose_device(options.device, is_demo=profile.is_demo)
        done = replace(done, **_about(device))
        side = min(SIDE, profile.width, profile.height)
        recipe = recipe_of(Prompt(id=0, prompt=TEXT, seed=0, width=side, height=side), profile, options)
        recipe = replace(recipe, num_inference_steps=min(STEPS, recipe.num_inference_steps))
        engine = engine_of(profile, options)
        engine.load()
        drawn = next(iter(engine.generate([recipe])))
        problem = drawn.error
        if drawn.pixels is not None and problem_of_pixels(drawn.pixels):
            problem = "the picture is blank: the weights are damaged, or the numbers overflow (try another VAE)"
        return replace(done, seconds=time.monotonic() - began, problem=problem)
    except GladError as error:
        return replace(done, problem=str(error))
    except Exception as error:  # noqa: BLE001  of torch, the driver, the libraries: one line is all that is told
        return replace(done, problem=one_line(redact(f"{type(error).__name__}: {error}"), 400))


def _about(device: str) -> dict[str, Any]:
    """Name, driver and memory of the device, and whether this build of torch has code for it."""
    from glad_pipeline.generation.devices import described

    told = described(device)
    if device != "cuda":
        return {"device": told["device"]}
    import torch

    major, minor = torch.cuda.get_device_capability()
    free, total = torch.cuda.mem_get_info()
    built_for = torch.cuda.get_arch_list()
    fits = any(_has_code(arch, major, minor) for arch in built_for)
    return {
        "device": f"{told['device']}, compute capability {major}.{minor}, driver {told['driver']}, CUDA {told['cuda']}",
        "memory_free": free / GIGABYTE,
        "memory_total": total / GIGABYTE,
        "unsupported": None
        if fits
        else f"torch {told['torch']} is built for {', '.join(built_for)}, and this GPU is sm_{major}{minor}",
    }


def _has_code(arch: str, major: int, minor: int) -> bool:
    """Whether code for `sm_86` or `compute_80` runs there: of the same generation and not newer, or made from PTX."""
    kind, _, number = arch.partition("_")
    digits = "".join(filter(str.isdigit, number))
    its_major, its_minor = int(digits[:-1]), int(digits[-1])
    if kind == "compute":
        return (its_major, its_minor) <= (major, minor)
    return its_major == major and its_minor <= minor


def main() -> None:
    print("\n" + json.dumps(asdict(trial(EngineOptions.model_validate_json(sys.stdin.read())))))


if __name__ == "__main__":
    main()
