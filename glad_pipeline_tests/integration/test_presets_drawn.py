"""Every preset, the refiner and LoRA with the real classes of diffusers, on tiny checkpoints made here."""

import dataclasses

import numpy as np
import pytest
import torch

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.generation.artifacts import Artifact
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.recipe import Recipe

STEPS = 10
BATCH = 3


@pytest.fixture(scope="module")
def demo():
    return resolve_model(EngineOptions())


@pytest.fixture(scope="module")
def base(demo):
    from diffusers import StableDiffusionXLPipeline

    return StableDiffusionXLPipeline.from_pretrained(demo.source)


@pytest.fixture(scope="module")
def refiner(base, tmp_path_factory):
    """A refiner in the layout of SDXL's: one text encoder, an aesthetic score, untrained."""
    from diffusers import StableDiffusionXLImg2ImgPipeline, UNet2DConditionModel

    torch.manual_seed(0)
    width = base.text_encoder_2.config.hidden_size
    changes = {"cross_attention_dim": width, "projection_class_embeddings_input_dim": 5 * 16 + width}
    unet = UNet2DConditionModel.from_config({**base.unet.config, **changes})
    directory = tmp_path_factory.mktemp("refiner")
    StableDiffusionXLImg2ImgPipeline(
        vae=base.vae, text_encoder=None, tokenizer=None, text_encoder_2=base.text_encoder_2,
        tokenizer_2=base.tokenizer_2, unet=unet, scheduler=base.scheduler, requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False, add_watermarker=False,
    ).save_pretrained(directory)  # fmt: skip
    return Artifact(kind="refiner", name="tiny-refiner", source=str(directory), revision="sha256:1", is_local=True)


@pytest.fixture(scope="module")
def lora(base, tmp_path_factory):
    """A LoRA over the UNet's attention, with random weights large enough to be seen."""
    from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(1)
    unet = UNet2DConditionModel.from_pretrained(DEMO_CHECKPOINT, subfolder="unet")
    unet.add_adapter(LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_k", "to_v", "to_out.0"]))
    directory = tmp_path_factory.mktemp("lora")
    StableDiffusionXLPipeline.save_lora_weights(directory, unet_lora_layers=get_peft_model_state_dict(unet))
    file = "pytorch_lora_weights.safetensors"
    return Artifact(kind="LoRA", name="tiny", source=str(directory), file=file, revision="sha256:2", is_local=True)


def recipe(profile, prompt="a red sunset over the sea", **changes):
    model, revision, vae, refiner, lora = profile.weights
    values = {
        "prompt": prompt, "seed": 1, "width": 64, "height": 64, "num_inference_steps": STEPS, "guidance_scale": 3.0,
        "scheduler": "euler", "model": model, "model_revision": revision, "vae": vae, "refiner": refiner, "lora": lora,
    }  # fmt: skip
    return Recipe(**{**values, **changes})


def engine_of(profile, **options):
    return Engine(profile, EngineOptions(device="cpu", gpu_batch=BATCH, **options))


def drawn_by(engine, recipes):
    drawn = list(engine.generate(recipes))
    assert [each.error for each in drawn] == [None] * len(recipes)
    return [each.pixels for each in drawn]


def assert_the_same_in_any_company(engine, make):
    alone = drawn_by(engine, [make(seed=7)])[0]
    company = drawn_by(engine, [make("a city at night", seed=1), make(negative_prompt="green"), make(seed=7)])
    assert np.array_equal(alone, company[2])
    assert not np.array_equal(alone, company[1])


def test_the_refiner_draws_the_last_steps_as_diffusers_does(demo, base, refiner):
    from diffusers import StableDiffusionXLImg2ImgPipeline

    profile = dataclasses.replace(demo, refiner=refiner)
    engine = engine_of(profile)
    recipes = [recipe(profile, preset="refined", seed=seed) for seed in range(BATCH)]
    ours = drawn_by(engine, recipes)
    prompts = [each.prompt for each in recipes]
    numbers = {"num_inference_steps": STEPS, "guidance_scale": 3.0}
    base.set_progress_bar_config(disable=True)
    latents = base(
        prompts, generator=[torch.Generator().manual_seed(seed) for seed in range(BATCH)], width=64, height=64,
        denoising_end=0.8, output_type="latent", **numbers,
    ).images  # fmt: skip
    second = StableDiffusionXLImg2ImgPipeline.from_pretrained(refiner.source, vae=base.vae)
    second.set_progress_bar_config(disable=True)
    theirs = second(prompts, image=latents, latents=latents, denoising_start=0.8, output_type="np", **numbers).images
    for mine, image in zip(ours, theirs, strict=True):
        assert np.abs(mine.astype(int) - (image * 255).round()).max() <= 1
    plain = drawn_by(engine_of(demo), [recipe(demo)])[0]
    assert not np.array_equal(ours[1], plain)
    long = {"negative_prompt": "green " * 90, "text_pieces": 3}
    ends = drawn_by(
        engine, [recipe(profile, "the sea " * 80 + end, preset="refined", **long) for end in ("red", "dark")]
    )
    assert not np.array_equal(*ends)
    told = next(iter(engine.generate(recipes))).provenance["refiner_scheduler"]
    assert (told["class"], told["timestep_spacing"]) == ("EulerDiscreteScheduler", "trailing")
    assert_the_same_in_any_company(
        engine, lambda *prompt, **values: recipe(profile, *prompt, preset="refined", **values)
    )


def test_refined_with_too_few_steps_or_without_a_refiner_says_so(demo, refiner):
    profile = dataclasses.replace(demo, refiner=refiner)
    [drawn] = engine_of(profile).generate([recipe(profile, preset="refined", num_inference_steps=5)])
    assert "at least 6" in drawn.error
    [drawn] = engine_of(demo).generate([recipe(demo, preset="refined")])
    assert "does not go with refiner none" in drawn.error
    [drawn] = engine_of(demo).generate([recipe(demo, preset="fp8")])
    assert "preset fp8" in drawn.error


def test_a_refiner_of_another_latent_space_is_refused(demo, refiner, base, tmp_path):
    import shutil

    from diffusers import UNet2DConditionModel

    directory = shutil.copytree(refiner.source, tmp_path / "other")
    config = {**UNet2DConditionModel.load_config(directory, subfolder="unet"), "in_channels": 4, "out_channels": 4}
    UNet2DConditionModel.from_config(config).save_pretrained(directory / "unet")
    with pytest.raises(GladError, match="do not go together, correct GLAD_REFINER"):
        engine_of(dataclasses.replace(demo, refiner=dataclasses.replace(refiner, source=str(directory)))).load()


def test_guidance_cut_off_is_the_same_in_any_company_and_begins_like_full_guidance(demo):
    engine = engine_of(demo)
    assert_the_same_in_any_company(
        engine, lambda *prompt, **values: recipe(demo, *prompt, preset="cfg-cutoff", **values)
    )
    sizes, texts = [], []
    forward = engine._open.base.unet.forward

    def watched(latents, *rest, encoder_hidden_states, **options):
        sizes.append(len(latents))
        texts.append(encoder_hidden_states)
        return forward(latents, *rest, encoder_hidden_states=encoder_hidden_states, **options)

    engine._open.base.unet.forward = watched
    cut, full = drawn_by(engine, [recipe(demo, preset="cfg-cutoff")]), drawn_by(engine, [recipe(demo)])
    assert sizes == [2 * BATCH] * 6 + [BATCH] * 4 + [2 * BATCH] * STEPS
    prompt = engine._texts.arguments([recipe(demo)] * BATCH)["prompt_embeds"]
    assert torch.equal(texts[9], prompt)  # what is left is the prompt, not what guidance led away from
    assert not np.array_equal(cut[0], full[0])
    unguided = drawn_by(engine, [recipe(demo, guidance_scale=1.0)])
    assert not np.array_equal(cut[0], unguided[0])


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["lightning-4", "lcm-4"])
def test_few_step_presets_draw_with_their_scheduler_and_a_lora(demo, lora, name):
    profile = dataclasses.replace(demo, loras=(lora,))
    preset = PRESETS[name]
    engine = engine_of(profile)
    engine.load()
    engine._noise = {**engine._noise, "timestep_spacing": "leading"}  # as SDXL base has it

    def few(*prompt, **values):
        return recipe(
            profile, *prompt, preset=name, num_inference_steps=preset.steps, guidance_scale=preset.guidance_scale,
            scheduler=preset.scheduler, **values,
        )  # fmt: skip

    alone = drawn_by(engine, [few(seed=7)])[0]
    together = list(engine.generate([few("a city", seed=1), few(seed=2), few(seed=7)]))
    assert np.array_equal(alone, together[2].pixels)
    ends = drawn_by(engine, [few("the sea " * 80 + end, text_pieces=3) for end in ("red", "dark")])
    assert not np.array_equal(*ends)
    scheduler = together[0].provenance["scheduler"]
    assert scheduler["class"] == {"lightning-4": "EulerDiscreteScheduler", "lcm-4": "LCMScheduler"}[name]
    assert scheduler["timestep_spacing"] == {"lightning-4": "trailing", "lcm-4": "leading"}[name]
    assert together[0].provenance["peft"]


def test_a_lora_changes_the_picture_by_its_weight(demo, lora):
    def with_weight(*weights):
        profile = dataclasses.replace(demo, loras=tuple(dataclasses.replace(lora, weight=each) for each in weights))
        return drawn_by(engine_of(profile), [recipe(profile)])[0].astype(int)

    plain, nothing, half, whole, twice = (
        with_weight(), with_weight(0.0), with_weight(0.5), with_weight(1.0), with_weight(0.5, 0.5),
    )  # fmt: skip
    assert np.abs(plain - nothing).max() <= 1
    assert np.abs(plain - half).mean() > 1
    assert np.abs(half - whole).mean() > 1
    assert np.abs(twice - whole).max() <= 2


def test_a_lora_that_fits_nothing_or_does_not_exist_is_a_clear_error(demo, lora, tmp_path):
    from safetensors.torch import save_file

    save_file({"lora_unet_no_such_layer.lora_down.weight": torch.zeros(2, 4)}, tmp_path / "odd.safetensors")
    for file, source, told in (
        ("odd.safetensors", str(tmp_path), "LoRA tiny"),
        ("missing.safetensors", lora.source, r"missing\.safetensors is missing"),
    ):
        odd = dataclasses.replace(lora, source=source, file=file)
        with pytest.raises(GladError, match=told):
            engine_of(dataclasses.replace(demo, loras=(odd,))).load()


def test_fp8_without_such_a_gpu_is_a_clear_error(demo):
    with pytest.raises(GladError, match=r"compute capability 8\.9.*here it is cpu"):
        engine_of(dataclasses.replace(demo, quantization="fp8")).load()


def test_another_vae_decodes_in_place_of_the_models_own(demo, base, tmp_path):
    from diffusers import AutoencoderKL

    torch.manual_seed(2)
    other = AutoencoderKL.from_config(base.vae.config)
    other.save_pretrained(tmp_path)
    profile = dataclasses.replace(
        demo, vae=Artifact(kind="VAE", name="other", source=str(tmp_path), revision="sha256:3", is_local=True)
    )
    theirs, ours = drawn_by(engine_of(profile), [recipe(profile)]), drawn_by(engine_of(demo), [recipe(demo)])
    assert np.abs(theirs[0].astype(int) - ours[0]).mean() > 5
    [drawn] = engine_of(demo).generate([recipe(profile)])
    assert "asks for vae other@sha256:3, loaded is none" in drawn.error


def test_whatever_fails_while_a_model_gets_onto_the_device_is_a_clear_error(demo, monkeypatch):
    import diffusers

    def no_room(*_arguments, **_options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(diffusers.StableDiffusionXLPipeline, "to", no_room)
    with pytest.raises(GladError, match=r"cannot load the model demo .*out of memory.*device's memory is too small"):
        engine_of(demo).load()
