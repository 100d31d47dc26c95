"""What both stages of training share: how far along it is, learning rate, averaged weights, saved state.

Knows optimisers and clocks, not networks or pictures.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.muon import Muon


@dataclass
class Progress:
    """How much of a stage is done: by steps, where they are given (reproducible), else by the clock.

    The clock is for a machine whose speed is not known: the learning rate then falls to its end just as the time runs
    out, and the log keeps the number of steps.
    """

    steps: int | None
    seconds: float
    step: int = 0
    spent: float = 0.0  # seconds before this process took over
    started: float = 0.0

    def begin(self) -> None:
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        return self.spent + time.monotonic() - self.started

    @property
    def done(self) -> float:
        """0 at the start, 1 at the end."""
        return min(1.0, self.step / self.steps if self.steps is not None else self.elapsed / self.seconds)

    @property
    def finished(self) -> bool:
        return self.step >= self.steps if self.steps is not None else self.elapsed >= self.seconds


class Trainer:
    """AdamW, or Muon for convolutions and attention; warm-up and a cosine, clipped gradients, averaged weights."""

    def __init__(
        self,
        modules: dict[str, nn.Module],
        progress: Progress,
        *,
        rate: float,
        decay: float,
        average: float,
        matrix_rate: float | None = None,
    ) -> None:
        self.modules, self.progress, self.average = modules, progress, average
        self.parameters = [each for module in modules.values() for each in module.parameters()]
        inner = [
            each
            for module in modules.values()
            for name, each in module.named_parameters()
            if matrix_rate
            and ((each.ndim == 4 and min(each.shape[:2]) > 3) or (each.ndim == 2 and "transformer_blocks" in name))
        ]
        known = {id(each) for each in inner}
        outer = [each for each in self.parameters if id(each) not in known]
        self.optimizers: list[tuple[torch.optim.Optimizer, float]] = [
            (torch.optim.AdamW(outer, lr=rate, betas=(0.9, 0.98), weight_decay=decay, fused=True), rate)
        ]
        if matrix_rate:
            self.optimizers.append((Muon(inner, lr=matrix_rate), matrix_rate))
        self.averages = [each.detach().clone() for each in self.parameters]

    def step(self, loss: torch.Tensor) -> None:
        progress = self.progress
        share = min(1.0, (progress.step + 1) / 100) * max(0.01, 0.5 + 0.5 * math.cos(math.pi * progress.done))
        for optimizer, rate in self.optimizers:
            optimizer.param_groups[0]["lr"] = rate * share
            optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's own
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        for optimizer, _ in self.optimizers:
            optimizer.step()
        progress.step += 1
        keep = min(self.average, (1 + progress.step) / (10 + progress.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.averages, [each.detach() for each in self.parameters], 1 - keep)

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Inside, the modules carry the averaged weights."""
        own = [each.detach().clone() for each in self.parameters]
        self._put(self.averages)
        try:
            yield
        finally:
            self._put(own)

    def settle(self) -> None:
        """The averaged weights become the modules' own."""
        self._put(self.averages)

    @torch.no_grad()
    def _put(self, values: Sequence[torch.Tensor]) -> None:
        for parameter, value in zip(self.parameters, values, strict=True):
            parameter.copy_(value)

    def state(self) -> dict[str, Any]:
        return {
            "modules": {name: module.state_dict() for name, module in self.modules.items()},
            "optimizers": [optimizer.state_dict() for optimizer, _ in self.optimizers],
            "averages": self.averages,
            "step": self.progress.step,
            "spent": self.progress.elapsed,
        }

    def restore(self, state: dict[str, Any]) -> None:
        for name, module in self.modules.items():
            module.load_state_dict(state["modules"][name])
        for (optimizer, _), saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        for mine, theirs in zip(self.averages, state["averages"], strict=True):
            mine.copy_(theirs)
        self.progress.step, self.progress.spent = state["step"], state["spent"]


def save_state(file: Path, state: dict[str, Any]) -> None:
    """Whole or not at all: a kill while saving leaves the last state."""
    fresh = file.with_suffix(".new")
    torch.save(state, fresh)
    fresh.replace(file)


class Log:
    """One JSON object a line, to a file and to the terminal."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, event: str, **fields: Any) -> None:
        line = json.dumps({"event": event, "at": time.strftime("%H:%M:%S"), **fields})
        print(line, flush=True)
        with self.file.open("a", encoding="utf-8") as out:
            out.write(line + "\n")


def autocast(device: str) -> Any:
    """bfloat16 where the hardware multiplies it fast, else full precision."""
    fast = device == "cuda" or (device == "cpu" and torch.cpu._is_avx512_bf16_supported())
    return torch.autocast(device, torch.bfloat16, enabled=fast)
