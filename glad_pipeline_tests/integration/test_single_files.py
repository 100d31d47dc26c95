"""SDXL as one `.safetensors` file, and folders with mixed variants: the same bits as the folder, with diffusers' reader."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation import devices
from glad_pipeline.generation.adapters import adapter_of, fitted
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.merging import COMPONENTS
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.generation.safetensors_files import Header
from glad_pipeline.generation.tokens import pieces_to_draw
from glad_pipeline_tests.checkpoint_files import V_PRED, full_layout, kohya, layers_of, lora, single_file

TEXT = {"text_encoder": "te1", "text_encoder_2": "te2"}
SDXL_KEYS = 2_515  # tensors of sd_xl_base_1.0.safetensors
SOME_KEYS = {
    "model.diffusion_model.input_blocks.4.1.transformer_blocks.1.attn2.to_k.weight",
    "model.diffusion_model.input_blocks.7.0.skip_connection.bias",
    "model.diffusion_model.middle_block.1.transformer_blocks.9.ff.net.0.proj.weight",
    "model.diffusion_model.output_blocks.5.2.conv.weight",
    "model.diffusion_model.label_emb.0.2.bias",
    "first_stage_model.decoder.up.0.block.2.conv2.weight",
    "first_stage_model.encoder.mid.attn_1.proj_out.weight",
    "conditioner.embedders.0.transformer.text_model.encoder.layers.11.mlp.fc2.bias",
    "conditioner.embedders.1.model.transformer.resblocks.31.attn.in_proj_weight",
    "conditioner.embedders.1.model.text_projection",
}


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads cost more than they bring for networks as small as these."""
    before, devices._threads = devices._threads, 1
    torch.set_num_threads(1)
    yield
    devices._threads = before


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """SDXL's whole structure as a folder."""
    return full_layout(tmp_path_factory.mktemp("full") / "tiny sdxl")


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory):
    return single_file(DEMO_CHECKPOINT, tmp_path_factory.mktemp("files") / "my model.safetensors")


def drawn(model, side=64, **options):
    chosen = EngineOptions(device="cpu", gpu_batch=1, model=str(model), **options)
    profile = resolve_model(chosen)
    model, revision, vae, refiner, lora = profile.weights
    recipe = Recipe(
        prompt="a red sunset over the sea", seed=7, width=side, height=side, num_inference_steps=3, guidance_scale=3.0,
        scheduler="euler", model=model, model_revision=revision, vae=vae, refiner=refiner, lora=lora,
    )  # fmt: skip
    (picture,) = Engine(profile, chosen).generate([recipe])
    assert picture.error is None, picture.error
    return picture


def test_a_single_file_draws_the_same_bits_as_the_demo_models_folder(demo_file):
    ours = drawn(demo_file, checkpoint_config=str(DEMO_CHECKPOINT))
    theirs = drawn(DEMO_CHECKPOINT)
    assert np.array_equal(ours.pixels, theirs.pixels)
    assert ours.provenance["scheduler"] == theirs.provenance["scheduler"]
    assert list(ours.provenance["weights"]) == ["checkpoint"]


def test_the_tokens_of_a_single_files_prompts_are_counted_by_its_configuration(demo_file):
    chosen = EngineOptions(device="cpu", model=str(demo_file), checkpoint_config=str(DEMO_CHECKPOINT))
    texts = {"prompt": "a red hill, " * 40, "negative_prompt": ""}  # 160 tokens
    assert pieces_to_draw(texts, syntax="plain", profile=resolve_model(chosen)) == 3


def test_a_file_with_all_of_sdxls_keys_draws_the_same_bits_as_its_folder(folder, tmp_path):
    file = single_file(folder, tmp_path / "full.safetensors", layers_per_block=2)
    keys = load_file(file).keys()
    assert len(keys) == SDXL_KEYS
    assert keys >= SOME_KEYS
    assert np.array_equal(drawn(file, checkpoint_config=str(folder)).pixels, drawn(folder).pixels)


def test_the_layout_has_clips_own_tokenizers(folder):
    from transformers import CLIPTokenizer

    for name, padding in (("tokenizer", 49_407), ("tokenizer_2", 0)):
        tokenizer = CLIPTokenizer.from_pretrained(folder / name)
        assert len(tokenizer) == 49_408
        ids = tokenizer("a photo of a cat", padding="max_length", max_length=77).input_ids
        assert ids[:8] == [49_406, 320, 1_125, 539, 320, 2_368, 49_407, padding]


def test_every_layer_of_sdxl_is_found_by_each_name_that_trainers_give_it(folder):
    shapes = {component: layers_of(folder, component) for component in COMPONENTS}
    for spell in (
        lambda component, name: kohya(component, name, folder, layers_per_block=2),
        lambda component, name: f"lora_{'unet' if component == 'unet' else TEXT[component]}_{name.replace('.', '_')}",
        lambda component, name: f"{component}.{name}",
    ):
        keys = {}
        for component in COMPONENTS:
            for name, (down, up) in lora(shapes[component], rank=1).items():
                spelt = spell(component, name)
                keys |= {f"{spelt}.lora_A.weight": down.shape, f"{spelt}.lora_B.weight": up.shape}
        fit = fitted(adapter_of(Header(shapes=keys, metadata={})), shapes, layers_per_block=2)
        assert fit.left == ()
        found = {(layer.component, path) for path, layer in fit.used}
        assert found == {(component, name) for component in COMPONENTS for name in shapes[component]}
        assert len(found) == len(fit.used) > 1_000


def test_a_file_that_predicts_v_says_so_itself_by_metadata_or_by_the_setting(tmp_path):
    config = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "configuration")
    settings = config / "scheduler" / "scheduler_config.json"
    told = json.loads(settings.read_text())
    plain_sdxl = {"prediction_type": "epsilon", "rescale_betas_zero_snr": False, "timestep_spacing": "leading"}
    settings.write_text(json.dumps({**told, **plain_sdxl}))

    def scheduler(name, prediction=None, **changes):
        file = single_file(DEMO_CHECKPOINT, tmp_path / f"{name}.safetensors", **changes)
        picture = drawn(file, checkpoint_config=str(config), prediction=prediction)
        return tuple(picture.provenance["scheduler"][name] for name in plain_sdxl), picture.pixels

    by_keys, pixels = scheduler("keys", extra=V_PRED)
    assert by_keys == ("v_prediction", True, "trailing")
    assert scheduler("plain")[0] == ("epsilon", False, "leading")
    assert scheduler("metadata", metadata={"modelspec.prediction_type": "v"})[0] == ("v_prediction", False, "leading")
    by_setting, same = scheduler("setting", "v_prediction_zsnr")
    assert by_setting == by_keys
    assert np.array_equal(pixels, same)
    assert np.array_equal(pixels, drawn(DEMO_CHECKPOINT).pixels)  # which is trained so, and says so in its folder


@pytest.mark.deep
def test_the_vae_in_the_file_is_used_unless_another_is_named(demo_file, tmp_path):
    shutil.copytree(DEMO_CHECKPOINT / "vae", tmp_path / "other")
    weights = next((tmp_path / "other").glob("*.safetensors"))
    save_file({key: value * np.float32(0.9) for key, value in load_file(weights).items()}, weights)
    options = {"checkpoint_config": str(DEMO_CHECKPOINT)}
    baked, other = drawn(demo_file, **options), drawn(demo_file, vae=str(tmp_path / "other"), **options)
    assert not np.array_equal(baked.pixels, other.pixels)
    without = single_file(DEMO_CHECKPOINT, tmp_path / "none.safetensors", without="first_stage_model.")
    with pytest.raises(UsageError, match=r"none\.safetensors has no VAE in it: name one in GLAD_VAE"):
        resolve_model(EngineOptions(model=str(without), **options))
    named = drawn(without, vae=str(tmp_path / "other"), **options)
    assert np.array_equal(named.pixels, other.pixels)


def test_a_file_of_another_layout_than_its_configuration_is_told_so(demo_file, folder, tmp_path):
    unet = "model.diffusion_model."

    def told(config, name, **changes):
        file = single_file(DEMO_CHECKPOINT, tmp_path / f"{name}.safetensors", **changes)
        with pytest.raises(
            GladError, match=r"another layout than its configuration .*GLAD_CHECKPOINT_CONFIG"
        ) as raised:
            drawn(file, checkpoint_config=str(config))
        return str(raised.value)

    assert f"lacks {unet}input_blocks.2.0.emb_layers.1.bias (one of 1,398)" in told(folder, "sdxls")
    lacking = told(DEMO_CHECKPOINT, "less", without=f"{unet}middle_block.1.proj_in")
    assert f"lacks {unet}middle_block.1.proj_in.bias (one of 2)" in lacking
    more = told(DEMO_CHECKPOINT, "more", extra={f"{unet}input_blocks.6.0.op.weight": np.zeros((1, 1), np.float32)})
    assert f"1 weights more than it, such as {unet}input_blocks.6.0.op.weight" in more
    other = told(DEMO_CHECKPOINT, "shape", extra={f"{unet}out.2.bias": np.zeros(4, np.float32)})
    assert f"{unet}out.2.bias of the shape (4,) and not (8,)" in other
    assert "lacks some of the VAE" in told(DEMO_CHECKPOINT, "vae", without="first_stage_model.decoder.mid.")
    assert "text_encoder" in told(DEMO_CHECKPOINT, "text", without="conditioner.embedders.1.model.ln_final")


@pytest.mark.deep
def test_a_folder_of_mixed_variants_is_drawn_with_as_diffusers_takes_it(tmp_path):
    mixed = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "mixed")
    for name in ("unet", "text_encoder"):
        file = next((mixed / name).glob("*.safetensors"))
        file.rename(file.with_suffix(".fp16.safetensors"))
    shutil.copy(next((mixed / "vae").glob("*.safetensors")), tmp_path / "kept.safetensors")
    assert resolve_model(EngineOptions(model=str(mixed))).variant == "fp16"
    assert np.array_equal(drawn(mixed).pixels, drawn(DEMO_CHECKPOINT).pixels)
