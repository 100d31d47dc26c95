"""The schedulers a recipe may name, made from the checkpoint's own noise settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# name → diffusers class, changes to the checkpoint's configuration
_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "euler": ("EulerDiscreteScheduler", {}),
    "euler_a": ("EulerAncestralDiscreteScheduler", {}),
    "dpmpp_2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "ddim": ("DDIMScheduler", {"clip_sample": False}),  # its default clips latents as if they were pixels
    "unipc": ("UniPCMultistepScheduler", {}),
    "lcm": ("LCMScheduler", {"clip_sample": False}),
}


def new_scheduler(name: str, config: Any, changes: Mapping[str, Any]) -> Any:
    """A fresh one for every batch: none carries state over a failure. `config` is the checkpoint's scheduler's."""
    import diffusers

    kind, needed = _KINDS[name]
    return getattr(diffusers, kind).from_config(config, **needed, **changes)


def described(scheduler: Any) -> dict[str, Any]:
    """Class, diffusers' version and every setting, JSON-ready."""
    import diffusers

    settings = {name: value for name, value in dict(scheduler.config).items() if not name.startswith("_")}
    return {"class": type(scheduler).__name__, "version": diffusers.__version__, **settings}
