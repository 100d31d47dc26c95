"""Fakes of the GPU that remember, across processes, what was drawn."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.testing import InstantSdxl


class LoggedSdxl(InstantSdxl):
    """Appends the hash of every picture drawn, who drew it and when, to a file that all processes share."""

    draw_log: str
    breaks_after: int | None = None  # pictures; then nothing can be drawn any more, and no picture is at fault

    def generate(self, recipes: Iterable[Recipe], *, on_batch_start=lambda recipes: None) -> Iterator[Drawn]:
        log = os.open(self.draw_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            for done, drawn in enumerate(super().generate(recipes, on_batch_start=on_batch_start)):
                if self.breaks_after is not None and done >= self.breaks_after:
                    yield Drawn(recipe=drawn.recipe, error="no compiler", cause="setup", provenance={})
                    return
                if drawn.pixels is not None:
                    os.write(
                        log, f"{drawn.recipe.hash} {os.getpid()} {time.time():.2f}\n".encode()
                    )  # one write: whole lines, whoever else writes
                yield drawn
        finally:
            os.close(log)


def draws(log: Path) -> dict[str, list[int]]:
    """The processes that drew each recipe, in the order in which they did."""
    by_recipe: dict[str, list[int]] = {}
    for line in log.read_text().splitlines() if log.exists() else []:
        recipe, pid, _ = line.split()
        by_recipe.setdefault(recipe, []).append(int(pid))
    return by_recipe


def drawn_for_nothing(log: Path, interrupted: Collection[int]) -> Counter[int]:
    """How many pictures each process drew for nothing: of several that drew the same one, those that were `interrupted`
    (killed, or woken after others had taken over), else those before the last.
    """
    wasted: Counter[int] = Counter()
    for pids in draws(log).values():
        extra = len(pids) - 1
        wasted.update(sorted(pids, key=lambda pid: pid not in interrupted)[:extra])
    return wasted
