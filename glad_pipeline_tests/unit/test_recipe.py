"""The recipe, its hash, its validation, and the bytes pictures become. No torch."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from glad_pipeline import limits
from glad_pipeline.errors import UsageError
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import LATER_FIELDS, Recipe, validate_recipe_fields
from glad_pipeline.limits import CHARS, SEED
from glad_pipeline.media.encoding import contrast, shrunk

RECIPE = Recipe(
    prompt="a red fox",
    negative_prompt="blurry",
    seed=7,
    width=1024,
    height=1024,
    num_inference_steps=30,
    guidance_scale=7.0,
    scheduler="euler",
    model="demo",
    model_revision="sha256:00",
)
OTHER = {
    "prompt": "a red Fox",
    "negative_prompt": "",
    "seed": 8,
    "width": 1032,
    "height": 1032,
    "num_inference_steps": 31,
    "guidance_scale": 7.5,
    "scheduler": "ddim",
    "model": "demo2",
    "model_revision": "sha256:01",
    "preset": "fast",
    "vae": "owner/vae@01",
    "refiner": "owner/refiner@01",
    "lora": "owner/lora/file.safetensors@01*0.8",
    "text_pieces": 2,
    "prompt_syntax": "a1111",
}
POSSIBLE = {
    "prompt": "a fox",
    "negative_prompt": "",
    "seed": 0,
    "width": 64,
    "height": 4096,
    "num_inference_steps": 1,
    "guidance_scale": 0,
    "scheduler": "unipc",
}


def test_the_hash_of_a_known_recipe_never_changes():
    """Keys in every bucket are made of it: if this fails, HASH_FORMAT has to change, not the value here."""
    assert RECIPE.hash == "85b462fb635069b9315a4e63eab3ced44cf2bf7aeb5a147869adce25be5c8c71"


@pytest.mark.parametrize("name", OTHER)
def test_every_field_changes_the_hash(name):
    assert dataclasses.replace(RECIPE, **{name: OTHER[name]}).hash != RECIPE.hash
    assert set(OTHER) == set(RECIPE.as_dict())


def test_a_recipe_survives_json_with_its_hash():
    again = Recipe.from_dict(json.loads(json.dumps(RECIPE.as_dict())))
    assert again == RECIPE
    assert again.hash == RECIPE.hash


def test_seven_and_seven_point_zero_and_both_spellings_of_an_accent_are_one_recipe():
    assert dataclasses.replace(RECIPE, guidance_scale=7).hash == RECIPE.hash
    assert dataclasses.replace(RECIPE, guidance_scale=-0.0).hash == dataclasses.replace(RECIPE, guidance_scale=0).hash
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert dataclasses.replace(RECIPE, prompt=decomposed).prompt == composed
    assert dataclasses.replace(RECIPE, prompt=composed).hash == dataclasses.replace(RECIPE, prompt=decomposed).hash


def test_a_dictionary_that_is_no_recipe_is_refused_by_field_name():
    values = RECIPE.as_dict()
    del values["seed"]
    with pytest.raises(UsageError, match=r"missing \['seed'\], unknown \['sede'\]"):
        Recipe.from_dict({**values, "sede": 7})


def test_recipes_share_a_shape_only_when_one_batch_can_draw_them():
    assert dataclasses.replace(RECIPE, prompt="another", seed=9, negative_prompt="ugly").shape == RECIPE.shape
    for name in set(OTHER) - {"prompt", "negative_prompt", "prompt_syntax", "seed"}:
        assert dataclasses.replace(RECIPE, **{name: OTHER[name]}).shape != RECIPE.shape


def test_possible_values_and_defaults_have_no_faults():
    assert validate_recipe_fields(**POSSIBLE) == []
    assert validate_recipe_fields(prompt="a fox") == []
    assert validate_recipe_fields(prompt="x" * CHARS["prompt"], seed=SEED.high, guidance_scale=30.0) == []


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("prompt", "", "empty"),
        ("prompt", " \n\u2003", "empty"),
        ("prompt", "a\0b", "NUL character at position 1"),
        ("prompt", "x" * 200_000, "200,000 characters: at most 20,000"),
        ("prompt", "\ud800", "surrogate"),
        ("prompt", None, "has to be text"),
        ("prompt", 5, "has to be text"),
        ("negative_prompt", "a\0b", "NUL"),
        ("negative_prompt", "x" * 20_001, "at most 20,000"),
        ("width", 1001, "multiple of 8, such as 1000 or 1008"),
        ("width", 56, "from 64 to 4,096"),
        ("height", 4104, "from 64 to 4,096"),
        ("height", -8, "from 64 to 4,096"),
        ("height", "512", "whole number"),
        ("height", 512.0, "whole number"),
        ("width", True, "whole number"),
        ("num_inference_steps", 0, "from 1 to 200"),
        ("num_inference_steps", -3, "from 1 to 200"),
        ("guidance_scale", 30.5, "from 0 to 30"),
        ("guidance_scale", float("nan"), "from 0 to 30"),
        ("guidance_scale", float("inf"), "from 0 to 30"),
        ("seed", -1, "from 0 to"),
        ("seed", 2**63, "from 0 to"),
        pytest.param("seed", 10**5000, "bits", id="seed-unprintable"),
        ("scheduler", "heun", "one of euler, euler_a"),
        ("scheduler", ["euler"], "one of euler, euler_a"),
    ],
)
def test_an_impossible_value_gets_one_reason_that_names_it(field, value, reason):
    reasons = validate_recipe_fields(**{**POSSIBLE, field: value})
    assert len(reasons) == 1, reasons
    assert field in reasons[0]
    assert reason in reasons[0]
    assert len(reasons[0]) < 200


def test_two_possible_sides_may_still_make_an_impossible_area():
    reasons = validate_recipe_fields(prompt="a fox", width=4096, height=2056)
    assert reasons == ["width × height is 4096 × 2056 = 8,421,376: at most 8,388,608 pixels"]


def test_all_faults_are_told_at_once():
    assert len(validate_recipe_fields(prompt="", width=1, height=2, seed=-1, scheduler="no")) == 5


def test_importing_the_room_imports_no_torch():
    code = (
        "import sys, glad_pipeline.generation.recipe, glad_pipeline.generation.models, "
        "glad_pipeline.generation.engine, glad_pipeline.media.encoding;"
        "print([name for name in ('torch', 'diffusers', 'transformers', 'boto3', 'psycopg', 'dagster') "
        "if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_contrast_is_zero_for_blank_and_largest_for_black_and_white():
    blank = np.full((8, 8, 3), 200, dtype=np.uint8)
    halves = blank.copy()
    halves[:4], halves[4:] = 0, 255
    assert contrast(blank) == pytest.approx(0, abs=1e-3)
    assert contrast(halves) == pytest.approx(127.5, abs=0.01)


def test_a_shrunk_picture_keeps_the_ratio_and_is_never_enlarged():
    pixels = np.zeros((100, 400, 3), dtype=np.uint8)
    assert shrunk(pixels, 200).shape == (50, 200, 3)
    assert shrunk(pixels, 999).shape == (100, 400, 3)


def test_a_preset_has_the_name_that_intake_knows_and_old_recipes_keep_their_keys():
    assert tuple(PRESETS) == limits.PRESETS
    old = {name: value for name, value in RECIPE.as_dict().items() if name not in LATER_FIELDS}
    assert Recipe.from_dict(old).hash == RECIPE.hash
