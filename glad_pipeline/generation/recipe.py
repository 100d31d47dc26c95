"""A recipe: everything that decides a picture's pixels, and the hash that names the picture.

Standard library only: intake, keys and the catalogue use it where no torch may be.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from glad_pipeline.display import quoted
from glad_pipeline.errors import UsageError
from glad_pipeline.limits import (
    CHARS,
    GUIDANCE,
    MAX_PIXELS,
    PRESETS,
    PROMPT_SYNTAXES,
    SCHEDULERS,
    SEED,
    SIDE,
    STEPS,
    TEXT_PIECES,
    Range,
)

HASH_FORMAT = "glad-recipe/1"  # part of every hash: a new meaning of any field needs a new number

Shape = tuple[str, str, str, str, str, str, int, int, int, float, str, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What to draw, completely: the same recipe on the same hardware and versions gives the same pixels.

    Texts are held in Unicode's NFC form, which is how CLIP reads them anyway: the two spellings of "é" are one
    recipe. `guidance_scale` is a float: 7 and 7.0 are one recipe. Nothing else is altered; whether the values
    are possible is `validate_recipe_fields`' question.
    """

    prompt: str
    negative_prompt: str = ""
    seed: int
    width: int  # pixels
    height: int  # pixels
    num_inference_steps: int
    guidance_scale: float  # at 1 or below there is no guidance and the negative prompt is without effect
    scheduler: str  # one of SCHEDULERS
    model: str
    model_revision: str  # commit of a hub model, or `sha256:…` over a local one's files
    # What came after the first pictures were keyed: a field at its default is left out of the hash.
    preset: str = "base"  # one of PRESETS: guidance cut-off, refiner, number format … (presets.py)
    vae: str = ""  # another decoder than the model's own: `name@revision`
    refiner: str = ""  # what draws the last steps: `name@revision`
    lora: str = ""  # changes to the weights, in order: `name@revision*weight`, joined by ", "
    text_pieces: int = 1  # of 75 tokens each, that either text is read in; what is longer is cut, as it was at first
    prompt_syntax: str = "plain"  # one of PROMPT_SYNTAXES
    _hash: str = field(default="", init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompt", unicodedata.normalize("NFC", self.prompt))
        object.__setattr__(self, "negative_prompt", unicodedata.normalize("NFC", self.negative_prompt))
        object.__setattr__(self, "guidance_scale", float(self.guidance_scale) + 0.0)  # + 0.0: no minus zero

    @property
    def hash(self) -> str:
        """64 hex digits, the SHA-256 of the recipe's canonical JSON: sorted keys, ASCII, no spaces."""
        if not self._hash:
            told = {
                name: value
                for name, value in self.as_dict().items()
                if not (name in LATER_FIELDS and value == LATER_FIELDS[name])
            }
            canonical = json.dumps(
                {"format": HASH_FORMAT, **told}, sort_keys=True, separators=(",", ":"), allow_nan=False
            )
            object.__setattr__(self, "_hash", hashlib.sha256(canonical.encode("ascii")).hexdigest())
        return self._hash

    @property
    def is_guided(self) -> bool:
        """As diffusers has it: at 1 and below there is no guidance, and the UNet sees each picture once a step."""
        return self.guidance_scale > 1

    @property
    def shape(self) -> Shape:
        """What recipes must share to be drawn in one batch."""
        return (
            *self.weights,
            self.preset,
            self.width,
            self.height,
            self.num_inference_steps,
            self.guidance_scale,
            self.scheduler,
            self.text_pieces,
        )

    @property
    def weights(self) -> tuple[str, str, str, str, str]:
        """All that has to be loaded: model, its revision, VAE, refiner, LoRA."""
        return self.model, self.model_revision, self.vae, self.refiner, self.lora

    def as_dict(self) -> dict[str, Any]:
        """Every field as a JSON-ready value; `from_dict` reads them back."""
        return {name: getattr(self, name) for name in FIELD_NAMES}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """The recipe written by `as_dict`. Raises `UsageError` that names missing and unknown fields."""
        missing = [name for name in FIELD_NAMES if name not in values and name not in LATER_FIELDS]
        unknown = sorted(set(values) - set(FIELD_NAMES))
        if missing or unknown:
            raise UsageError(f"not a recipe: missing {missing}, unknown {unknown}. A recipe has {list(FIELD_NAMES)}")
        return cls(**values)


FIELD_NAMES = tuple(item.name for item in fields(Recipe) if item.init)
LATER_FIELDS = {"preset": "base", "vae": "", "refiner": "", "lora": "", "text_pieces": 1, "prompt_syntax": "plain"}


def validate_recipe_fields(
    *,
    prompt: object,
    negative_prompt: object = "",
    seed: object = None,
    width: object = None,
    height: object = None,
    num_inference_steps: object = None,
    guidance_scale: object = None,
    scheduler: object = None,
    preset: object = None,
    text_pieces: object = None,
    prompt_syntax: object = None,
) -> list[str]:
    """Why these values cannot be drawn, one readable reason each; empty when they can.

    None means "the pipeline's default" and is always allowed, except for the prompt. Takes any value of any
    type and never raises: it stands between strangers' rows and the GPU.
    """
    reasons = _text_faults("prompt", prompt)
    if isinstance(prompt, str) and not prompt.strip():
        reasons.append("prompt is empty: write what the picture should show")
    if negative_prompt is not None:
        reasons += _text_faults("negative_prompt", negative_prompt)
    for name, side in (("width", width), ("height", height)):
        reasons += _number_faults(name, side, SIDE, whole=True)
    if isinstance(width, int) and isinstance(height, int) and MAX_PIXELS < width * height <= SIDE.high**2:
        reasons.append(f"width × height is {width} × {height} = {width * height:,}: at most {MAX_PIXELS:,} pixels")
    reasons += _number_faults("seed", seed, SEED, whole=True)
    reasons += _number_faults("num_inference_steps", num_inference_steps, STEPS, whole=True)
    reasons += _number_faults("guidance_scale", guidance_scale, GUIDANCE, whole=False)
    if scheduler is not None and scheduler not in SCHEDULERS:
        reasons.append(f"scheduler is {quoted(scheduler)}: it has to be one of {', '.join(SCHEDULERS)}")
    if preset is not None and preset not in PRESETS:
        reasons.append(f"preset is {quoted(preset)}: it has to be one of {', '.join(PRESETS)}")
    reasons += _number_faults("text_pieces", text_pieces, TEXT_PIECES, whole=True)
    if prompt_syntax is not None and prompt_syntax not in PROMPT_SYNTAXES:
        reasons.append(f"prompt_syntax is {quoted(prompt_syntax)}: it has to be one of {', '.join(PROMPT_SYNTAXES)}")
    return reasons


def _text_faults(name: str, value: object) -> list[str]:
    if not isinstance(value, str):
        return [f"{name} is {quoted(value)}: it has to be text"]
    faults = []
    if len(value) > CHARS[name]:
        faults.append(f"{name} has {len(value):,} characters: at most {CHARS[name]:,}")
    if "\0" in value:
        faults.append(f"{name} has a NUL character at position {value.index(chr(0))}: remove it")
    if any("\ud800" <= char <= "\udfff" for char in value):
        faults.append(f"{name} has half of a surrogate pair: it is not valid Unicode, encode it as UTF-8 again")
    return faults


def _number_faults(name: str, value: object, allowed: Range, *, whole: bool) -> list[str]:
    if value is None:
        return []
    kinds = (int,) if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return [f"{name} is {quoted(value)}: it has to be a {'whole ' if whole else ''}number"]
    if value not in allowed:
        down = value - value % allowed.step if allowed.step else value
        near = f", such as {down} or {down + allowed.step}" if allowed.low <= value <= allowed.high else ""
        return [f"{name} is {quoted(value)}: it has to be from {allowed}{near}"]
    return []
