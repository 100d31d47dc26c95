"""The engine with the real pipeline and the demo checkpoint, on the CPU."""

import dataclasses
import os
import random
import shutil
import subprocess
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.generation.devices import choose_device
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.generation.schedulers import new_scheduler
from glad_pipeline.limits import SCHEDULERS, SEED
from glad_pipeline.media.encoding import contrast

STEPS = 3  # the number of steps changes no promise made here, only how long the tests take
BATCH = 3


@pytest.fixture(scope="module")
def engine():
    return Engine(resolve_model(EngineOptions()), EngineOptions(device="cpu", gpu_batch=BATCH))


def recipe(prompt="a red fox", seed=1, **changes):
    demo = resolve_model(EngineOptions())
    values = {
        "prompt": prompt,
        "seed": seed,
        "width": 64,
        "height": 64,
        "num_inference_steps": STEPS,
        "guidance_scale": 3.0,
        "scheduler": "euler",
        "model": demo.name,
        "model_revision": demo.revision,
    }
    return Recipe(**{**values, **changes})


def pixels_of(engine, recipes):
    drawn = list(engine.generate(recipes))
    assert [result.error for result in drawn] == [None] * len(recipes)
    return {result.recipe.hash: result.pixels for result in drawn}


def test_a_recipe_has_the_same_pixels_alone_in_a_batch_and_in_any_order(engine):
    recipes = [recipe(f"prompt {place}", seed=place) for place in range(7)]
    recipes += [recipe("wide", width=96), recipe("guided away", negative_prompt="green")]
    together = pixels_of(engine, recipes)
    shuffled = random.Random(0).sample(recipes, len(recipes))
    again = pixels_of(engine, shuffled)
    for each in recipes[::3]:
        alone = pixels_of(engine, [each])
        assert np.array_equal(alone[each.hash], together[each.hash])
    assert all(np.array_equal(again[key], together[key]) for key in together)


def test_another_engine_draws_the_same(engine):
    other = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=BATCH))
    [mine], [theirs] = list(engine.generate([recipe()])), list(other.generate([recipe()]))
    assert np.array_equal(mine.pixels, theirs.pixels)
    assert {**mine.provenance, "seconds": 0} == {**theirs.provenance, "seconds": 0}


def test_a_batch_is_what_plain_diffusers_draws_at_the_same_batch_size(engine):
    """No private mathematics: the engine's own decode and padding give diffusers' very pixels."""
    import torch
    from diffusers import StableDiffusionXLPipeline

    recipes = [recipe(f"a tree {seed}", seed=seed) for seed in range(BATCH)]
    plain = StableDiffusionXLPipeline.from_pretrained(DEMO_CHECKPOINT)
    assert plain.unet.dtype == torch.float32
    images = plain(
        [each.prompt for each in recipes],
        generator=[torch.Generator().manual_seed(each.seed) for each in recipes],
        width=64,
        height=64,
        num_inference_steps=STEPS,
        guidance_scale=3.0,
        output_type="np",
    ).images
    for each, image in zip(engine.generate(recipes), images, strict=True):
        assert np.abs(each.pixels.astype(int) - (image * 255).round()).max() <= 1  # the batch of its VAE decode differs


def test_another_seed_and_another_prompt_give_visibly_other_pictures_and_none_is_blank(engine):
    recipes = [recipe(prompt, seed=seed, num_inference_steps=20, width=128, height=128)
               for prompt in ("a red fox", "the sea at night", "🦊") for seed in (1, 2)]  # fmt: skip
    pictures = list(pixels_of(engine, recipes).values())
    for place, picture in enumerate(pictures):
        assert picture.shape == (128, 128, 3)
        assert picture.dtype == np.uint8
        assert contrast(picture) > 5
        for other in pictures[:place]:
            assert np.abs(picture.astype(int) - other).mean() > 2


def test_results_come_batch_by_batch_and_little_more_is_pulled_than_is_drawn(engine):
    pulled = []

    def stream():
        for seed in range(9 * BATCH):
            pulled.append(seed)
            yield recipe(seed=seed)

    drawn = engine.generate(stream())
    assert next(drawn).recipe.seed == 0
    time.sleep(1)
    assert len(pulled) <= (engine._lanes + 2) * BATCH
    drawn.close()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("glad-lane")] == []


def test_full_batches_come_first_and_what_is_left_follows_in_order(engine):
    shapes = [64, 72, 64, 72, 64, 80]
    drawn = list(engine.generate(recipe(seed=place, width=width) for place, width in enumerate(shapes)))
    assert [result.recipe.seed for result in drawn] == [0, 2, 4, 1, 3, 5]
    assert [result.provenance["slot"] for result in drawn] == [0, 1, 2, 0, 1, 0]
    assert all(result.seconds > 0 for result in drawn)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("steps", [pytest.param(1, marks=pytest.mark.deep), 4])
def test_every_scheduler_draws_the_same_in_any_company(engine, scheduler, steps):
    one = recipe(scheduler=scheduler, num_inference_steps=steps)
    others = [recipe(seed=seed, scheduler=scheduler, num_inference_steps=steps) for seed in (5, 6)]
    assert np.array_equal(pixels_of(engine, [*others, one])[one.hash], pixels_of(engine, [one])[one.hash])


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_no_scheduler_clips_latents_or_forgets_how_the_model_was_trained(engine, scheduler):
    engine.load()
    config = new_scheduler(scheduler, engine._noise, {}).config
    assert not config.get("clip_sample", False)
    assert config["prediction_type"] == "v_prediction"
    assert config["rescale_betas_zero_snr"]
    assert (config["beta_start"], config["timestep_spacing"]) == (0.00085, "trailing")


@pytest.mark.few(4)
@pytest.mark.parametrize(
    "prompt",
    [
        "🦊🌅👨‍👩‍👧‍👦",
        "שלום עולם",
        "مرحبا بالعالم",
        "一只红色的狐狸",
        "\u202eright to left\u202c",
        "<|endoftext|>",
        ".",
        "e\u0301" * 9,
    ],
)
def test_any_unicode_draws(engine, prompt):
    [drawn] = engine.generate([recipe(prompt, negative_prompt=prompt)])
    assert drawn.error is None


def test_a_prompt_beyond_the_window_draws_and_says_how_much_was_dropped(engine, capfd):
    long, short = recipe("a fox " * 333), recipe("a fox")
    drawn = {result.recipe: result for result in engine.generate([long, short])}
    assert drawn[long].error is None
    assert drawn[long].provenance["prompt_tokens_dropped"] > 500
    assert drawn[short].provenance["prompt_tokens_dropped"] == 0
    assert capfd.readouterr() == ("", "")


def test_opening_a_model_prints_nothing_and_leaves_nothing_in_the_shared_temporary_folder(tmp_path):
    opening = (
        "from glad_pipeline.engine_options import EngineOptions; from glad_pipeline.generation.engine import Engine; "
        "from glad_pipeline.generation.models import resolve_model; "
        "Engine(resolve_model(EngineOptions()), EngineOptions(device='cpu')).load()"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    done = subprocess.run([sys.executable, "-c", opening], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("width", "height"), [(136, 72), (72, 200), (64, 104), (1024, 64)])
def test_sizes_that_are_multiples_of_eight_only_draw_exactly(engine, width, height):
    [drawn] = engine.generate([recipe(width=width, height=height, num_inference_steps=1)])
    assert drawn.error is None
    assert drawn.pixels.shape == (height, width, 3)


@pytest.mark.few(2)
@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0, 30.0])
def test_extreme_guidance_and_seeds_draw(engine, guidance):
    [drawn] = engine.generate([recipe(guidance_scale=guidance, seed=SEED.high, negative_prompt="green")])
    assert drawn.error is None


def test_impossible_recipes_come_back_with_their_reasons_and_the_rest_is_whole(engine):
    good = recipe()
    bad = [
        recipe(width=100),
        recipe(scheduler="no"),
        recipe(num_inference_steps=-1),
        recipe(model="other"),
        recipe(" "),
    ]
    drawn = {result.recipe.hash: result for result in engine.generate([bad[0], good, *bad[1:]])}
    for each, reason in zip(bad, ("multiple of 8", "scheduler", "steps", "asks for model other", "empty"), strict=True):
        assert drawn[each.hash].pixels is None
        assert reason in drawn[each.hash].error
    assert np.array_equal(drawn[good.hash].pixels, pixels_of(engine, [good])[good.hash])


def test_a_failure_while_drawing_costs_only_the_recipe_at_fault(engine, monkeypatch):
    recipes = [recipe("a fox"), recipe("the fault"), recipe("a tree"), recipe("a house")]
    whole = pixels_of(engine, recipes)
    embed = engine._texts.arguments

    def faulty(batch):
        if "the fault" in [each.prompt for each in batch]:
            raise RuntimeError("injected\nsecond line")
        return embed(batch)

    monkeypatch.setattr(engine._texts, "arguments", faulty)
    drawn = {result.recipe.prompt: result for result in engine.generate(recipes)}
    assert drawn["the fault"].error == "drawing failed: RuntimeError: injected"
    for each in recipes:
        if each.prompt != "the fault":
            assert np.array_equal(drawn[each.prompt].pixels, whole[each.hash])


def test_nan_pixels_are_an_error_of_that_picture_alone(engine, monkeypatch):
    recipes = [recipe(seed=seed) for seed in range(BATCH)]
    denoise = engine._denoise

    def poisoned(*arguments):
        latents = denoise(*arguments)
        latents[1] = float("nan")
        return latents

    monkeypatch.setattr(engine, "_denoise", poisoned)
    drawn = list(engine.generate(recipes))
    assert [result.error is None for result in drawn] == [True, False, True]
    assert "NaN" in drawn[1].error


def test_out_of_memory_halves_the_batch_and_goes_on(engine, monkeypatch):
    import torch

    tight = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=8), lanes=1)
    tight.load()
    denoise, tried, begun = tight._denoise, [], []

    class Activations:
        """What a failed pass holds of the memory, as long as its frames are held."""

    held = []

    def room_for_three(batch, *rest, **options):
        tried.append(len(batch))
        assert [each for each in held if each() is not None] == [], "memory of the failed pass is still held"
        if len(batch) > 3:
            activations = Activations()
            held.append(weakref.ref(activations))
            raise torch.OutOfMemoryError("CUDA out of memory")
        return denoise(batch, *rest, **options)

    monkeypatch.setattr(tight, "_denoise", room_for_three)
    recipes = [recipe(seed=seed) for seed in range(9)]
    drawn = list(tight.generate(recipes, on_batch_start=begun.extend))
    assert [result.recipe for result in drawn] == recipes == begun
    assert [result.error for result in drawn] == [None] * 9
    assert tried == [8, 4, 2, 2, 2, 2, 2]  # the too large sizes are tried once
    assert {result.provenance["bucket"] for result in drawn} == {2}


def test_a_picture_too_large_for_the_memory_leaves_others_whole(engine, monkeypatch):
    import torch

    tight = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=2), lanes=1)
    tight.load()
    denoise = tight._denoise

    def no_room_for_wide_ones(batch, *rest, **options):
        if batch[0].width > 64:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return denoise(batch, *rest, **options)

    monkeypatch.setattr(tight, "_denoise", no_room_for_wide_ones)
    *wide, small = tight.generate([recipe(width=96), recipe(width=96, seed=2), recipe()])
    assert [(result.cause, "too small for 96 × 64" in result.error) for result in wide] == [("unknown", True)] * 2
    assert small.error is None


@pytest.mark.parametrize("message", ["CUDA error: device-side assert triggered", "cuDNN error: INTERNAL_ERROR"])
def test_a_device_that_fails_draws_nothing_more_and_no_other_recipe_is_begun(engine, monkeypatch, message):
    failing = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=2), lanes=1)
    failing.load()
    denoise, begun = failing._denoise, []

    def dies_of_seed_3(batch, *rest, **options):
        if 3 in [each.seed for each in batch]:
            raise RuntimeError(message)
        return denoise(batch, *rest, **options)

    monkeypatch.setattr(failing, "_denoise", dies_of_seed_3)
    drawn = list(failing.generate([recipe(seed=seed) for seed in range(9)], on_batch_start=begun.extend))
    assert [(each.recipe.seed, each.error is None) for each in drawn] == [(0, True), (1, True), (2, False), (3, False)]
    assert {each.cause for each in drawn[2:]} == {"device"}
    assert [each.seed for each in begun] == [0, 1, 2, 3]


def test_a_black_picture_is_an_error_of_that_picture_alone(engine, monkeypatch):
    engine.load()
    decode = engine._open.base.vae.decode
    calls = []

    def black_second(latents, **options):
        calls.append(1)
        images = decode(latents, **options)
        return (images[0] * 0 - 1,) if len(calls) == 2 else images

    monkeypatch.setattr(engine._open.base.vae, "decode", black_second)
    drawn = list(engine.generate([recipe(seed=seed) for seed in range(3)]))
    assert [result.error is None for result in drawn] == [True, False, True]
    assert ("black picture" in drawn[1].error, drawn[1].cause) == (True, "recipe")


def test_a_small_batch_takes_what_is_left_over_and_says_so(engine):
    both = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=4, gpu_small_batch=1))
    drawn = list(both.generate(recipe(seed=seed) for seed in range(5)))
    assert [result.provenance["bucket"] for result in drawn] == [4, 4, 4, 4, 1]
    [alone] = both.generate([recipe(seed=4)])
    assert np.array_equal(alone.pixels, drawn[4].pixels)
    drawn = list(both.generate(recipe(seed=seed) for seed in range(6)))
    assert [result.provenance["bucket"] for result in drawn] == [4] * 6  # two do not fit into the small one


def test_a_closed_engine_loads_again(engine):
    other = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=BATCH))
    first = pixels_of(other, [recipe()])
    other.close()
    other.close()
    again = pixels_of(other, [recipe()])
    assert np.array_equal(first[recipe().hash], again[recipe().hash])


def test_provenance_tells_what_is_needed_to_draw_again(engine):
    [drawn] = engine.generate([recipe()])
    assert set(drawn.provenance) >= {"device", "dtype", "torch", "diffusers", "bucket", "slot", "threads"}
    assert (drawn.provenance["bucket"], drawn.provenance["dtype"]) == (BATCH, "float32")
    assert engine.load_seconds > 0


def test_without_a_gpu_only_the_demo_model_falls_back_to_the_cpu(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto", is_demo=True) == "cpu"
    assert choose_device("cpu", is_demo=False) == "cpu"
    with pytest.raises(GladError, match=r"no GPU found.*GLAD_DEVICE=cpu"):
        choose_device("auto", is_demo=False)
    with pytest.raises(GladError, match=r"GLAD_DEVICE=cuda, but torch .* finds no cuda device"):
        choose_device("cuda", is_demo=True)


def test_a_local_checkpoint_on_a_cpu_has_to_be_asked_for_and_draws_like_its_original(engine, tmp_path):
    profile = resolve_model(EngineOptions(model=str(shutil.copytree(DEMO_CHECKPOINT, tmp_path / "copy of it"))))
    own = recipe(model=profile.name)
    engine.load()  # sets the number of threads, which decides last bits
    [drawn] = Engine(profile, EngineOptions(device="cpu", gpu_batch=BATCH)).generate([own])
    assert np.array_equal(drawn.pixels, pixels_of(engine, [recipe()])[recipe().hash])


def test_a_hub_model_that_is_not_here_names_the_command_that_fetches_it(monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    profile = resolve_model(EngineOptions(model="someone/not-in-any-cache", model_revision="0" * 40))
    with pytest.raises(GladError, match=r"someone/not-in-any-cache is not whole.*glad model pull"):
        Engine(profile, EngineOptions(device="cpu")).load()


def test_a_checkpoint_damaged_after_it_was_checked_is_a_clear_error(tmp_path):
    profile = resolve_model(EngineOptions(model=str(shutil.copytree(DEMO_CHECKPOINT, tmp_path / "model"))))
    (tmp_path / "model" / "unet" / "config.json").write_text(
        dataclasses.replace(recipe(), prompt="not a config").prompt
    )
    with pytest.raises(GladError, match="cannot load the model model"):
        Engine(profile, EngineOptions(device="cpu")).load()


@pytest.mark.deep
def test_compiling_block_by_block_covers_unet_and_decoder_without_graph_breaks_and_changes_nothing(engine, monkeypatch):
    """With dynamo's own tracing but no code generation, which takes a C++ compiler and a minute."""
    import torch

    compile_module = torch.nn.Module.compile
    kinds = []

    def traced(module, **options):
        kinds.append(type(module).__name__)
        compile_module(module, **options, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", traced)
    blocks = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=BATCH, compiling="regional"))
    assert np.array_equal(pixels_of(blocks, [recipe()])[recipe().hash], pixels_of(engine, [recipe()])[recipe().hash])
    assert {"ResnetBlock2D", "BasicTransformerBlock"} == set(kinds)
    resnets = [
        each
        for part in (blocks._open.base.unet, blocks._open.base.vae.decoder)
        for each in part.modules()
        if type(each).__name__ == "ResnetBlock2D"
    ]
    assert kinds.count("ResnetBlock2D") == len(resnets)
    assert blocks.warm_seconds > 0
    kinds.clear()
    whole = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=BATCH, compiling="full"))
    assert np.array_equal(pixels_of(whole, [recipe()])[recipe().hash], pixels_of(engine, [recipe()])[recipe().hash])
    assert kinds == ["UNet2DConditionModel", "Decoder"]


def test_a_machine_that_cannot_compile_is_the_setups_fault(engine, monkeypatch, tmp_path):
    import torch._inductor.config

    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (None, "/no/such/compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch.compiler.reset()
    blocks = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=BATCH, compiling="regional"))
    drawn = list(blocks.generate([recipe(seed=1), recipe(seed=2)]))
    assert [(result.cause, "GLAD_COMPILE=none" in result.error) for result in drawn] == [("setup", True)] * 2


def test_warming_up_sees_every_batch_that_drawing_will(engine):
    """With guidance cut off the UNet sees half the batch: that too has to be compiled before a picture is timed."""
    cut = Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=BATCH))
    cut.load()
    cut._open.compile = "regional"  # only the bookkeeping of it
    sizes = []
    forward = cut._open.base.unet.forward
    cut._open.base.unet.forward = lambda latents, *rest, **options: (
        sizes.append(len(latents)) or forward(latents, *rest, **options)
    )
    list(cut.generate([recipe(preset="cfg-cutoff", num_inference_steps=5)]))
    warming, drawing = sizes[:-5], sizes[-5:]
    assert set(warming) == set(drawing) == {BATCH, 2 * BATCH}
    sizes.clear()
    list(cut.generate([recipe(preset="cfg-cutoff", num_inference_steps=5, seed=2)]))
    assert len(sizes) == 5


def test_the_demo_models_single_thread_is_not_left_to_the_next_model(engine):
    import torch

    from glad_pipeline.generation import devices

    devices.set_switches("cpu", is_demo=True)
    assert torch.get_num_threads() == 1
    devices.set_switches("cpu", is_demo=False)
    assert torch.get_num_threads() == devices._threads
    devices.set_switches("cpu", is_demo=True)


@pytest.mark.few(1)
@pytest.mark.parametrize("lanes", [1, 3])
def test_any_number_of_lanes_draws_the_same_in_the_same_order(engine, lanes):
    recipes = [recipe(f"prompt {place}", seed=place, width=(64, 72)[place % 2]) for place in range(13)]
    expected = list(engine.generate(recipes))
    begun = []
    drawn = list(
        Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=2), lanes=lanes).generate(
            recipes, on_batch_start=begun.extend
        )
    )
    assert [each.error for each in drawn] == [None] * 13
    assert [each.recipe for each in drawn] == begun
    again = {
        each.recipe: each.pixels
        for each in Engine(engine.profile, EngineOptions(device="cpu", gpu_batch=2), lanes=2).generate(recipes)
    }
    assert all(np.array_equal(again[each.recipe], each.pixels) for each in drawn)
    assert {each.recipe for each in expected} == set(recipes)
