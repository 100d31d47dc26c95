"""Presets: named ways to draw that change the picture, so a recipe records which was used.

Knows no torch; the names are in limits.py, where intake may look. What a preset says holds where neither the
prompt's row nor, for a preset that came from the settings, a setting says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True, slots=True)
class Preset:
    """One way to draw."""

    steps: int | None = None  # None: `steps_share` of the model's own
    steps_share: float = 1.0
    guidance_scale: float | None = None  # None: the model's own
    scheduler: str | None = None  # None: the setting's
    scheduler_changes: Mapping[str, str] = field(default_factory=dict)  # to the checkpoint's scheduler configuration
    few_step_lora: str | None = None  # pinned LoRA that makes SDXL base a few-step model: owner/name/file@commit
    refiner_from: float | None = None  # share of the noise schedule after which the refiner draws on
    guided_until: float = 1.0  # share of the steps that classifier-free guidance takes part in
    quantization: str | None = None  # number format of the UNet's linear layers


PRESETS: Mapping[str, Preset] = {
    "base": Preset(),  # the model's own steps (SDXL: 30) and guidance
    "fast": Preset(steps_share=2 / 3),
    "refined": Preset(refiner_from=0.8),
    "cfg-cutoff": Preset(guided_until=0.6),
    "lightning-4": Preset(
        steps=4,
        guidance_scale=0.0,
        scheduler="euler",
        scheduler_changes={"timestep_spacing": "trailing"},
        few_step_lora="ByteDance/SDXL-Lightning/sdxl_lightning_4step_lora.safetensors"
        "@c9a24f48e1c025556787b0c58dd67a091ece2e44",
    ),
    "lcm-4": Preset(
        steps=4,
        guidance_scale=1.0,
        scheduler="lcm",
        few_step_lora="latent-consistency/lcm-lora-sdxl/pytorch_lora_weights.safetensors"
        "@a18548dd4956b174ec5b0d78d340c8dae0a129cd",
    ),
    "fp8": Preset(quantization="fp8"),
}
