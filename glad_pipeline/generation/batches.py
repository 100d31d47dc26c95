"""Recipes into batches: which can be drawn with a profile, and which are drawn together.

A profile is a model with its VAE, refiner and LoRA, found and identified (`models.py`). Torch-free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import Recipe, Shape, validate_recipe_fields

MIN_REFINED_STEPS = 6  # fewer, and with some schedulers none is left for the refiner


def faults_of(recipe: Recipe, profile: ModelProfile) -> list[str]:
    """Why this recipe cannot be drawn with these weights, in words; empty if it can."""
    values = recipe.as_dict()
    asked = {name: values.pop(name) for name in ("model", "model_revision", "vae", "refiner", "lora")}
    faults = validate_recipe_fields(**values)
    for (name, wanted), loaded in zip(asked.items(), profile.weights, strict=True):
        if wanted != loaded:
            faults.append(f"asks for {name} {wanted or 'none'}, loaded is {loaded or 'none'}")
    if faults:
        return faults
    preset = PRESETS[recipe.preset]
    if preset.quantization != profile.quantization:
        faults.append(f"asks for the preset {recipe.preset}, the model is loaded as {profile.quantization}")
    if (preset.refiner_from is not None) != (profile.refiner is not None):
        faults.append(f"asks for the preset {recipe.preset}, which does not go with refiner {recipe.refiner or 'none'}")
    if preset.refiner_from is not None and recipe.num_inference_steps < MIN_REFINED_STEPS:
        faults.append(
            f"num_inference_steps is {recipe.num_inference_steps}: the preset {recipe.preset} needs at least "
            f"{MIN_REFINED_STEPS}, or none is left for the refiner"
        )
    return faults


def grouped(
    recipes: Iterable[Recipe],
    profile: ModelProfile,
    batch_of: Callable[[Recipe], int],
    small_batch: int | None = None,
) -> Iterator[tuple[list[Recipe], int]]:
    """Recipes of one shape and the batch for them, full ones first; an impossible recipe alone, with batch 0.

    Reads `recipes` only as far as it is asked for groups. `small_batch`: for what is left over, if it fits.
    """
    waiting: dict[Shape, list[Recipe]] = {}
    for recipe in recipes:
        if faults_of(recipe, profile):
            yield [recipe], 0
            continue
        group = waiting.setdefault(recipe.shape, [])
        group.append(recipe)
        if len(group) >= batch_of(recipe):
            yield waiting.pop(recipe.shape), len(group)
    for group in waiting.values():
        batch = batch_of(group[0])
        yield group, small_batch if small_batch and len(group) <= small_batch <= batch else batch
