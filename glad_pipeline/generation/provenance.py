"""How a picture came about: the whole record, its short form, and what differs between two records.

What is measured of a picture while it is drawn (seconds, device, later its cost) is recorded here.

The engine begins the record (device, versions, weights, scheduler …); what only the finished picture tells is added
here. Records are JSON-ready dictionaries. Knows no torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from glad_pipeline import __version__
from glad_pipeline.media.encoding import Pixels, pixels_sha256

# In the short form as far as there is room, the most telling first.
SHORT = (
    *("device", "dtype", "vae_dtype", "bucket", "slot", "compile", "torch", "diffusers", "glad_pipeline"),
    *("quantization", "attention", "tf32", "deterministic", "cuda", "cudnn", "driver", "threads", "transformers"),
    *("prompt_tokens_dropped", "negative_prompt_tokens_dropped", "python", "cpu"),
)
LONGEST_VALUE = 80  # characters of one value in the short form
# What one drawing and the next may differ in without a cause: where in its batch it lay, how long it took; and the
# outcome itself.
INCIDENTAL = frozenset({"slot", "seconds", "pixels_sha256"})


def completed(provenance: Mapping[str, Any], pixels: Pixels) -> dict[str, Any]:
    """The engine's record with `pixels_sha256` (`encoding.pixels_sha256`) and the version of `glad_pipeline`."""
    return {**provenance, "pixels_sha256": pixels_sha256(pixels), "glad_pipeline": __version__}


def shortened(provenance: Mapping[str, Any], room: int) -> str:
    """The record as ASCII JSON of at most `room` bytes (at least 2): entries of SHORT, as many as fit, each cut."""
    short: dict[str, Any] = {}
    for name in SHORT:
        value = provenance.get(name)
        if value is None or isinstance(value, (dict, list)):
            continue
        value = value[:LONGEST_VALUE] if isinstance(value, str) else value
        if len(_compact({**short, name: value})) <= room:
            short[name] = value
    return _compact(short)


def _compact(values: Mapping[str, Any]) -> str:
    return json.dumps(values, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One entry of two records that is not the same."""

    name: str  # dotted: scheduler.version, weights.unet
    recorded: Any
    now: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Two records, side by side."""

    differing: tuple[Difference, ...]
    not_recorded: tuple[str, ...]  # given now and not then; whole branches by their own name


def compared(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> Comparison:
    """Every entry that differs, by its dotted name in alphabetical order; INCIDENTAL ones are passed over.

    An entry that was recorded and is not given now differs (`now` is None); one that is given now and was not recorded
    is `not_recorded`.
    """
    differing: list[Difference] = []
    not_recorded: list[str] = []

    def walk(then: Mapping[str, Any], here: Mapping[str, Any], path: str) -> None:
        for name in sorted({*then, *here}):
            if not path and name in INCIDENTAL:
                continue
            if name not in then:
                not_recorded.append(path + name)
                continue
            old, new = then[name], here.get(name)
            if isinstance(old, Mapping) and isinstance(new, Mapping):
                walk(old, new, f"{path}{name}.")
            elif old != new:
                differing.append(Difference(name=path + name, recorded=old, now=new))

    walk(recorded, now, "")
    return Comparison(differing=tuple(differing), not_recorded=tuple(not_recorded))
