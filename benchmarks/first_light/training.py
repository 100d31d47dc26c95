"""Step 6: the demo model trained on from the checkpoint that ships; what comes of it is kept if it is better in all."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from unittest import mock

from benchmarks.first_light.place import Place
from benchmarks.first_light.runner import ROOT, Case, Figures
from glad_pipeline.generation.models import DEMO_CHECKPOINT

CASES = ("trained-on",)
LEAST_SECONDS = 60.0
AROUND = 75.0  # seconds that drawing the pictures to learn from and the two evaluations take
PRESET = "gpu-on"
JUDGE = ROOT / "benchmarks" / "wheels"  # where first_light_prepare.sh has the judge trained, for it takes minutes


def cases(place: Place, seconds: float) -> Mapping[str, Case]:
    """`seconds`: for all of it."""
    return {"trained-on": lambda: trained_on(place, seconds)}


def trained_on(place: Place, seconds: float) -> Figures:
    """`seconds`: for drawing what is learnt from, training and evaluating, together."""
    from training import evaluate, train

    out = place.folder / "demo-model"
    shutil.rmtree(out, ignore_errors=True)
    workers = max(1, (os.cpu_count() or 1) - 1)
    plan = train.PRESETS[PRESET]
    captions, judge = 200, evaluate.trained_judge
    if place.shrunken:
        captions, judge = 12, partial(judge, pictures=128, epochs=1)
        few, tiny = dict.fromkeys(plan.denoiser.pictures, 4), tuple(replace(p, batch=2) for p in plan.denoiser.phases)
        plan = replace(plan, denoiser=replace(plan.denoiser, pictures=few, phases=tiny))
    options = train.Options(
        out=out,
        preset=PRESET,
        minutes=max(5.0, seconds - AROUND) / 60,
        denoiser_steps=2 if place.shrunken else None,
        start_from=DEMO_CHECKPOINT,
        device=place.device,
        workers=workers,
    )
    began = time.monotonic()
    with mock.patch.dict(train.PRESETS, {PRESET: plan}):
        training = train.Training(options)
        training.run()
    trained = time.monotonic()
    checkpoints = {"before": DEMO_CHECKPOINT, "after": out / "checkpoint"}
    with mock.patch.object(evaluate, "trained_judge", judge):
        found = {
            name: evaluate.evaluate(path, JUDGE, captions=captions, steps=20, guidance=3.0, workers=workers)
            for name, path in checkpoints.items()
        }
    before, after = compared(found["before"]), compared(found["after"])
    kept = all(after[name] >= value for name, value in before.items()) and after != before
    if kept:
        (out / "checkpoint" / "metrics.json").write_text(json.dumps(found["after"], indent=2), encoding="utf-8")
    else:
        shutil.rmtree(out / "checkpoint")
    return {
        "steps": training.trainer.progress.step,
        "seconds_drawing_and_training": round(trained - began, 1),
        "before": before,
        "after": after,
        "kept": str(out / "checkpoint") if kept else False,
    }


def compared(metrics: Mapping[str, Any]) -> dict[str, float]:
    """What must not be worse, any of it; larger is better."""
    told = {f"adherence_{name}": round(value, 4) for name, value in metrics["adherence"].items()}
    return {**told, "psnr": metrics["psnr"], "pixel_distance": metrics["pixel_distance"]["drawn"]}


def main() -> None:
    """Have the judge trained, if it is not there."""
    from training.judge import trained_judge

    trained_judge(JUDGE, workers=max(1, (os.cpu_count() or 1) - 1))


if __name__ == "__main__":
    main()
