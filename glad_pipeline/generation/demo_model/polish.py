"""Goes on teaching a checkpoint's decoder alone: sharper pictures from the very same latents.

    python -m glad_pipeline.generation.demo_model.polish --checkpoint DIR --out DIR --minutes 20

The encoder, the UNet and the text encoders stay as they are. The `vae/` it writes, from the averaged weights, then
takes the place of the checkpoint's.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from glad_pipeline.generation.demo_model.fast_norm import quicken
from glad_pipeline.generation.demo_model.networks import library
from glad_pipeline.generation.demo_model.presets import PRESETS
from glad_pipeline.generation.demo_model.stage_vae import batch_of, load_pictures, loss_of, reconstruction_psnr
from glad_pipeline.generation.demo_model.training import Log, Progress, Trainer, autocast

SHAKE = 0.08  # standard deviation of the noise on latents, of which the UNet's are not free either
SAVE_SECONDS = 240.0


def polish(
    vae_directory: Path, out: Path, *, preset: str, progress: Progress, seed: int, device: str, workers: int
) -> None:
    """Trains until the progress is 1; `out` has a complete VAE every few minutes."""
    plan = PRESETS[preset].vae
    out.mkdir(parents=True, exist_ok=True)
    log = Log(out / "log.jsonl")
    vae = library.AutoencoderKL.from_pretrained(vae_directory).to(device, memory_format=torch.channels_last)
    if device == "cpu":
        quicken(vae)
    vae.requires_grad_(False)
    taught = {"decoder": vae.decoder.requires_grad_(True), "post_quant_conv": vae.post_quant_conv.requires_grad_(True)}
    trainer = Trainer(
        taught, progress, rate=plan.rate / 2, decay=0.0, average=plan.average, matrix_rate=plan.matrix_rate / 2
    )
    random = torch.Generator().manual_seed(seed)
    noise = torch.Generator(device)
    pictures = load_pictures(plan, seed + 1, workers)  # others than the autoencoder has seen
    total, saved_at = 0.0, time.monotonic()
    progress.begin()
    while not progress.finished:
        wanted = batch_of(pictures, plan, progress.done, random).to(device, memory_format=torch.channels_last)
        noise.manual_seed(int(torch.randint(2**62, (1,), generator=random)))
        with autocast(device):
            with torch.no_grad():
                latents = vae.encode(wanted).latent_dist.mean.float()
                latents += SHAKE * torch.randn(latents.shape, generator=noise, device=device)
            drawn = vae.decode(latents.to(memory_format=torch.channels_last)).sample.float()
        loss = loss_of(drawn, wanted)
        trainer.step(loss)
        total += loss.item()
        if progress.step % 100 == 0:
            log("polish", step=progress.step, loss=round(total / 100, 4), done=round(progress.done, 3))
            total = 0.0
        if time.monotonic() - saved_at > SAVE_SECONDS:
            _save(vae, trainer, out)
            saved_at = time.monotonic()
    _save(vae, trainer, out)
    with trainer.averaged():
        log("polished", steps=progress.step, psnr=round(reconstruction_psnr(vae, pictures[:64], device), 2))


def _save(vae: Any, trainer: Trainer, out: Path) -> None:
    with trainer.averaged():
        half = library.AutoencoderKL.from_config(vae.config)
        half.load_state_dict(vae.state_dict())
        half.half().save_pretrained(out / "vae.new")
    shutil.rmtree(out / "vae", ignore_errors=True)
    (out / "vae.new").replace(out / "vae")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Go on teaching a checkpoint's decoder.")
    parser.add_argument("--checkpoint", type=Path, required=True, help="its vae/ is read")
    parser.add_argument("--out", type=Path, required=True, help="vae/ and log.jsonl are written here")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--steps", type=int, help="exactly so many, instead of minutes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int)
    given = parser.parse_args(arguments)
    if given.threads:
        torch.set_num_threads(given.threads)
    polish(
        given.checkpoint / "vae", given.out, preset=given.preset, seed=given.seed, device=given.device,
        workers=given.workers, progress=Progress(given.steps, given.minutes * 60),
    )  # fmt: skip


if __name__ == "__main__":
    main()
