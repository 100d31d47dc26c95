"""What may be chosen for a prompt by these settings: the model, its presets, sizes, the limits of each field.

Changes nothing, draws nothing and fetches nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glad_pipeline import limits
from glad_pipeline.errors import GladError
from glad_pipeline.limits import CHARS, PROMPT_SYNTAXES, SCHEDULERS, Range
from glad_pipeline.settings import Settings

if TYPE_CHECKING:
    from glad_pipeline.generation.models import ModelProfile

SIZES = {  # by ratio, for a model of 1,024 pixels: about as many pixels each
    "1:1": (1_024, 1_024),
    "4:3": (1_152, 896),
    "3:2": (1_216, 832),
    "16:9": (1_344, 768),
    "21:9": (1_536, 640),
    "3:4": (896, 1_152),
    "2:3": (832, 1_216),
    "9:16": (768, 1_344),
}
MEANING = {
    "base": "the model's own number of steps",
    "fast": "two thirds of the steps: a little less detail in two thirds of the time",
    "refined": "a second model draws the last fifth: finer detail, more memory",
    "cfg-cutoff": "the text guides the first 60 % of the steps alone: a quarter faster",
    "lightning-4": "four steps by SDXL-Lightning: fastest, without negative prompt",
    "lcm-4": "four steps by a consistency model: fast, softer, without negative prompt",
    "fp8": "numbers of 8 bits: less memory, on NVIDIA GPUs of compute capability 8.9 or later",
}
NVIDIA = Path("/proc/driver/nvidia")  # where a driver runs
GATES = {"blank": "a picture with next to no contrast is not stored: its prompt is rejected"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """The model of the settings."""

    name: str
    license: str | None  # None: its owner knows
    is_demo: bool
    problem: str | None  # why it cannot be used on this machine; what draws may be another one


@dataclass(frozen=True, kw_only=True, slots=True)
class PresetChoice:
    """A named way to draw."""

    name: str
    is_default: bool
    meaning: str
    num_inference_steps: int | None  # None: not known here
    guidance_scale: float | None
    scheduler: str | None
    problem: str | None  # why it cannot be used on this machine


@dataclass(frozen=True, kw_only=True, slots=True)
class SizeChoice:
    """A size of pictures, in pixels."""

    ratio: str
    width: int
    height: int
    is_default: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """A number's, both included."""

    low: float
    high: float
    step: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldLimits:
    """What the fields of a prompt may hold."""

    chars: Mapping[str, int]  # characters at most, by field
    side: Bounds  # of width and height, pixels
    most_pixels: int  # width × height
    num_inference_steps: Bounds
    guidance_scale: Bounds
    seed: Bounds
    priority: Bounds
    reason_chars: int


@dataclass(frozen=True, kw_only=True, slots=True)
class GateChoice:
    """What a picture has to pass before it is stored."""

    name: str
    meaning: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """All of them."""

    model: ModelChoice
    presets: Sequence[PresetChoice]
    sizes: Sequence[SizeChoice]
    schedulers: Sequence[str]
    prompt_syntaxes: Sequence[str]
    prompt_syntax: str  # of prompts that name none
    limits: FieldLimits
    gates: Sequence[GateChoice]
    timezone: str  # of times without one


def choices(settings: Settings) -> Choices:
    """By these settings. Looks at the model's files."""
    from glad_pipeline.generation.models import resolve_model
    from glad_pipeline.generation.presets import PRESETS

    options = settings.engine
    profiles: dict[str, ModelProfile | str] = {}
    for name in PRESETS:
        try:
            profiles[name] = resolve_model(options.model_copy(update={"preset": name}))
        except GladError as error:
            profiles[name] = str(error)
    found = profiles[options.preset]
    profile = None if isinstance(found, str) else found
    name = profile.name if profile else options.model
    return Choices(
        model=ModelChoice(
            name=name,
            license=license_of(name),
            is_demo=profile is not None and profile.is_demo,
            problem=found if isinstance(found, str) else None,
        ),
        presets=[_preset(name, each, settings) for name, each in profiles.items()],
        sizes=_sizes(
            options.width or (profile.width if profile else 1_024),
            options.height or (profile.height if profile else 1_024),
        ),
        schedulers=SCHEDULERS,
        prompt_syntaxes=PROMPT_SYNTAXES,
        prompt_syntax=options.prompt_syntax,
        limits=FieldLimits(
            chars=CHARS,
            side=_bounds(limits.SIDE),
            most_pixels=options.most_pixels,
            num_inference_steps=Bounds(low=limits.STEPS.low, high=options.most_steps),
            guidance_scale=_bounds(limits.GUIDANCE),
            seed=_bounds(limits.SEED),
            priority=_bounds(limits.PRIORITY),
            reason_chars=limits.REASON_CHARS,
        ),
        gates=[GateChoice(name=name, meaning=meaning) for name, meaning in GATES.items()],
        timezone=settings.timezone,
    )


def license_of(model: str) -> str | None:
    """That of a model by its name; None: its owner knows."""
    from glad_pipeline.generation.licenses import LICENSES

    return LICENSES.get(model)


def _preset(name: str, found: ModelProfile | str, settings: Settings) -> PresetChoice:
    from glad_pipeline.generation.defaults import SCHEDULER, said_by
    from glad_pipeline.generation.presets import PRESETS

    known, problem = (None, found) if isinstance(found, str) else (found, problem_of(name, settings))
    says = said_by(PRESETS[name], known) if known else {}
    models = {} if known is None else {each: getattr(known, each) for each in ("num_inference_steps", "guidance_scale")}
    ours, is_default = _of_settings(settings), name == settings.engine.preset
    chosen: dict[str, Any] = {"scheduler": SCHEDULER}
    for values in (models, says, ours) if is_default else (models, ours, says):  # as `recipe_of` has it
        chosen |= {each: value for each, value in values.items() if value is not None}
    return PresetChoice(
        name=name,
        is_default=is_default,
        meaning=MEANING[name],
        num_inference_steps=chosen.get("num_inference_steps"),
        guidance_scale=chosen.get("guidance_scale"),
        scheduler=chosen["scheduler"],
        problem=problem,
    )


def problem_of(preset: str, settings: Settings) -> str | None:
    """What this preset needs and this machine has not, as far as a look at it tells; workers may be elsewhere."""
    from glad_pipeline.generation.presets import PRESETS

    options = settings.engine
    if PRESETS[preset].quantization != "fp8" or options.device == "cuda" or options.ray_address or NVIDIA.exists():
        return None
    return "the preset fp8 needs an NVIDIA GPU of compute capability 8.9 or later (L4, RTX 40, H100 and newer)"


def _of_settings(settings: Settings) -> dict[str, Any]:
    options = settings.engine
    return {
        "num_inference_steps": options.steps,
        "guidance_scale": options.guidance_scale,
        "scheduler": options.scheduler,
    }


def _sizes(width: int, height: int) -> list[SizeChoice]:
    """The size of the settings or the model, and as many pixels in other shapes."""
    scale = math.sqrt(width * height) / 1_024
    found = [
        SizeChoice(ratio=ratio, width=_side(wide * scale), height=_side(high * scale), is_default=False)
        for ratio, (wide, high) in SIZES.items()
    ]
    same = [each for each in found if (each.width, each.height) == (width, height)]
    of = math.gcd(width, height)
    default = SizeChoice(
        ratio=same[0].ratio if same else f"{width // of}:{height // of}", width=width, height=height, is_default=True
    )
    return [default, *(each for each in found if each not in same)]


def _side(pixels: float) -> int:
    step = limits.SIDE.step
    return max(limits.SIDE.low, round(pixels / step) * step)


def _bounds(allowed: Range) -> Bounds:
    return Bounds(low=allowed.low, high=allowed.high, step=allowed.step or None)
