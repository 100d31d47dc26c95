"""First stage: the autoencoder, between pixels and latents an eighth of their size."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from training.data import examples
from training.training import Log, Trainer, autocast


@dataclass(frozen=True, kw_only=True, slots=True)
class VaePlan:
    """How the autoencoder is trained."""

    pictures: int
    side: int  # pixels of the pictures
    crop: int  # pixels of the parts trained on, until `whole`
    batch: int
    whole: float  # progress from which whole pictures are trained on, a quarter as many at a time
    rate: float  # of AdamW
    matrix_rate: float  # of Muon
    average: float
    closeness: float = 1e-4  # weight of the divergence from a normal distribution


def load_pictures(plan: VaePlan, seed: int, workers: int) -> torch.Tensor:
    """uint8, (pictures, 3, side, side), in memory laid out channels last."""
    stack = np.empty((plan.pictures, plan.side, plan.side, 3), np.uint8)
    for place, each in enumerate(examples(seed, "vae", plan.pictures, (plan.side, plan.side), workers=workers)):
        stack[place] = each.pixels
    return torch.from_numpy(stack).permute(0, 3, 1, 2)


def batch_of(pictures: torch.Tensor, plan: VaePlan, done: float, random: torch.Generator) -> torch.Tensor:
    """Crops, or whole pictures at half size, or near the end whole ones; half of them mirrored. -1..1."""

    def draw(high: int, size: int) -> torch.Tensor:
        return torch.randint(high, (size,), generator=random)

    if done >= plan.whole:
        chosen = pictures[draw(len(pictures), max(1, plan.batch // 4))]
    else:
        chosen = pictures[draw(len(pictures), plan.batch)]
        top, left = (int(draw(plan.side - plan.crop + 1, 1)) for _ in range(2))
        chosen = chosen[:, :, top : top + plan.crop, left : left + plan.crop]
    if draw(2, 1):
        chosen = chosen.flip(3)
    return chosen.float().div_(127.5).sub_(1)


def loss_of(drawn: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Absolute and squared differences of colours, of edges, and of both at half and quarter size."""
    total = 2 * functional.mse_loss(drawn, wanted)
    for scale in (1.0, 0.5, 0.5):
        total = total + scale * functional.l1_loss(drawn, wanted)
        for axis in (2, 3):
            total = total + 0.5 * scale * functional.l1_loss(drawn.diff(dim=axis), wanted.diff(dim=axis))
        drawn, wanted = functional.avg_pool2d(drawn, 2), functional.avg_pool2d(wanted, 2)
    return total


def train_vae(
    vae: Any,
    trainer: Trainer,
    pictures: torch.Tensor,
    plan: VaePlan,
    random: torch.Generator,
    *,
    device: str,
    log: Log,
    pause: Callable[[], bool],
) -> None:
    """Until the stage's progress is 1, or `pause` says to stop for now."""
    total, told, began = 0.0, trainer.progress.step, time.monotonic()
    noise = torch.Generator(device)
    while not trainer.progress.finished:
        wanted = batch_of(pictures, plan, trainer.progress.done, random).to(device, memory_format=torch.channels_last)
        noise.manual_seed(int(torch.randint(2**62, (1,), generator=random)))
        with autocast(device):
            latents = vae.encode(wanted).latent_dist
            mean, spread = latents.mean.float(), latents.std.float()
            shaken = mean + spread * torch.randn(mean.shape, generator=noise, device=device)
            drawn = vae.decode(shaken.to(memory_format=torch.channels_last)).sample.float()
        divergence = 0.5 * (mean**2 + spread**2 - 1 - 2 * spread.log()).mean()
        loss = loss_of(drawn, wanted) + plan.closeness * divergence
        trainer.step(loss)
        total += functional.mse_loss(drawn.detach(), wanted).item()
        step = trainer.progress.step
        if step % 100 == 0:
            psnr = 10 * np.log10(4 / (total / (step - told)))
            pace = (step - told) / (time.monotonic() - began)
            log(
                "vae",
                step=step,
                psnr=round(float(psnr), 2),
                steps_per_second=round(pace, 2),
                done=round(trainer.progress.done, 3),
            )
            total, told, began = 0.0, step, time.monotonic()
        if pause():
            return


@torch.no_grad()
def encode(vae: Any, pictures: torch.Tensor, device: str) -> torch.Tensor:
    """The means of the latents of uint8 pictures (count, 3, height, width), as float32 on the CPU."""
    pixels = pictures.to(device).float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)
    with autocast(device):
        latents: torch.Tensor = vae.encode(pixels).latent_dist.mean.float().cpu()
    return latents


@torch.no_grad()
def reconstruction_psnr(vae: Any, pictures: torch.Tensor, device: str, *, batch: int = 8) -> float:
    """Decibels over whole uint8 pictures, encoded to the mean and decoded in full precision."""
    total = 0.0
    for start in range(0, len(pictures), batch):
        part = pictures[start : start + batch]
        wanted = part.to(device).float().div(127.5).sub(1)
        drawn = vae.decode(vae.encode(wanted).latent_dist.mean).sample.clamp(-1, 1)
        total += functional.mse_loss(drawn, wanted).item() * len(part)
    return float(10 * np.log10(4 / (total / len(pictures))))
