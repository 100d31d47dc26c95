"""Trains the demo model from nothing: draws its pictures, teaches the autoencoder, then the UNet with its text.

    python -m training.train --out DIR --minutes 60 --preset cpu
    python -m training.train --out DIR --minutes 20 --preset gpu
    python -m training.train --out DIR --minutes 60 --preset cpu --resume
    python -m training.train --out DIR --minutes 60 --preset cpu --start-from CHECKPOINT

`DIR/checkpoint` is a complete SDXL directory, written anew every few minutes from the averaged weights; `DIR/state.pt`
is what `--resume` goes on from; `DIR/log.jsonl` tells how it went. With `--vae-steps` and `--denoiser-steps` the same
seed, hardware and versions give the same weights, interrupted or not; with `--minutes` the clock decides the
number of steps, which the log keeps.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from training.captions import vocabulary
from training.data import Shape
from training.fast_norm import quicken
from training.networks import (
    describe,
    load_weights,
    make_networks,
    normalise_latents,
    save_checkpoint,
)
from training.presets import PRESETS
from training.stage_denoiser import Pool, make_pool, train_denoiser
from training.stage_vae import encode, load_pictures, reconstruction_psnr, train_vae
from training.training import Log, Progress, Trainer, save_state

SAVE_SECONDS = 300.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What the command line decides."""

    out: Path
    preset: str = "cpu"
    seed: int = 0
    minutes: float = 60.0
    vae_steps: int | None = None
    denoiser_steps: int | None = None
    resume: bool = False
    start_from: Path | None = None  # a checkpoint to go on from, its autoencoder as it is
    device: str = "cpu"
    workers: int = 1
    stop_after: int | None = None  # steps of this process, both stages together; for tests of resuming


class Training:
    """One training, from its options to its checkpoint."""

    def __init__(self, options: Options) -> None:
        self.options, self.preset = options, PRESETS[options.preset]
        options.out.mkdir(parents=True, exist_ok=True)
        self.log = Log(options.out / "log.jsonl")
        self.state_file = options.out / "state.pt"
        torch.manual_seed(options.seed)
        self.random = torch.Generator().manual_seed(options.seed)
        self.networks = make_networks(self.preset.sizes, vocabulary())
        for module in (self.networks.vae, *self.networks.denoiser_modules().values()):
            module.to(options.device, memory_format=torch.channels_last).train()
            if options.device == "cpu":
                quicken(module)
        self.stage = "vae"
        self.trainer = self._trainer()
        self.steps_here = 0
        self.saved_at = time.monotonic()
        self.stopped = False
        if options.resume and self.state_file.exists():
            self._restore()
        elif options.start_from:
            load_weights(self.networks, options.start_from)
            self.stage = "denoiser"
            self.trainer = self._trainer()

    def run(self) -> bool:
        """Trains to the end; False where `stop_after` ended it before."""
        options, networks = self.options, self.networks
        self.log("start", preset=options.preset, seed=options.seed, device=options.device, stage=self.stage,
                 threads=torch.get_num_threads(), **describe(networks))  # fmt: skip
        if self.stage == "vae":
            pictures = load_pictures(self.preset.vae, options.seed, options.workers)
            self.log("pictures", count=len(pictures))
            self.trainer.progress.begin()
            train_vae(networks.vae, self.trainer, pictures, self.preset.vae, self.random,
                      device=options.device, log=self.log, pause=self._pause)  # fmt: skip
            if self.stopped:
                return False
            self._finish_vae(pictures)
        networks.vae.eval().requires_grad_(False)
        self.trainer.progress.begin()
        train_denoiser(networks, self.trainer, self._pools(), self.preset.denoiser, self.random,
                       device=options.device, log=self.log, pause=self._pause)  # fmt: skip
        if self.stopped:
            return False
        self.save()
        self.log("end", steps=self.trainer.progress.step, minutes=round(self.trainer.progress.elapsed / 60, 1))
        return True

    def save(self) -> None:
        """State and checkpoint; the checkpoint has the averaged weights."""
        save_state(
            self.state_file,
            {"stage": self.stage, "trainer": self.trainer.state(), "random": self.random.get_state(),
             "vae": self.networks.vae.state_dict()},
        )  # fmt: skip
        with self.trainer.averaged():
            save_checkpoint(self.networks, self.options.out / "checkpoint")
        self.saved_at = time.monotonic()
        self.log("saved", stage=self.stage, step=self.trainer.progress.step)

    def _trainer(self) -> Trainer:
        options, plan = self.options, self.preset
        seconds = options.minutes * 60
        if self.stage == "vae":
            progress = Progress(options.vae_steps, seconds * plan.vae_share)
            return Trainer({"vae": self.networks.vae}, progress, rate=plan.vae.rate, decay=0.0,
                           average=plan.vae.average, matrix_rate=plan.vae.matrix_rate)  # fmt: skip
        share = 1.0 if options.start_from else 1 - plan.vae_share
        progress = Progress(options.denoiser_steps, seconds * share)
        return Trainer(
            self.networks.denoiser_modules(), progress, rate=plan.denoiser.rate, decay=0.01,
            average=plan.denoiser.average, matrix_rate=plan.denoiser.matrix_rate,
        )  # fmt: skip

    def _finish_vae(self, pictures: torch.Tensor) -> None:
        self.trainer.settle()
        vae, device = self.networks.vae, self.options.device
        latents = torch.cat([encode(vae, part, device) for part in pictures[:256].tensor_split(16)])
        mean, std = (value.to(device) for value in (latents.mean((0, 2, 3)), latents.std((0, 2, 3))))
        before = reconstruction_psnr(vae, pictures[:32], device)
        normalise_latents(vae, mean, std)
        self.log("vae trained", steps=self.trainer.progress.step, psnr=round(before, 2),
                 psnr_normalised=round(reconstruction_psnr(vae, pictures[:32], device), 2),
                 channel_std=[round(float(each), 2) for each in std])  # fmt: skip
        for file in self.options.out.glob("pool-*.pt"):  # latents of an autoencoder before this one
            file.unlink()
        self.stage = "denoiser"
        self.trainer = self._trainer()
        self.trainer.progress.begin()
        self.save()

    def _pools(self) -> dict[Shape, Pool]:
        """Latents of all shapes; after a resume the ones kept in a file."""
        options = self.options
        pools = {}
        for shape, count in self.preset.denoiser.pictures.items():
            file = options.out / f"pool-{shape[0]}x{shape[1]}.pt"
            if options.resume and file.exists():
                pools[shape] = Pool(**torch.load(file, map_location=options.device, weights_only=True))
                continue
            pools[shape] = make_pool(
                self.networks, shape, count, options.seed, device=options.device, workers=options.workers
            )
            save_state(file, asdict(pools[shape]))
            self.log("pool", shape=list(shape), count=count, minutes=round(self.trainer.progress.elapsed / 60, 1))
        return pools

    def _pause(self) -> bool:
        self.steps_here += 1
        if self.options.stop_after is not None and self.steps_here >= self.options.stop_after:
            self.save()
            self.stopped = True
        elif time.monotonic() - self.saved_at > SAVE_SECONDS:
            self.save()
        return self.stopped

    def _restore(self) -> None:
        state: dict[str, Any] = torch.load(self.state_file, map_location=self.options.device, weights_only=True)
        if state["stage"] != self.stage:
            self.stage = state["stage"]
            self.trainer = self._trainer()
        self.networks.vae.load_state_dict(state["vae"])
        self.trainer.restore(state["trainer"])
        self.random.set_state(state["random"].cpu())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train the demo model from nothing.")
    parser.add_argument("--out", type=Path, required=True, help="directory for checkpoint, state and log")
    parser.add_argument("--preset", choices=sorted(PRESETS), default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=60.0, help="of training, both stages; drawing comes on top")
    parser.add_argument("--vae-steps", type=int, help="exactly so many, instead of its share of the minutes")
    parser.add_argument("--denoiser-steps", type=int, help="likewise for UNet and text encoders")
    parser.add_argument("--resume", action="store_true", help="go on from DIR/state.pt, if it is there")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 1), help="processes that draw")
    parser.add_argument("--threads", type=int, help="of torch; its own choice if not given")
    parser.add_argument("--start-from", type=Path, help="a checkpoint: train its UNet and text encoders further")
    given = vars(parser.parse_args(arguments))
    threads = given.pop("threads")
    if threads:
        torch.set_num_threads(threads)
    Training(Options(**given)).run()


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
