"""From a prompt's row to its complete recipe: what the row leaves open is filled from preset, settings and model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.presets import PRESETS, Preset
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.generation.tokens import pieces_to_draw
from glad_pipeline.records import Prompt
from glad_pipeline.weighted_text import is_plain

SCHEDULER = "euler"


def recipe_of(prompt: Prompt, profile: ModelProfile, options: EngineOptions, *, fetch: bool = True) -> Recipe:
    """The recipe of a row of `prompts`, drawn with `profile`.

    A value of the row's own comes first, then what the row's own preset says, then the setting, then what the
    setting's preset says, then the model.

    `fetch`: whether tokenizers that are not here may be fetched. Raises as `pieces_to_draw`, where a text is not surely
    short.
    """
    own = prompt.preset
    name = own or options.preset
    preset = PRESETS[name]
    first, last = (said_by(preset, profile), {}) if own else ({}, said_by(preset, profile))
    model, revision, vae, refiner, lora = profile.weights

    def chosen(field: str, setting: Any, models: Any) -> Any:
        values = (getattr(prompt, field), first.get(field), setting, last.get(field), models)
        return next(value for value in values if value is not None)

    recipe = Recipe(
        prompt=prompt.prompt,
        negative_prompt=prompt.negative_prompt,
        seed=prompt.seed,
        width=chosen("width", options.width, profile.width),
        height=chosen("height", options.height, profile.height),
        num_inference_steps=chosen("num_inference_steps", options.steps, profile.num_inference_steps),
        guidance_scale=chosen("guidance_scale", options.guidance_scale, profile.guidance_scale),
        scheduler=chosen("scheduler", options.scheduler, SCHEDULER),
        model=model,
        model_revision=revision,
        preset=name,
        vae=vae,
        refiner=refiner,
        lora=lora,
        prompt_syntax=prompt.prompt_syntax or options.prompt_syntax,
    )
    return _read_in_pieces(recipe, profile, options, fetch=fetch)


def _read_in_pieces(recipe: Recipe, profile: ModelProfile, options: EngineOptions, *, fetch: bool) -> Recipe:
    """With the number of pieces that its texts are read in; a negative prompt without effect does not count.

    Texts that both syntaxes read alike are plain: their pictures stay what they were whatever the setting is.
    """
    texts = {"prompt": recipe.prompt, "negative_prompt": recipe.negative_prompt}
    if all(map(is_plain, texts.values())):
        recipe = replace(recipe, prompt_syntax="plain")
    if not recipe.is_guided:
        del texts["negative_prompt"]
    pieces = pieces_to_draw(
        texts,
        syntax=recipe.prompt_syntax,
        profile=profile,
        cut=options.long_prompts == "cut",
        hash_cache=options.hash_cache,
        fetch=fetch,
    )
    return replace(recipe, text_pieces=pieces)


def said_by(preset: Preset, profile: ModelProfile) -> dict[str, Any]:
    """The values that the preset sets, by column."""
    steps = preset.steps
    if steps is None and preset.steps_share != 1:
        steps = max(1, round(profile.num_inference_steps * preset.steps_share))
    return {
        "num_inference_steps": steps,
        "guidance_scale": preset.guidance_scale,
        "scheduler": preset.scheduler,
    }
