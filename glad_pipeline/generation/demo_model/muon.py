"""Muon: momentum whose steps are made orthogonal, far fewer steps than AdamW for convolutions and attention.

After Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

STEEP = (3.4445, -4.7750, 2.0315)  # of the quintic that drives all singular values towards 1


def orthogonal(matrix: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """The nearest matrix whose singular values are about 1, by Newton and Schulz."""
    first, third, fifth = STEEP
    x = matrix.bfloat16()
    tall = x.size(0) > x.size(1)
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        square = x @ x.T
        x = first * x + (third * square + fifth * square @ square) @ x
    result: torch.Tensor = (x.T if tall else x).to(matrix.dtype)
    return result


class Muon(torch.optim.Optimizer):
    """For weights of two and more axes, taken as matrices (out, everything else)."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], *, lr: float, momentum: float = 0.95) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure, no loss
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["mean"] = torch.zeros_like(weight)
                mean = state["mean"].lerp_(weight.grad, 1 - group["momentum"])
                update = orthogonal(weight.grad.lerp(mean, group["momentum"]).flatten(1))
                stretch = max(1.0, update.size(0) / update.size(1)) ** 0.5
                weight.add_(update.view_as(weight), alpha=-group["lr"] * stretch)
