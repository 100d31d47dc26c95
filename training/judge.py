"""A small classifier that tells what a picture shows, taught on the renderer's own labels.

It judges drawn pictures by the same eyes as real renders, so that the two figures can stand side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from training import canvas, city, land, light, places, scenes, water
from training.data import examples
from training.scenes import COLOURS, LIGHTS, PLACES, TIMES, Scene
from training.training import autocast

QUESTIONS = {"time": TIMES, "place": PLACES, "colour": COLOURS, "light": LIGHTS}
PAINTING = (canvas, city, land, light, places, scenes, water)  # what a change of makes a judge out of date
SIDE = 64  # pixels it looks at
UNKNOWN = -100  # torch's "no label": no colour was named


class Judge(nn.Module):
    """Pictures (count, 3, 64, 64) in -1..1 to the scores of each question's answers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for channels in (32, 48, 96, 128):
            for first in (before, channels):
                layers += [nn.Conv2d(first, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
            before = channels
        self.body = nn.Sequential(*layers)
        self.heads = nn.ModuleDict({name: nn.Linear(2 * before, len(answers)) for name, answers in QUESTIONS.items()})

    def forward(self, pictures: torch.Tensor) -> dict[str, torch.Tensor]:
        seen = self.body(pictures)
        pooled = torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], dim=1)
        return {name: head(pooled) for name, head in self.heads.items()}

    @torch.no_grad()
    def answers(self, pictures: Sequence[NDArray[np.uint8]]) -> dict[str, list[str]]:
        """One answer to each question for each picture, (height, width, 3)."""
        self.eval()
        scores: dict[str, list[int]] = {name: [] for name in QUESTIONS}
        for place in range(0, len(pictures), 64):
            for name, each in self(shrink(pictures[place : place + 64])).items():
                scores[name] += each.argmax(1).tolist()
        return {name: [QUESTIONS[name][place] for place in chosen] for name, chosen in scores.items()}


def shrink(pictures: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """To the size the judge looks at, each pixel the mean of what it covers."""
    small = [
        functional.adaptive_avg_pool2d(torch.from_numpy(each).permute(2, 0, 1).float(), (SIDE, SIDE))
        for each in pictures
    ]
    return torch.stack(small) / 127.5 - 1


def labels(scene: Scene) -> list[int]:
    """The place of the right answer to each question, or UNKNOWN."""
    shown = {"time": scene.time, "place": scene.place, "colour": scene.colour, "light": scene.light}
    return [UNKNOWN if value is None else QUESTIONS[name].index(value) for name, value in shown.items()]


def trained_judge(cache: Path, *, pictures: int = 10_000, epochs: int = 10, workers: int = 1) -> Judge:
    """The judge, from `cache` if it was trained there on these very scenes before; else trained now (minutes)."""
    source = "".join(Path(str(each.__file__)).read_text(encoding="utf-8") for each in PAINTING)
    key = hashlib.sha256(f"{source}{pictures}{epochs}".encode()).hexdigest()[:16]
    file = cache / f"judge-{key}.pt"
    judge = Judge()
    if file.exists():
        judge.load_state_dict(torch.load(file, weights_only=True))
        return judge
    torch.manual_seed(0)
    judge = Judge()
    small, right = [], []
    for each in examples(0, "classifier", pictures, (2 * SIDE, 2 * SIDE), workers=workers):
        if each.scene.style != "noir":  # without colour nobody could tell dawn from day
            small.append((shrink([each.pixels])[0] * 127.5 + 127.5).to(torch.uint8))
            right.append(labels(each.scene))
    _teach(judge, torch.stack(small), torch.tensor(right), epochs)
    cache.mkdir(parents=True, exist_ok=True)
    torch.save(judge.state_dict(), file)
    return judge


def _teach(judge: Judge, small: torch.Tensor, right: torch.Tensor, epochs: int, batch: int = 64) -> None:
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.02)
    steps = epochs * (len(small) // batch)
    rise = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps + 1)
    judge.train()
    for _ in range(epochs):
        order = torch.randperm(len(small))
        for start in range(0, len(small) - batch + 1, batch):
            chosen = order[start : start + batch]
            pictures = small[chosen].float() / 127.5 - 1
            if start // batch % 2:
                pictures = pictures.flip(3)
            pictures = pictures + 0.02 * torch.randn(pictures.shape)
            with autocast("cpu"):
                scores = judge(pictures)
            loss = sum(
                functional.cross_entropy(scores[name].float(), right[chosen, place], label_smoothing=0.02)
                for place, name in enumerate(QUESTIONS)
            )
            optimizer.zero_grad()
            torch.as_tensor(loss).backward()  # type: ignore[no-untyped-call]  # torch's own
            optimizer.step()
            rise.step()
