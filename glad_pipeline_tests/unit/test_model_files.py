"""What a `.safetensors` file is, by its header alone: single-file models and LoRA of every kind. No torch."""

import json
import logging
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation import file_hashes
from glad_pipeline.generation.artifacts import weight_hashes
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.pipeline.sdxl import Sdxl
from glad_pipeline.records import Prompt
from glad_pipeline_tests.checkpoint_files import V_PRED, any_lora, save, single_file

COMMIT = "0123456789" * 4
ATTENTION = "1_1_transformer_blocks_0_attn2_to_k"


def resolved(model="demo", **given):
    return resolve_model(EngineOptions().model_copy(update={"model": str(model), **given}))


def keys(*names, shape=(1,)):
    return {name: np.zeros(shape, np.float16) for name in names}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return single_file(DEMO_CHECKPOINT, tmp_path_factory.mktemp("models") / "my model.safetensors")


UNET = keys("model.diffusion_model.input_blocks.0.0.weight", shape=(4, 4, 3, 3))
TEXTS = keys(
    "conditioner.embedders.0.transformer.text_model.final_layer_norm.bias",
    "conditioner.embedders.1.model.ln_final.bias",
)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({**UNET, **keys("cond_stage_model.transformer.text_model.final_layer_norm.bias")}, "is an SD 1.5 checkpoint"),
        ({**UNET, **keys("cond_stage_model.model.ln_final.bias")}, "is an SD 2 checkpoint"),
        (
            {**UNET, **keys("conditioner.embedders.0.model.ln_final.bias")},
            "is the SDXL refiner, or a model like it, by its keys and shapes, and no SDXL checkpoint: the refiner is named "
            "in GLAD_REFINER",
        ),
        (
            {**TEXTS, **keys("model.diffusion_model.input_blocks.0.0.weight", shape=(4, 9, 3, 3))},
            "is an SDXL inpainting checkpoint",
        ),
        (keys("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"), "is an SD 3 checkpoint"),
        (keys("double_blocks.0.img_attn.qkv.weight", "single_blocks.0.linear1.weight"), "is a Flux checkpoint"),
        (UNET, "is a UNet alone, without text encoders"),
        (keys("decoder.conv_in.weight", "encoder.conv_in.weight"), "is a VAE, by its keys and shapes"),
        (keys("text_model.final_layer_norm.bias"), "is a text encoder"),
        (keys("controlnet_cond_embedding.conv_in.weight"), "is a ControlNet"),
        (keys("clip_g", "clip_l"), "is a textual inversion embedding"),
        (keys("lora_unet_x.lora_down.weight", "lora_unet_x.lora_up.weight"), "it is added to a model by GLAD_LORA"),
        (keys("a.b.c"), "is of a kind that is not known here (its first key is a.b.c)"),
        ({}, "is empty"),
    ],
)
def test_a_file_that_is_no_sdxl_checkpoint_is_named_as_what_it_is(weights, told, tmp_path):
    with pytest.raises(GladError) as raised:
        resolved(save(tmp_path / "model.safetensors", weights))
    assert told in str(raised.value)
    assert "opy" not in str(raised.value)  # nothing is wrong with its bytes


def test_a_truncated_file_and_one_that_only_bears_the_name_are_told_as_what_they_are(file, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-1_000])
    size = file.stat().st_size
    with pytest.raises(GladError, match=rf"is not whole: it has {size - 1_000:,} bytes of {size:,}\. Copy it again"):
        resolved(cut)
    os.truncate(cut, 1_000)
    with pytest.raises(GladError, match="is truncated or not a safetensors file"):
        resolved(cut)
    renamed = tmp_path / "renamed.safetensors"
    with zipfile.ZipFile(renamed, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"a": 1}))
    with pytest.raises(GladError, match=r"is a pickle .* under another name, which runs code when opened"):
        resolved(renamed)
    for content, told in (
        (pickle.dumps({"state_dict": {"model": [0.0] * 30}}, protocol=2), "is a pickle"),
        (b"GGUF\x03\0\0\0" + b"\0" * 30, "is a GGUF file"),
        (b"<!DOCTYPE html><html>Please log in</html>", "is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "run `git lfs pull`"),
    ):
        renamed.write_bytes(content)
        for given in ({"model": renamed}, {"lora": str(renamed)}):
            with pytest.raises(GladError, match="is no safetensors file: it ") as raised:
                resolved(**given)
            assert told in str(raised.value)
            assert "opy it" not in str(raised.value)


def test_a_single_file_is_known_by_its_own_hash_which_is_what_other_tools_know_it_by(file, tmp_path):
    profile = resolved(file)
    digest = file_hashes.read_sha256(file)
    assert profile.weights == ("my model", f"sha256:{digest}", "", "", "")
    assert weight_hashes(profile.artifacts[:1], tmp_path / "hashes.json") == {"checkpoint": digest}
    assert [part.kind for part in profile.artifacts] == ["model", "configuration"]
    assert (profile.is_local, profile.width, profile.num_inference_steps) == (True, 1024, 30)
    assert profile.configuration.name == "stabilityai/stable-diffusion-xl-base-1.0"
    moved = tmp_path / "my model.safetensors"
    moved.write_bytes(file.read_bytes())
    assert resolved(moved).weights == profile.weights


def test_configuration_and_prediction_that_the_file_does_not_say_are_part_of_its_revision(file):
    own = resolved(file).weights[1]
    local = resolved(file, checkpoint_config=str(DEMO_CHECKPOINT))
    assert (local.width, local.height) == (256, 256)
    assert local.weights[1].startswith(f"{own}+config=sha256:")
    config = f"owner/config@{COMMIT}"
    both = resolved(file, checkpoint_config=config, prediction="v_prediction")
    assert both.weights[1] == f"{own}+config={config}+v_prediction"
    assert both.revision == own


def test_a_prediction_that_file_or_configuration_say_already_makes_no_other_key(file, tmp_path):
    demo = {"checkpoint_config": str(DEMO_CHECKPOINT)}  # which predicts v, with zero SNR
    said = single_file(DEMO_CHECKPOINT, tmp_path / "v.safetensors", metadata={"modelspec.prediction_type": "v"})
    for model, same, other in (
        ({"model": file}, "epsilon", "v_prediction"),
        ({"model": file, **demo}, "v_prediction_zsnr", "epsilon"),
        ({"model": said}, "v_prediction", "epsilon"),
        ({"model": said, **demo}, "v_prediction", "v_prediction_zsnr"),
    ):
        assert resolved(**model, prediction=same).weights == resolved(**model).weights
        assert resolved(**model, prediction=other).weights[1] == f"{resolved(**model).weights[1]}+{other}"
    hubs = f"owner/name/file.safetensors@{COMMIT}"  # its key is the same whether it is here or not
    assert resolved(hubs, prediction="epsilon").weights[1] == f"{COMMIT}+epsilon"


def test_a_single_file_on_the_hub_is_known_by_its_commit(monkeypatch, tmp_path):
    name = f"owner/name/deep/it.safetensors@{COMMIT}"
    profile = resolved(name)
    assert profile.weights[:2] == ("owner/name/deep/it.safetensors", COMMIT)
    assert (profile.source, profile.file, profile.is_local) == ("owner/name", "deep/it.safetensors", False)
    assert resolved("owner/name/deep/it.safetensors", model_revision=COMMIT) == profile
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(GladError, match=rf"the model owner/name/deep/it\.safetensors is not on .*pull {name}`"):
        profile.artifacts[0].read()
    wanted = profile.artifacts[1].files_wanted(["model_index.json", "unet/config.json", "unet/model.safetensors"])
    assert wanted == ["model_index.json", "unet/config.json"]


def test_a_setting_that_contradicts_the_file_or_goes_with_no_single_file_is_refused(file, tmp_path):
    v = single_file(DEMO_CHECKPOINT, tmp_path / "v.safetensors", extra=V_PRED)
    with pytest.raises(UsageError, match=r"GLAD_PREDICTION is epsilon, and .*says itself that it is v_prediction_zsnr"):
        resolved(v, prediction="epsilon")
    assert resolved(v, prediction="v_prediction_zsnr").weights == resolved(v).weights
    for given in ({"prediction": "epsilon"}, {"checkpoint_config": str(DEMO_CHECKPOINT)}):
        for model in ("demo", str(DEMO_CHECKPOINT), "owner/name"):
            with pytest.raises(UsageError, match=r"is for a single-file model, and .* is none: unset it"):
                resolved(model, **given)
    with pytest.raises(UsageError, match="GLAD_CHECKPOINT_CONFIG='/nowhere' is neither a directory here nor"):
        resolved(file, checkpoint_config="/nowhere")
    with pytest.raises(UsageError, match="on the hub it needs a commit"):
        resolved(file, checkpoint_config="owner/name")
    with pytest.raises(UsageError, match="unset GLAD_MODEL_REVISION"):
        resolved(file, model_revision=COMMIT)
    with pytest.raises(UsageError, match=r"is a single file, and no \.safetensors"):
        resolved(DEMO_CHECKPOINT / "README.md")


def lora_of(prefix, name, width, out=8, kind="lora"):
    """One layer of an adapter in kohya's spelling that reads so many numbers."""
    parts = {
        "lora": {"lora_down.weight": (2, width), "lora_up.weight": (out, 2), "alpha": ()},
        "loha": {"hada_w1_a": (out, 2), "hada_w1_b": (2, width), "hada_w2_a": (out, 2), "hada_w2_b": (2, width)},
        "lokr": {"lokr_w1": (2, 2), "lokr_w2": (out // 2, width // 2)},
    }[kind]
    return {f"{prefix}{name}.{part}": np.zeros(shape, np.float16) for part, shape in parts.items()}


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        (lora_of("lora_unet_down_blocks_", ATTENTION, 768), "was made for SD 1.5, by its keys and shapes"),
        (lora_of("lora_unet_down_blocks_", ATTENTION, 768, kind="loha"), "was made for SD 1.5"),
        (lora_of("lora_unet_down_blocks_", ATTENTION, 768, kind="lokr"), "was made for SD 1.5"),
        (lora_of("lora_unet_down_blocks_", ATTENTION, 1_024), "was made for SD 2"),
        (lora_of("lora_unet_input_blocks_", ATTENTION, 1_280), "was made for the SDXL refiner"),
        (
            {
                "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": np.zeros((2, 768)),
                "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight": np.zeros((8, 2)),
            },
            "was made for SD 1.5",
        ),
        (lora_of("lora_unet_", "double_blocks_0_img_attn_proj", 3_072), "was made for Flux"),
        (
            lora_of("transformer.", "single_transformer_blocks.0.attn.to_q", 3_072),
            "was made for Flux",
        ),
        (lora_of("lora_unet_", "joint_blocks_0_x_block_attn_qkv", 1_536), "was made for SD 3"),
        (lora_of("transformer.", "transformer_blocks.0.attn.to_q", 1_536), "was made for SD 3"),
        (lora_of("transformer.", "transformer_blocks.0.attn.to_q", 1_152), "a transformer in place of SDXL's UNet"),
        (keys("lora_unet_x.oft_blocks", "lora_unet_x.alpha"), "is of the kind LyCORIS OFT, which cannot be used here"),
        (keys("lora_unet_x.diff", "lora_unet_x.diff_b"), "is of the kind LyCORIS full difference"),
        (keys("lora_unet_x.on_input", "lora_unet_x.weight"), "is of the kind LyCORIS IA3"),
        (keys("lora_unet_x.w_norm", "lora_unet_x.b_norm"), "is of the kind LyCORIS norm"),
        (
            keys("lora_unet_x.lora_down.weight", "lora_unet_x.lora_mid.weight", "lora_unet_x.lora_up.weight"),
            "is of the kind LoCon with a Tucker core, which cannot be used here: get a version as one of LoRA, DoRA, LoHa",
        ),
        (keys("lora_unet_x.hada_w1_a", "lora_unet_x.dora_scale"), "is of the kind LoHa or LoKr with DoRA"),
        (keys("lora_unet_x.lora_down.weight"), "is of the kind incomplete LoRA"),
        *(
            (keys(*(f"lora_unet_x.{part}" for part in parts), shape=shape), f"is of the kind incomplete {kind}")
            for shape in ((), (4,))
            for kind, parts in (
                ("LoHa", ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")),
                ("LoKr", ("lokr_w1", "lokr_w2")),
                ("LoKr", ("lokr_w1", "lokr_w2_a", "lokr_w2_b")),
            )
        ),
        (
            {**UNET, **TEXTS},
            "is an SDXL checkpoint, by its keys, and no LoRA: it is named in GLAD_MODEL",
        ),
        (keys("clip_g", "clip_l"), "is a textual inversion embedding, by its keys, and no LoRA"),
        ({}, "is empty, by its keys, and no LoRA"),
    ],
)
def test_a_lora_for_another_model_or_of_another_kind_is_named_as_such_before_anything_is_loaded(
    weights, told, tmp_path
):
    file = save(tmp_path / "style.safetensors", {key: value.astype(np.float16) for key, value in weights.items()})
    with pytest.raises(GladError) as raised:
        resolved(lora=str(file))
    assert "the LoRA style " in str(raised.value)
    assert told in str(raised.value)
    assert "opy" not in str(raised.value)


def test_a_row_that_names_such_a_lora_is_refused_with_the_reason_and_no_path(tmp_path):
    file = save(tmp_path / "style.safetensors", lora_of("lora_unet_down_blocks_", ATTENTION, 768))
    sdxl = Sdxl(options=EngineOptions(allowed_models=f"{tmp_path}/*"), log=logging.getLogger("test"))
    with pytest.raises(GladError, match=r"the LoRA style was made for SD 1\.5") as raised:
        sdxl.recipe(Prompt(id=1, prompt="a fox", seed=1, lora=str(file)))
    assert str(tmp_path) not in str(raised.value)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr"])
def test_an_adapter_for_sdxl_is_none_for_another_model(kind, tmp_path):
    file = save(tmp_path / "s.safetensors", lora_of("lora_unet_input_blocks_", ATTENTION, 2_048, kind=kind))
    assert resolved(lora=str(file)).loras[0].name == "s"


def test_two_lora_that_contradict_each_other_are_refused(tmp_path):
    one = any_lora(tmp_path / "ink.safetensors")
    other = Path(tmp_path / "pencil.safetensors")
    other.write_bytes(one.read_bytes())
    with pytest.raises(UsageError, match=r"LoRA ink \(weight 0\.8\) and pencil \(weight -0\.5\) are the same file"):
        resolved(lora=f"{one}*0.8, {other}*-0.5")
    lightning, lcm = (PRESETS[name].few_step_lora for name in ("lightning-4", "lcm-4"))
    for given in ({"lora": f"{lightning}, {lcm}"}, {"lora": lightning, "preset": "lcm-4", "few_step_lora": lcm}):
        with pytest.raises(UsageError, match="contradict each other: each makes a few-step model of its own kind"):
            resolved(**given)


def test_a_header_with_anything_in_it_is_told_and_never_a_stack_trace(tmp_path):
    for entries in (
        {"a": {"shape": "x", "data_offsets": [0, 0]}},
        {"a": 1},
        {"a": {"shape": [1]}},
        {"__metadata__": 3},
    ):
        header = json.dumps(entries).encode()
        file = tmp_path / "odd.safetensors"
        file.write_bytes(len(header).to_bytes(8, "little") + header)
        with pytest.raises(GladError, match="unreadable safetensors header"):
            resolved(file)
