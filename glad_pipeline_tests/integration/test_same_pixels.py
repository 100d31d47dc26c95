"""The promise of the engine, as a property: a recipe's pixels depend on nothing but the recipe and the batch."""

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import decoding, engine
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import resolve_model
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.limits import PROMPT_SYNTAXES

DEMO = resolve_model(EngineOptions())
BATCHES = (1, 2, 3)
WEIGHTED = "a (red:1.4) sunset (over [the] sea:0.6) BREAK (boats:-1)"
LONG = "a quiet harbour in winter, " * 20  # more than the most pieces that are tried here

recipes = st.builds(
    Recipe,
    prompt=st.sampled_from(["a red sunset", "a city at night", "mer 🌊 agitée", WEIGHTED, LONG])
    | st.text(min_size=1, max_size=40),
    negative_prompt=st.sampled_from(["", " ", "green", "(green:1.4) BREAK [dark]", LONG]),
    text_pieces=st.sampled_from([1, 1, 2, 4]),
    prompt_syntax=st.sampled_from(PROMPT_SYNTAXES),
    seed=st.integers(0, 3) | st.integers(0, 2**63 - 1),
    width=st.sampled_from([64, 72]),
    height=st.just(64),
    num_inference_steps=st.sampled_from([1, 3]),
    guidance_scale=st.sampled_from([0.0, 3.0]),
    scheduler=st.sampled_from(["euler", "euler_a", "dpmpp_2m"]),
    preset=st.sampled_from(["base", "fast", "cfg-cutoff"]),
    model=st.just(DEMO.name),
    model_revision=st.just(DEMO.revision),
)


@pytest.fixture(scope="module", params=[1, 2], ids=["one at a time", "two at a time"])
def engines(request):
    """Texts and latents one at a time, as on a CPU, and several at a time, as on a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engine.TEXTS_AT_ONCE, "cpu", request.param)
        patch.setitem(decoding.DECODED_AT_ONCE, "cpu", request.param)
        yield {batch: Engine(DEMO, EngineOptions(device="cpu", gpu_batch=batch)) for batch in BATCHES}


@pytest.fixture(scope="module")
def seen(engines):
    """Pixel hash by recipe and batch, over all that hypothesis comes up with."""
    return {}


@pytest.mark.few(1)
@given(some=st.lists(recipes, min_size=1, max_size=4), batch=st.sampled_from(BATCHES), data=st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_a_recipe_has_the_same_pixels_in_any_company_order_and_number(engines, seen, some, batch, data):
    drawer = engines[batch]
    again = data.draw(st.permutations([*some, data.draw(st.sampled_from(some))]))
    for company in (some, again, [again[0]]):
        drawn = list(drawer.generate(company))
        assert len(drawn) == len(company)
        for each in drawn:
            if not each.recipe.prompt.strip() or "\0" in each.recipe.prompt:
                assert each.error
                continue
            assert each.error is None
            assert each.provenance["bucket"] == batch
            pixels = hashlib.sha256(each.pixels.tobytes()).hexdigest()
            assert seen.setdefault((each.recipe.hash, batch), pixels) == pixels


def test_presets_that_need_nothing_more_than_the_model_are_covered():
    needy = {name for name, each in PRESETS.items() if each.few_step_lora or each.refiner_from or each.quantization}
    assert set(PRESETS) - needy == {"base", "fast", "cfg-cutoff"}
