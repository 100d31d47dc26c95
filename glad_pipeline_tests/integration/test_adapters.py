"""LoRA and its kin in the layouts that people have: which weights they change, and by how much."""

import dataclasses
import json
import re

import numpy as np
import pytest
import torch

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.generation import devices
from glad_pipeline.generation.artifact_sources import resolve_loras
from glad_pipeline.generation.engine import Engine
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.merging import COMPONENTS, merge
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline_tests.checkpoint_files import kohya, layers_of, lora, save

WEIGHT, ALPHA, RANK = 0.8, 1.0, 2
PARTS = re.compile(r"to_[qkv]$|to_out\.0|ff\.net|proj_in|conv1|conv_shortcut|time_emb_proj|linear_1|self_attn|fc2")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Threads cost more than they bring for networks as small as these."""
    before, devices._threads = devices._threads, 1
    torch.set_num_threads(1)
    yield
    devices._threads = before


@pytest.fixture(scope="module")
def shapes():
    """Layers of all three networks that adapters usually change, and some convolutions, and their shapes."""
    return {
        component: {name: shape for name, shape in layers_of(DEMO_CHECKPOINT, component).items() if PARTS.search(name)}
        for component in COMPONENTS
    }


def pipeline():
    from diffusers import StableDiffusionXLPipeline

    return StableDiffusionXLPipeline.from_pretrained(DEMO_CHECKPOINT, add_watermarker=False)


@pytest.fixture(scope="module")
def before():
    return weights_of(pipeline())


def weights_of(pipe):
    return {
        component: {name: weight.clone() for name, weight in getattr(pipe, component).state_dict().items()}
        for component in COMPONENTS
    }


def merged(file, weight=WEIGHT, allow_partial=False):
    """The demo model's weights with an adapter, and what was said of it."""
    (artifact,) = resolve_loras(f"{file}*{weight}", FileHashes(None))
    pipe = pipeline()
    told = merge(pipe, artifact, allow_partial=allow_partial)
    return weights_of(pipe), told


def assert_changed_by(before, after, deltas, tolerance=1e-6):
    """`deltas`: (component, layer) → what its weight has more than before; every other weight is as it was."""
    assert before.keys() == after.keys()
    for component, weights in before.items():
        assert weights.keys() == after[component].keys()
        for name, weight in weights.items():
            delta = deltas.get((component, name.removesuffix(".weight")))
            if delta is None:
                assert torch.equal(weight, after[component][name]), name
            else:
                wanted = weight + torch.from_numpy(np.asarray(delta, np.float32)).reshape(weight.shape)
                torch.testing.assert_close(after[component][name], wanted, atol=tolerance, rtol=1e-5)


def product(down, up):
    return up.reshape(up.shape[0], -1) @ down.reshape(down.shape[0], -1)


def test_a_lora_by_kohya_changes_every_layer_it_names_by_alpha_over_rank(shapes, before, tmp_path):
    weights, deltas = {}, {}
    for component in COMPONENTS:
        for number, (name, (down, up)) in enumerate(lora(shapes[component], RANK).items()):
            key, alpha = kohya(component, name), ALPHA * (1 + number % 3)
            weights |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            weights[f"{key}.alpha"] = np.array(alpha, np.float32)
            deltas[component, name] = WEIGHT * alpha / RANK * product(down, up)
    assert "lora_unet_input_blocks_3_1_transformer_blocks_0_attn2_to_k.lora_down.weight" in weights
    assert "lora_unet_output_blocks_1_0_in_layers_2.alpha" in weights
    assert "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight" in weights
    after, told = merged(save(tmp_path / "ink.safetensors", weights))
    assert_changed_by(before, after, deltas)
    assert told == {"kind": "LoRA", "used": f"{len(deltas)} of {len(deltas)} layers", "allow_partial": False}


def test_a_lora_by_diffusers_or_kohya_gives_the_bits_that_diffusers_own_loader_gives(shapes, tmp_path):
    from diffusers import StableDiffusionXLPipeline

    linear = {
        component: {name: shape for name, shape in shapes[component].items() if re.search("to_|self_attn|fc2", name)}
        for component in COMPONENTS
    }
    made = {
        component: {
            f"{name}.lora_{half}.weight": torch.from_numpy(matrix)
            for name, pair in lora(linear[component], RANK).items()
            for half, matrix in zip("AB", pair, strict=True)
        }
        for component in COMPONENTS
    }
    metadata = {"r": RANK, "lora_alpha": 3, "target_modules": list(linear["unet"])}
    spelt = {}
    for name, extra in (("plain", {}), ("with metadata", {"unet_lora_adapter_metadata": metadata})):
        networks = COMPONENTS if not extra else COMPONENTS[:1]
        StableDiffusionXLPipeline.save_lora_weights(
            tmp_path / name, **{f"{component}_lora_layers": made[component] for component in networks}, **extra
        )
        spelt[name] = tmp_path / name / "pytorch_lora_weights.safetensors"
    kohyas = {}
    for component in COMPONENTS:
        for layer, (down, up) in lora(linear[component], RANK).items():
            key = kohya(component, layer)
            kohyas |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            kohyas[f"{key}.alpha"] = np.array(ALPHA, np.float32)
    spelt["kohya"] = save(tmp_path / "kohya" / "kohya.safetensors", kohyas)
    for name, file in spelt.items():
        theirs = pipeline()
        theirs.load_lora_weights(file.parent, weight_name=file.name, adapter_name="one")
        theirs.fuse_lora(lora_scale=WEIGHT, adapter_names=["one"])
        theirs.unload_lora_weights()
        after, _ = merged(file)
        for component, weights in weights_of(theirs).items():
            for key, weight in weights.items():
                assert torch.equal(weight, after[component][key]), (name, component, key)


@pytest.mark.deep
def test_old_and_foreign_spellings_of_the_same_lora_are_the_same(shapes, tmp_path):
    name, unet = "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q", "unet"
    down, up = lora({name: shapes[unet][name]}, RANK)[name]
    results = []
    for number, (a, b) in enumerate(
        (
            (f"unet.{name}.lora_A.weight", f"unet.{name}.lora_B.weight"),
            (f"unet.{name}.lora.down.weight", f"unet.{name}.lora.up.weight"),
            (f"unet.{name.replace('.to_q', '.processor.to_q')}_lora.down.weight",
             f"unet.{name.replace('.to_q', '.processor.to_q')}_lora.up.weight"),
            (f"base_model.model.{name}.lora_A.weight", f"base_model.model.{name}.lora_B.weight"),
            (f"{name}.lora_A.weight", f"{name}.lora_B.weight"),
            (f"lora_unet_{name.replace('.', '_')}.lora_down.weight", f"lora_unet_{name.replace('.', '_')}.lora_up.weight"),
        )
    ):  # fmt: skip
        after, told = merged(save(tmp_path / f"{number}.safetensors", {a: down, b: up}))
        assert told["used"] == "1 of 1 layers"
        results.append(after["unet"][f"{name}.weight"])
    assert all(torch.equal(results[0], other) for other in results[1:])


def test_loha_and_lokr_of_lycoris_are_used(shapes, before, tmp_path):
    numbers = np.random.default_rng(3)

    def some(*shape):
        return numbers.normal(0, 0.3, shape).astype(np.float32)

    loha, lokr, deltas = {}, {}, {"loha": {}, "lokr": {}}
    for component in COMPONENTS:
        for number, (name, (out, *read)) in enumerate(shapes[component].items()):
            key, wide = kohya(component, name), int(np.prod(read))
            alpha = {f"{key}.alpha": np.array(ALPHA, np.float32)}
            a, b, c, d = some(out, RANK), some(RANK, wide), some(out, RANK), some(RANK, wide)
            loha |= {
                f"{key}.hada_w1_a": a,
                f"{key}.hada_w1_b": b,
                f"{key}.hada_w2_a": c,
                f"{key}.hada_w2_b": d,
                **alpha,
            }
            deltas["loha"][component, name] = WEIGHT * ALPHA / RANK * (a @ b) * (c @ d)
            first = some(2, 2)
            if number % 2 or len(read) > 1:
                second = some(out // 2, read[0] // 2, *read[1:])
                lokr |= {f"{key}.lokr_w1": first, f"{key}.lokr_w2": second, **alpha}
                scale, wanted = 1.0, np.kron(first.reshape(2, 2, *[1] * (len(read) - 1)), second)
            else:
                a, b = some(out // 2, RANK), some(RANK, read[0] // 2)
                lokr |= {f"{key}.lokr_w1": first, f"{key}.lokr_w2_a": a, f"{key}.lokr_w2_b": b, **alpha}
                scale, wanted = ALPHA / RANK, np.kron(first, a @ b)
            deltas["lokr"][component, name] = WEIGHT * scale * wanted
    for kind, weights in (("loha", loha), ("lokr", lokr)):
        after, told = merged(save(tmp_path / f"{kind}.safetensors", weights))
        assert_changed_by(before, after, deltas[kind])
        assert told["kind"].lower() == kind


def test_a_dora_is_used_with_its_scales_in_both_spellings(shapes, before, tmp_path):
    names = ["mid_block.attentions.0.transformer_blocks.0.attn2.to_v", "down_blocks.1.resnets.0.conv1"]
    theirs, kohyas, deltas = {}, {}, {}
    for name, (down, up) in lora({name: shapes["unet"][name] for name in names}, RANK).items():
        weight = before["unet"][f"{name}.weight"].numpy()
        out, is_matrix = weight.shape[0], weight.ndim == 2
        scale = np.linspace(0.5, 1.5, out).astype(np.float32)
        key = kohya("unet", name)
        theirs |= {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
        theirs[f"unet.{name}.lora_magnitude_vector"] = scale if is_matrix else scale.reshape(1, -1, 1, 1)
        kohyas |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
        kohyas[f"{key}.dora_scale"] = scale.reshape(-1, *[1] * (weight.ndim - 1))
        whole = weight.reshape(out, -1) + product(down, up)
        deltas["unet", name] = scale[:, None] * whole / np.linalg.norm(whole, axis=1, keepdims=True) - weight.reshape(
            out, -1
        )
    for number, weights in enumerate((theirs, kohyas)):
        after, told = merged(save(tmp_path / f"{number}.safetensors", weights), weight=1.0)
        assert_changed_by(before, after, deltas, tolerance=1e-5)
        assert told["kind"] == "DoRA"
    per_input = {**kohyas, f"{key}.dora_scale": np.ones((1, weight.shape[1], 1, 1), np.float32)}
    with pytest.raises(
        GladError, match=r"1 of 2 layers fit the model: .*is DoRA with a scale of the shape .* each input"
    ):
        merged(save(tmp_path / "input.safetensors", per_input))


def test_a_lora_of_which_not_all_fits_is_refused_with_its_share_unless_it_is_allowed(shapes, before, tmp_path):
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = lora({name: shapes["unet"][name]}, RANK)[name]
    weights = {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
    for number in range(10):
        weights |= {
            f"unet.up_blocks.{number}.nowhere.lora_A.weight": down,
            f"unet.up_blocks.{number}.nowhere.lora_B.weight": up,
        }
    file = save(tmp_path / "most.safetensors", weights)
    with pytest.raises(GladError) as raised:
        merged(file)
    told = str(raised.value)
    assert "of the LoRA most, of the kind LoRA, 1 of 11 layers fit the model" in told
    assert "the model has no layer unet.up_blocks_0_nowhere; " in told
    assert "and 7 more" in told
    assert "set GLAD_ALLOW_PARTIAL_LORA=1 to use what fits" in told
    assert "opy its files again" not in told
    after, told = merged(file, allow_partial=True)
    assert_changed_by(before, after, {("unet", name): WEIGHT * product(down, up)})
    assert told == {"kind": "LoRA", "used": "1 of 11 layers", "allow_partial": True}
    wrong = {key: value[:, :5] if "lora_A" in key else value for key, value in list(weights.items())[:2]}
    with pytest.raises(
        GladError, match=r"0 of 1 layers fit the model: .* has the shape .* the model's is .*another kind"
    ):
        merged(save(tmp_path / "wrong.safetensors", wrong), allow_partial=True)


def test_a_picture_records_what_was_used_of_its_lora(shapes, tmp_path):
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    down, up = lora({name: shapes["unet"][name]}, RANK)[name]
    weights = {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up, "bundle_emb.x.y": np.zeros(3)}
    file = save(tmp_path / "ink.safetensors", weights)
    options = EngineOptions(device="cpu", gpu_batch=1, lora=f"{file}*0.5", allow_partial_lora=True)
    profile = resolve_model(options)
    model, revision, _, _, told = profile.weights
    recipe = Recipe(
        prompt="a sea", seed=1, width=64, height=64, num_inference_steps=2, guidance_scale=3.0, scheduler="euler",
        model=model, model_revision=revision, lora=told,
    )  # fmt: skip
    (picture,) = Engine(profile, options).generate([recipe])
    used = {"kind": "LoRA, keys that nothing here knows", "used": "1 of 2 layers", "allow_partial": True}
    assert picture.provenance["loras"] == {"ink": used}
    json.dumps(picture.provenance)
    (plain,) = Engine(dataclasses.replace(profile, loras=()), options).generate([dataclasses.replace(recipe, lora="")])
    assert "loras" not in plain.provenance
    assert not np.array_equal(plain.pixels, picture.pixels)
