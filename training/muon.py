"""Muon: momentum whose steps are made orthogonal, for convolutions and attention; far fewer steps than AdamW.

After Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import torch

STEEP = (3.4445, -4.7750, 2.0315)  # of the quintic that drives all singular values towards 1


def orthogonal(matrices: torch.Tensor, iterations: int = 5) -> torch.Tensor:
    """The nearest matrices, (count, rows, columns), whose singular values are about 1, by Newton and Schulz."""
    first, third, fifth = STEEP
    x = matrices.bfloat16()
    tall = x.size(1) > x.size(2)
    x = x.mT.contiguous() if tall else x
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(iterations):
        square = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=third, alpha=fifth), x, beta=first)
    return (x.mT if tall else x).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """For weights of two and more axes, taken as matrices (out, everything else)."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter], *, lr: float, momentum: float = 0.95) -> None:
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]  # no closure, no loss
        for group in self.param_groups:
            alike = defaultdict(list)  # matrices of one shape go through the iterations together
            for weight in group["params"]:
                if weight.grad is not None:
                    direction = self._direction(weight, weight.grad, group["momentum"])
                    alike[direction.shape].append((weight, direction))
            for (rows, columns), pairs in alike.items():
                updates = orthogonal(torch.stack([direction for _, direction in pairs]))
                stretch = max(1.0, rows / columns) ** 0.5
                for (weight, _), update in zip(pairs, updates, strict=True):
                    weight.add_(update.view_as(weight), alpha=-group["lr"] * stretch)

    def _direction(self, weight: torch.Tensor, gradient: torch.Tensor, momentum: float) -> torch.Tensor:
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        mean: torch.Tensor = state["mean"].lerp_(gradient, 1 - momentum)
        return gradient.lerp(mean, momentum).flatten(1)
