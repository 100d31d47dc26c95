"""Latents to pixels, a few at a time, and the seconds of each stage on the way there."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glad_pipeline.generation.recipe import Recipe

if TYPE_CHECKING:
    import torch

    from glad_pipeline.media.encoding import Pixels

DECODED_AT_ONCE = {"cuda": 4}  # elsewhere 1: flat memory
BLACK = 2  # the brightest channel of a picture that is black, 0..255


def decode(vae: Any, latents: torch.Tensor, recipes: Sequence[Recipe], *, batch: int) -> list[Pixels | str]:
    """The pixels of each recipe's latents, or why there are none; a few at a time, in a batch always as many."""
    import torch

    at_once = min(batch, DECODED_AT_ONCE.get(latents.device.type, 1))
    outcomes: list[Pixels | str] = []
    with torch.inference_mode(False), torch.no_grad():
        latents = latents[: len(recipes)].to(vae.dtype) / vae.config.scaling_factor
        if vae.config.latents_mean is not None and vae.config.latents_std is not None:
            mean, std = (
                latents.new_tensor(each).view(1, -1, 1, 1) for each in (vae.config.latents_mean, vae.config.latents_std)
            )
            latents = latents * std + mean
        for start in range(0, len(latents), at_once):
            part = latents[start : start + at_once]
            count = len(part)
            if count < at_once:
                part = torch.cat([part, part[-1:].expand(at_once - count, *part.shape[1:])])
            images = vae.decode(part, return_dict=False)[0][:count].float()
            finite = images.isfinite().flatten(1).all(1).tolist()
            rgb = ((images / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
            outcomes += [
                _outcome(pixels, is_number, recipe)
                for pixels, is_number, recipe in zip(rgb, finite, recipes[start:], strict=False)
            ]
    return outcomes


def _outcome(pixels: Pixels, is_number: bool, recipe: Recipe) -> Pixels | str:
    if not is_number:
        return "the model gave NaN (not a number) pixels: try another scheduler, size or number of steps"
    if pixels.shape != (recipe.height, recipe.width, 3):
        drawn, asked = f"{pixels.shape[1]} × {pixels.shape[0]}", f"{recipe.width} × {recipe.height}"
        return f"the model draws {drawn} pixels where {asked} was asked for: use a multiple of its own grid"
    if pixels.max() <= BLACK:
        return "the model gave a black picture: try another seed, scheduler or number of steps"
    return pixels


class Clock:
    """Wall seconds by stage, the device's queued work included."""

    def __init__(self, device: str) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        if self._device == "cuda":
            import torch

            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[stage] = now - self._last
        self._last = now
