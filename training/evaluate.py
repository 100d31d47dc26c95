"""Measures a demo checkpoint: how well it reconstructs, obeys and varies, how fast and how large it is.

    python -m training.evaluate --checkpoint DIR [--captions 200] [--cache DIR]

Captions and pictures come from a seed and a split that no training uses. Prints a table and writes
`DIR/metrics.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from glad_pipeline.generation.models import DEMO_CHECKPOINT
from training.captions import named
from training.data import Example, examples
from training.judge import QUESTIONS, Judge, trained_judge
from training.networks import library
from training.scenes import render
from training.stage_vae import reconstruction_psnr

HELD_OUT_SEED = 1_000_003  # trainings use small numbers
GOALS = {"time": 0.9, "place": 0.9, "colour": 0.8, "light": 0.8}
Pictures = list[NDArray[np.uint8]]


class Drawer:
    """The checkpoint as plain diffusers loads it."""

    def __init__(self, checkpoint: Path, *, steps: int, guidance: float) -> None:
        started = time.perf_counter()
        self.pipeline = library.StableDiffusionXLPipeline.from_pretrained(checkpoint, add_watermarker=False)
        self.load_seconds = time.perf_counter() - started
        self.pipeline.set_progress_bar_config(disable=True)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.pipeline.to(self.device)
        self.steps, self.guidance = steps, guidance
        self.side = int(self.pipeline.unet.config.sample_size * self.pipeline.vae_scale_factor)

    def draw(self, prompts: Sequence[str], seeds: Sequence[int], *, batch: int = 8) -> Pictures:
        pictures: Pictures = []
        for start in range(0, len(prompts), batch):
            images = self.pipeline(
                prompt=list(prompts[start : start + batch]),
                generator=[torch.Generator().manual_seed(seed) for seed in seeds[start : start + batch]],
                width=self.side,
                height=self.side,
                num_inference_steps=self.steps,
                guidance_scale=self.guidance,
                output_type="np",
            ).images
            pictures += [(image * 255).round().astype(np.uint8) for image in images]
        return pictures


def adherence(judge: Judge, pictures: Pictures, wanted: Sequence[dict[str, str]]) -> dict[str, float]:
    """The share of what the captions name that the judge sees, for each question."""
    seen = judge.answers(pictures)
    shares = {}
    for name in QUESTIONS:
        hits = [seen[name][place] == each[name] for place, each in enumerate(wanted) if name in each]
        shares[name] = float(np.mean(hits)) if hits else float("nan")
    return shares


def spread(pictures: Pictures) -> float:
    """Mean absolute difference of two pictures, 0..255, over all pairs."""
    pairs = itertools.combinations([each.astype(np.float32) for each in pictures], 2)
    return float(np.mean([np.abs(first - second).mean() for first, second in pairs]))


def evaluate(
    checkpoint: Path, cache: Path, *, captions: int, steps: int, guidance: float, workers: int
) -> dict[str, Any]:
    """All figures, JSON-ready."""
    drawer = Drawer(checkpoint, steps=steps, guidance=guidance)
    side = drawer.side
    held_out = [
        each
        for each in examples(HELD_OUT_SEED, "held-out", captions, (side, side), workers=workers)
        if each.scene.style != "noir"
    ]
    judge = trained_judge(cache, workers=workers)
    wanted = [named(each.scene, each.caption) for each in held_out]
    drawn = drawer.draw([each.caption for each in held_out], range(len(held_out)))
    stack = torch.from_numpy(np.stack([each.pixels for each in held_out[:64]])).permute(0, 3, 1, 2)
    return {
        "side": side,
        "steps": steps,
        "guidance_scale": guidance,
        "captions": len(held_out),
        "held_out_seed": HELD_OUT_SEED,
        "psnr": round(reconstruction_psnr(drawer.pipeline.vae, stack, drawer.device), 2),
        "adherence": adherence(judge, drawn, wanted),
        "adherence_of_real_renders": adherence(judge, [each.pixels for each in held_out], wanted),
        "judged": {name: sum(name in each for each in wanted) for name in QUESTIONS},
        "pixel_distance": _variety(drawer, held_out[:6]),
        **_speed(drawer),
        "megabytes": round(sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file()) / 1e6, 2),
    }


def _variety(drawer: Drawer, chosen: Sequence[Example], seeds: int = 6) -> dict[str, float]:
    """How different pictures of one prompt are, drawn and real."""
    drawn, real = [], []
    for each in chosen:
        drawn.append(spread(drawer.draw([each.caption] * seeds, range(seeds))))
        others = [replace(each.scene, seed=seed) for seed in range(seeds)]
        real.append(spread([render(scene, drawer.side, drawer.side) for scene in others]))
    return {"drawn": round(float(np.mean(drawn)), 1), "real": round(float(np.mean(real)), 1)}


def _speed(drawer: Drawer) -> dict[str, Any]:
    drawer.draw(["a lake"], [0])
    seconds = {}
    for batch in (1, 8):
        started = time.perf_counter()
        drawer.draw(["a red sunset over the sea"] * batch, range(batch))
        seconds[str(batch)] = round((time.perf_counter() - started) / batch, 2)
    return {
        "seconds_a_picture_by_batch": seconds,
        "load_seconds": round(drawer.load_seconds, 2),
        "device": drawer.device,
        "threads": torch.get_num_threads(),
    }


def report(figures: dict[str, Any]) -> str:
    """The figures as a table of Markdown, beside their goals."""
    rows: list[list[Any]] = [["", "drawn", "real renders", "goal"], ["---"] * 4]
    rows.append(["reconstruction, dB", figures["psnr"], "", "≥ 28"])
    for name, goal in GOALS.items():
        rows.append(
            [f"prompt adherence: {name}", f"{figures['adherence'][name]:.1%}",
             f"{figures['adherence_of_real_renders'][name]:.1%}", f"≥ {goal:.0%}"]
        )  # fmt: skip
    distance, speed = figures["pixel_distance"], figures["seconds_a_picture_by_batch"]
    rows += [
        ["pixel distance across seeds, of 255", distance["drawn"], distance["real"], ""],
        ["seconds a picture, alone", speed["1"], "", "≤ 3"],
        ["seconds a picture, in a batch of 8", speed["8"], "", "≤ 1"],
        ["seconds to load", figures["load_seconds"], "", "≤ 1"],
        ["megabytes", figures["megabytes"], "", "≤ 25"],
    ]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Measure a demo checkpoint.")
    parser.add_argument("--checkpoint", type=Path, default=DEMO_CHECKPOINT)
    parser.add_argument("--captions", type=int, default=200)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--cache", type=Path, default=Path(".glad") / "demo-model", help="where the judge is kept")
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 1), help="processes that draw")
    parser.add_argument("--threads", type=int, help="of torch; its own choice if not given")
    given = vars(parser.parse_args(arguments))
    checkpoint, cache, threads = (given.pop(name) for name in ("checkpoint", "cache", "threads"))
    if threads:
        torch.set_num_threads(threads)
    figures = evaluate(checkpoint, cache, **given)
    (checkpoint / "metrics.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    print(report(figures))


if __name__ == "__main__":
    multiprocessing.freeze_support()
    main()
