"""What a row of `prompts` leaves open, and who fills it: the row, its preset, the setting, the setting's preset, the model."""

import pytest

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation.artifacts import Artifact
from glad_pipeline.generation.defaults import recipe_of
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.records import Prompt

SDXL = ModelProfile(
    name="some/sdxl", source="some/sdxl", revision="0" * 40, width=1024, height=1024, num_inference_steps=30,
    guidance_scale=7.0, is_local=False,
)  # fmt: skip


def filled(row=None, **settings):
    recipe = recipe_of(Prompt(id=1, prompt="a fox", seed=1, **(row or {})), SDXL, EngineOptions(**settings))
    return recipe.num_inference_steps, recipe.guidance_scale, recipe.scheduler, recipe.preset


@pytest.mark.parametrize(
    ("row", "settings", "expected"),
    [
        ({}, {}, (30, 7.0, "euler", "base")),
        ({"preset": None, "scheduler": None}, {}, (30, 7.0, "euler", "base")),
        ({}, {"preset": "fast"}, (20, 7.0, "euler", "fast")),
        ({"preset": "fast"}, {}, (20, 7.0, "euler", "fast")),
        ({"preset": "lightning-4"}, {}, (4, 0.0, "euler", "lightning-4")),
        ({"preset": "lcm-4"}, {}, (4, 1.0, "lcm", "lcm-4")),
        # a preset that a row names brings its own values; what it leaves open is the setting's
        ({"preset": "lcm-4"}, {"steps": 50, "guidance_scale": 9.0, "scheduler": "ddim"}, (4, 1.0, "lcm", "lcm-4")),
        ({"preset": "refined"}, {"steps": 50, "scheduler": "ddim"}, (50, 7.0, "ddim", "refined")),
        # a setting says more than the setting's preset
        ({}, {"preset": "lcm-4", "steps": 8}, (8, 1.0, "lcm", "lcm-4")),
        # the row's own value is above all, and nought is a value
        (
            {"preset": "lcm-4", "num_inference_steps": 6, "guidance_scale": 0.0, "scheduler": "euler"},
            {"steps": 50},
            (6, 0.0, "euler", "lcm-4"),
        ),
        ({"preset": "base"}, {"preset": "lcm-4"}, (30, 7.0, "euler", "base")),
    ],
)
def test_the_nearest_word_counts(row, settings, expected):
    assert filled(row, **settings) == expected


def test_a_recipe_names_all_that_is_loaded():
    import dataclasses

    vae = Artifact(kind="VAE", name="own/vae", source="own/vae", revision="1" * 40, is_local=False)
    loras = (
        Artifact(
            kind="LoRA", name="a", source="/a", file="a.safetensors", revision="sha256:2", weight=0.5, is_local=True
        ),
        Artifact(kind="LoRA", name="b", source="/b", file="b.safetensors", revision="sha256:3", is_local=True),
    )
    profile = dataclasses.replace(SDXL, vae=vae, loras=loras)
    recipe = recipe_of(Prompt(id=1, prompt="a fox", seed=1), profile, EngineOptions())
    assert recipe.weights == profile.weights
    assert recipe.lora == "a@sha256:2*0.5, b@sha256:3*1"
    assert (recipe.vae, recipe.refiner) == (f"own/vae@{'1' * 40}", "")
