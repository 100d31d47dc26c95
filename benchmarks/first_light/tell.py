"""The figures for people: against the floor of the arithmetic, goals beside them, ratios last."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BF16 = 790e12  # FLOP/s of one H200 at a large bf16 matrix product, as published
MLPERF = 2.399  # pictures/s of one H200 at 20 steps, MLPerf Inference v5.1 closed, offline (FP8 UNet, INT8 VAE)
GOALS = {"floor": 0.65, "busy": 0.97, "deterministic": 1.05, "cold": 60.0, "cached": 20.0}


def tell(told: Mapping[str, Any]) -> None:
    """Prints tables in Markdown, then one line a goal; what was not measured is said so."""
    steps = told["steps"]
    print(f"\nOn {told['device']}, torch {told['torch']}\n")
    for case, figures in steps.get("same-pixels", {}).items():
        print(f"same pixels, {case}: {_short(figures)}")
    _rates(steps.get("speed", {}))
    _choices(steps.get("choices", {}))
    for step in ("stages", "presets", "demo-model"):
        for case, figures in steps.get(step, {}).items():
            print(f"{step}, {case}: {_short(figures)}")
    print()
    for line in goals(steps):
        print(f"first_light: {line}")


def _short(figures: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items() if name not in ("case_seconds", "where"))


def _rates(speed: Mapping[str, Any]) -> None:
    print("\n| steps | batch | pictures/s | of 790 TFLOP/s | of this GPU's bf16 product | of MLPerf | peak GiB |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for case in ("fewer-steps", "more-steps"):
        of = speed.get(case, {})
        if "images_per_second" not in of:
            continue
        ratio, own = of_floor(speed, case), of_floor(speed, case, own=True)
        mlperf = f"{of['images_per_second'] / MLPERF:.3f}" if of["steps"] == 20 else ""
        rate, peak = of["images_per_second"], of["peak_gib"]
        print(f"| {of['steps']} | {of['batch']} | {rate} | {ratio:.3f} | {own:.3f} | {mlperf} | {peak} |")


def _choices(choices: Mapping[str, Any]) -> None:
    base = choices.get("as-it-is", {}).get("images_per_second_at_30")
    print("\n| choice | pictures/s at 30 steps | × as it is | warm-up s | peak GiB |\n|---|---:|---:|---:|---:|")
    for case, figures in choices.items():
        if "images_per_second_at_30" not in figures:
            print(f"| {case} | {figures.get('error', '')} | | | |")
            continue
        rate = figures["images_per_second_at_30"]
        times = f"{rate / base:.3f}" if base else ""
        print(f"| {case} | {rate} | {times} | {figures['warm_seconds']} | {figures['peak_gib']} |")
    print()


def of_floor(speed: Mapping[str, Any], case: str, *, own: bool = False) -> float:
    """Arithmetic done a second ÷ what the GPU does at a large bf16 product: as published, or as measured here."""
    flop, of = speed["floor"]["flop"], speed[case]
    each = 2 * of["steps"] * flop["unet"] + flop["vae"] + flop["text"]
    return float(of["images_per_second"] * each / (speed["floor"]["flop_per_second"] if own else BF16))


def goals(steps: Mapping[str, Any]) -> list[str]:
    """One line a goal, with the figure or that there is none."""
    speed, choices, stages = steps.get("speed", {}), steps.get("choices", {}), steps.get("stages", {})
    lines = []
    differing = [
        f"{case} ({name} {value})"
        for case, figures in steps.get("same-pixels", {}).items()
        for name, value in figures.items()
        if name == "error" or (name.startswith("different") and value)
    ]
    known = "same-pixels" in steps
    lines.append(f"same pixels: {'not shown: ' + ', '.join(differing) if differing else 'yes' if known else _NONE}")
    for case in ("fewer-steps", "more-steps"):
        if "images_per_second" in speed.get(case, {}) and "flop" in speed.get("floor", {}):
            ratio, count = of_floor(speed, case), speed[case]["steps"]
            lines.append(f"{ratio:.3g} of the bf16 floor at {count} steps (goal ≥ {GOALS['floor']})")
        else:
            lines.append(f"{case}, of the bf16 floor: {_NONE} (goal ≥ {GOALS['floor']})")
    cold, cached = speed.get("warm-up", {}), steps.get("again", {}).get("warm-up-with-cache", {})
    lines.append(f"warm-up {cold.get('warm_seconds', _NONE)} s cold (goal ≤ {GOALS['cold']:g})")
    lines.append(f"warm-up {cached.get('warm_seconds', _NONE)} s with its cache (goal ≤ {GOALS['cached']:g})")
    rates = [choices.get(name, {}).get("images_per_second_at_30") for name in ("not-deterministic", "as-it-is")]
    costs = f"{rates[0] / rates[1]:.3f} ×" if all(rates) else _NONE
    lines.append(f"determinism costs {costs} (goal ≤ {GOALS['deterministic']})")
    for case, figures in stages.items():
        busy, share = figures.get("gpu_busy", _NONE), figures.get("drawing_share", _NONE)
        lines.append(f"GPU busy {busy}, drawing {share} of the time, {case} (goal ≥ {GOALS['busy']})")
    return lines


_NONE = "not measured"
