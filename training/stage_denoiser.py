"""Second stage: UNet and text encoders, from noise and words to latents."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.models.attention_processor import AttnProcessor
from torch.nn import functional

from training.captions import caption
from training.data import Shape, examples
from training.networks import NOISE, Networks, library, tokenize
from training.stage_vae import encode
from training.training import Log, Trainer, autocast

DROPPED = 0.1  # share of captions left out, which classifier-free guidance needs
VARIANTS = 4  # captions for each picture: encoding a picture costs more than wording it
LOUDEST = 5.0  # signal-to-noise ratio, plus 1, above which a step's loss counts no more (min-SNR, for velocities)


@dataclass(frozen=True, kw_only=True, slots=True)
class Phase:
    """One part of the stage: the shapes drawn from, one a step, and how many pictures a step."""

    until: float  # progress
    batch: int
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class DenoiserPlan:
    """How UNet and text encoders are trained: small pictures first, where a step is cheap."""

    pictures: dict[Shape, int]  # how many of each shape
    phases: tuple[Phase, ...]
    rate: float
    average: float
    matrix_rate: float | None = None  # of Muon, for convolutions and attention


@dataclass(frozen=True, slots=True)
class Pool:
    """Latents and captions of one shape, and the sizes the UNet is told: SDXL's `time_ids`."""

    latents: torch.Tensor  # float16, (count, channels, height / 8, width / 8)
    tokens: torch.Tensor  # (count, VARIANTS, 77)
    time_ids: torch.Tensor  # (6,)


def make_pool(networks: Networks, shape: Shape, count: int, seed: int, *, device: str, workers: int) -> Pool:
    """Draws and encodes `count` pictures; the pictures themselves are not kept."""
    height, width = shape
    latents, texts, waiting = [], [], []
    first = 10_000_000 * (height * 7 + width) // 8  # other scenes for each shape
    for place, each in enumerate(examples(seed, "denoiser", count, shape, first=first, workers=workers)):
        random = np.random.default_rng((seed, first + place))
        texts += [each.caption, *(caption(each.scene, random) for _ in range(VARIANTS - 1))]
        waiting.append(torch.from_numpy(each.pixels).permute(2, 0, 1))
        if len(waiting) == 32 or place == count - 1:
            latents.append(encode(networks.vae, torch.stack(waiting), device).half())
            waiting = []
    return Pool(
        torch.cat(latents).to(device),
        tokenize(networks.tokenizer, texts).view(count, VARIANTS, -1).to(device),
        torch.tensor([height, width, 0, 0, height, width], dtype=torch.float32, device=device),
    )


def weights_of_times(kept: torch.Tensor) -> torch.Tensor:
    """How often each time step is trained on, from the share of the signal's power that its noise leaves.

    In nearly clean pictures only unpredictable detail is left to learn: drawing such steps less often is min-SNR
    weighting without computing what then hardly counts. The noisiest steps keep their full share.
    """
    shares: torch.Tensor = (LOUDEST * (1 - kept)).clamp(0.1, 1.0)
    return shares


def plain_attention(networks: Networks) -> None:
    """Attention as matrix products, in place: on a CPU a quarter faster than torch's fused one, for training.

    The same function; nothing of it is left in a checkpoint.
    """
    networks.unet.set_attn_processor(AttnProcessor())
    for encoder in (networks.text_encoder, networks.text_encoder_2):
        encoder.set_attn_implementation("eager")


def train_denoiser(
    networks: Networks,
    trainer: Trainer,
    pools: dict[Shape, Pool],
    plan: DenoiserPlan,
    random: torch.Generator,
    *,
    device: str,
    log: Log,
    pause: Callable[[], bool],
) -> None:
    """Until the stage's progress is 1, or `pause` says to stop for now."""
    schedule = library.DDPMScheduler(**NOISE)
    if device == "cpu":
        plain_attention(networks)
    shares = weights_of_times(schedule.alphas_cumprod)
    noise_random = torch.Generator(device)
    losses: list[torch.Tensor] = []
    began = time.monotonic()
    while not trainer.progress.finished:
        phase = next(phase for phase in plan.phases if trainer.progress.done < phase.until or phase is plan.phases[-1])
        shape = phase.shapes[int(torch.randint(len(phase.shapes), (1,), generator=random))]
        pool = pools[shape]
        chosen = torch.randint(len(pool.latents), (phase.batch,), generator=random).to(device)
        times = torch.multinomial(shares, phase.batch, replacement=True, generator=random).to(device)
        worded = torch.randint(VARIANTS, (phase.batch,), generator=random).to(device)
        kept = (torch.rand(phase.batch, generator=random) >= DROPPED).float().to(device)
        noise_random.manual_seed(int(torch.randint(2**62, (1,), generator=random)))
        latents = pool.latents[chosen].float()
        noise = torch.randn(latents.shape, generator=noise_random, device=device)
        noised = schedule.add_noise(latents, noise, times).to(memory_format=torch.channels_last)
        with autocast(device):
            drawn = denoise(
                networks, noised=noised, times=times, tokens=pool.tokens[chosen, worded], kept=kept,
                time_ids=pool.time_ids.expand(phase.batch, 6),
            )  # fmt: skip
        loss = functional.mse_loss(drawn.float(), schedule.get_velocity(latents, noise, times))
        trainer.step(loss)
        losses.append(loss.detach())
        step = trainer.progress.step
        if step % 100 == 0:
            pace = len(losses) / (time.monotonic() - began)
            mean = float(np.mean([float(each) for each in losses]))
            log(
                "denoiser", step=step, loss=round(mean, 4), steps_per_second=round(pace, 2), shape=list(shape),
                done=round(trainer.progress.done, 3),
            )  # fmt: skip
            losses, began = [], time.monotonic()
        if pause():
            return


def denoise(
    networks: Networks,
    *,
    noised: torch.Tensor,
    times: torch.Tensor,
    tokens: torch.Tensor,
    kept: torch.Tensor,
    time_ids: torch.Tensor,
) -> Any:
    """The UNet's velocity, with the text as SDXL's pipeline gives it: last but one states, and the pooled one."""
    first = networks.text_encoder(tokens, output_hidden_states=True).hidden_states[-2]
    second = networks.text_encoder_2(tokens, output_hidden_states=True)
    text = torch.cat([first, second.hidden_states[-2]], dim=-1) * kept[:, None, None]
    pooled = second.text_embeds * kept[:, None]
    return networks.unet(
        noised, times, text, added_cond_kwargs={"text_embeds": pooled, "time_ids": time_ids}, return_dict=False
    )[0]
