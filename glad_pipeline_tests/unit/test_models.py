"""Which model is meant, and what is said when it cannot be used. Real checkpoint files, no torch."""

import json
import os
import shutil
from pathlib import Path

import pytest

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation import file_hashes
from glad_pipeline.generation.artifacts import weight_hashes
from glad_pipeline.generation.models import DEMO_CHECKPOINT, SDXL_BASE, resolve_model
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline_tests.checkpoint_files import any_lora

COMMIT = "0123456789" * 4
UNET = Path("unet/diffusion_pytorch_model.safetensors")


def resolved(model, revision=None, **given):
    """By options of these values, unchecked: a row's own are none of the settings'."""
    return resolve_model(EngineOptions().model_copy(update={"model": model, "model_revision": revision, **given}))


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the demo checkpoint that a test may damage."""
    return shutil.copytree(DEMO_CHECKPOINT, tmp_path / "my model")


def test_the_demo_model_is_whole_small_and_knows_its_own_size():
    demo = resolved("demo")
    assert (demo.name, demo.is_demo, demo.is_local) == ("demo", True, True)
    assert (demo.width, demo.height) == (256, 256)
    assert (demo.num_inference_steps, demo.guidance_scale) == (20, 3.0)
    assert demo.revision.startswith("sha256:")
    assert sum(file.stat().st_size for file in DEMO_CHECKPOINT.rglob("*") if file.is_file()) < 25_000_000


def test_a_local_checkpoint_takes_its_identity_from_its_files_not_from_its_place(checkpoint):
    local, demo = resolved(str(checkpoint)), resolved("demo")
    assert (local.name, local.is_demo, local.source) == ("my model", False, str(checkpoint))
    assert (local.num_inference_steps, local.guidance_scale) == (30, 7.0)
    assert local.revision == demo.revision
    (checkpoint / "README.md").write_text("another card")
    assert resolved(str(checkpoint)).revision == demo.revision
    config = checkpoint / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("v_prediction", "epsilon"))
    assert resolved(str(checkpoint)).revision != demo.revision


def test_weights_are_hashed_once_and_again_only_when_they_change(checkpoint, tmp_path, monkeypatch):
    cache = tmp_path / "deep" / "hashes.json"
    first = resolved(str(checkpoint), hash_cache=cache)
    assert list(cache.parent.iterdir()) == [cache]
    read = []
    digest = file_hashes.hashlib.file_digest
    monkeypatch.setattr(file_hashes.hashlib, "file_digest", lambda *args: read.append(args[0].name) or digest(*args))
    assert resolved(str(checkpoint), hash_cache=cache) == first
    assert read == []
    weights = checkpoint / UNET
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(1, 1))
    assert resolved(str(checkpoint), hash_cache=cache).revision != first.revision
    assert read == [str(weights)]


@pytest.mark.parametrize("damage", [b"", b"{not json", b"[1, 2]"])
def test_a_damaged_memory_of_hashes_costs_time_only(damage, tmp_path):
    cache = tmp_path / "hashes.json"
    cache.write_bytes(damage)
    assert resolved("demo", hash_cache=cache) == resolved("demo")
    assert len(json.loads(cache.read_bytes())) > 5


def test_an_unwritable_memory_of_hashes_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert resolved("demo", hash_cache=tmp_path / "file" / "hashes.json") == resolved("demo")


def test_a_checkpoint_without_a_component_s_configuration_is_incomplete(checkpoint):
    (checkpoint / "tokenizer_2" / "tokenizer.json").unlink()
    resolved(str(checkpoint))  # vocab.json and merges.txt say the same
    (checkpoint / "tokenizer_2" / "vocab.json").unlink()
    with pytest.raises(GladError, match=r"tokenizer_2/vocab\.json is missing"):
        resolved(str(checkpoint))
    shutil.copy(DEMO_CHECKPOINT / "tokenizer_2" / "vocab.json", checkpoint / "tokenizer_2")
    (checkpoint / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(GladError, match=r"scheduler/scheduler_config\.json is missing"):
        resolved(str(checkpoint))


def test_sdxl_base_has_a_pinned_commit_and_another_may_be_given():
    base = resolved("stabilityai/stable-diffusion-xl-base-1.0")
    assert base.revision == "462165984030d82259a11f4367a4eed129e94a7b"
    assert (base.width, base.height, base.num_inference_steps, base.guidance_scale) == (1024, 1024, 30, 7.0)
    assert not base.is_local
    assert resolved("stabilityai/stable-diffusion-xl-base-1.0", COMMIT).revision == COMMIT
    assert resolved("someone/sdxl-finetune", COMMIT).source == "someone/sdxl-finetune"


@pytest.mark.parametrize(
    ("model", "revision", "reason"),
    [
        ("someone/sdxl-finetune", None, "GLAD_MODEL_REVISION"),
        ("someone/sdxl-finetune", "main", "40 hex digits, not a branch"),
        ("sdxl", None, "not a directory or file here and not a hub id"),
        ("", None, "not a directory or file here and not a hub id"),
        ("/nowhere/sdxl", None, "'/nowhere/sdxl' is not a directory"),
        ("a/b/c", COMMIT, "not a directory or file here and not a hub id"),
        (__file__, None, "is a single file, and no .safetensors: other formats run code"),
        ("a/b/c.safetensors", None, "GLAD_MODEL: 'a/b/c.safetensors' is not here, and on the hub it needs a commit"),
        (f"a/b/c.safetensors@{COMMIT}", "f" * 40, "name different commits: unset one"),
        ("demo", COMMIT, "unset GLAD_MODEL_REVISION"),
    ],
)
def test_what_can_be_no_model_is_a_usage_error_that_says_what_is_possible(model, revision, reason):
    with pytest.raises(UsageError) as raised:
        resolved(model, revision)
    assert reason in str(raised.value)


def test_a_truncated_file_is_named_with_both_sizes(checkpoint):
    size = (checkpoint / UNET).stat().st_size
    os.truncate(checkpoint / UNET, size - 1_000)
    with pytest.raises(GladError, match=rf"{UNET} is not whole: it has {size - 1000:,} bytes of {size:,}"):
        resolved(str(checkpoint))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "truncated or not a safetensors file"),
        (b"\x05", "truncated or not a safetensors file"),
        (b"\xff" * 100, "truncated or not a safetensors file"),
        (b"\x02\0\0\0\0\0\0\0[]", "unreadable safetensors header"),
        (b"\x02\0\0\0\0\0\0\0{x", "unreadable safetensors header"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n", "git lfs pull"),
    ],
)
def test_a_file_that_is_no_safetensors_is_named(checkpoint, content, reason):
    (checkpoint / UNET).write_bytes(content)
    with pytest.raises(GladError, match=reason) as raised:
        resolved(str(checkpoint))
    assert str(UNET) in str(raised.value)


def test_pickled_weights_are_refused_with_the_reason(checkpoint):
    (checkpoint / UNET).rename(checkpoint / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(GladError, match=r"only as pickle \(diffusion_pytorch_model.bin\), which runs code"):
        resolved(str(checkpoint))


def test_missing_parts_are_named(checkpoint):
    (checkpoint / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(GladError, match="vae has no safetensors weights"):
        resolved(str(checkpoint))
    shutil.rmtree(checkpoint / "text_encoder_2")
    with pytest.raises(GladError, match="no folder text_encoder_2/"):
        resolved(str(checkpoint))
    (checkpoint / "model_index.json").unlink()
    with pytest.raises(GladError, match=r"no model_index\.json"):
        resolved(str(checkpoint))


def test_a_pipeline_of_another_class_or_without_a_component_is_refused(checkpoint):
    index = checkpoint / "model_index.json"
    values = json.loads(index.read_text())
    index.write_text(json.dumps({**values, "_class_name": "FluxPipeline"}))
    with pytest.raises(GladError, match="describes a FluxPipeline: only SDXL"):
        resolved(str(checkpoint))
    index.write_text(json.dumps({**values, "text_encoder": [None, None]}))
    with pytest.raises(GladError, match="lists no text_encoder:"):
        resolved(str(checkpoint))
    index.write_text("{half")
    with pytest.raises(GladError, match="not valid JSON"):
        resolved(str(checkpoint))


def test_a_checkpoint_of_fp16_files_alone_or_beside_full_ones_is_found_and_two_variants_are_refused(checkpoint):
    files = sorted(checkpoint.rglob("*.safetensors"))
    files[0].rename(files[0].with_suffix(".fp16.safetensors"))
    mixed = resolved(str(checkpoint))
    assert mixed.variant == "fp16"
    assert mixed.revision != resolved("demo").revision
    read = mixed.artifacts[0].read()
    assert [file.name for (file,) in read.weights.values()].count("model.fp16.safetensors") == 1
    files[1].rename(files[1].with_suffix(".bf16.safetensors"))
    with pytest.raises(GladError, match="different variants: keep one of fp16, bf16"):
        resolved(str(checkpoint))
    files[1].with_suffix(".bf16.safetensors").rename(files[1])
    for file in files[1:]:
        file.rename(file.with_suffix(".fp16.safetensors"))
    assert resolved(str(checkpoint)).variant == "fp16"


def test_in_the_hubs_cache_a_mixture_is_not_taken_for_a_pinned_variant_nor_wanted(checkpoint, monkeypatch, tmp_path):
    """Else a revision would have two contents, and a pull that was interrupted would never be finished."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    model = resolved(SDXL_BASE).artifacts[0]
    shutil.copytree(checkpoint, model.directory)
    for name in ("text_encoder", "text_encoder_2", "vae"):
        (file,) = (model.directory / name).glob("*.safetensors")
        shutil.copy(file, file.with_suffix(".fp16.safetensors"))
    with pytest.raises(GladError, match=r"unet has no safetensors weights.*pull .*` mends it"):
        model.read()
    names = [file.relative_to(model.directory).as_posix() for file in model.directory.rglob("*") if file.is_file()]
    with pytest.raises(GladError, match="no complete set of safetensors weights"):
        model.files_wanted(names)
    (nobodys,) = resolved("someone/sdxl-finetune", COMMIT).artifacts
    shutil.copytree(model.directory, nobodys.directory)
    (nobodys.directory / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    (nobodys,) = resolved("someone/sdxl-finetune", COMMIT).artifacts
    assert nobodys.read().variant == "fp16"  # a repository that has nothing else


def test_a_missing_shard_is_named(checkpoint):
    shard = "diffusion_pytorch_model-00001-of-00002.safetensors"
    (checkpoint / UNET).rename(checkpoint / "unet" / shard)
    index = checkpoint / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard, "b": shard.replace("1-of", "2-of")}}))
    with pytest.raises(GladError, match=r"00002-of-00002\.safetensors is missing"):
        resolved(str(checkpoint))
    index.write_text(json.dumps({"weight_map": {"a": shard}}))
    assert resolved(str(checkpoint)).revision != resolved("demo").revision


@pytest.fixture
def lora(tmp_path):
    """The file of a LoRA; nothing is loaded here, so one layer will do."""
    return any_lora(tmp_path / "styles" / "ink.safetensors")


@pytest.fixture
def refiner(tmp_path):
    """The demo checkpoint in a refiner's layout: img2img, without the first text encoder."""
    directory = shutil.copytree(DEMO_CHECKPOINT, tmp_path / "refiner")
    index = json.loads((directory / "model_index.json").read_text())
    index |= {
        "_class_name": "StableDiffusionXLImg2ImgPipeline",
        "text_encoder": [None, None],
        "tokenizer": [None, None],
    }
    (directory / "model_index.json").write_text(json.dumps(index))
    shutil.rmtree(directory / "text_encoder")
    shutil.rmtree(directory / "tokenizer")
    return directory


def test_sdxl_base_gets_the_vae_that_does_not_overflow_and_others_keep_their_own():
    pinned = "madebyollin/sdxl-vae-fp16-fix@207b116dae70ace3637169f1ddd2434b91b3a8cd"
    assert resolved(SDXL_BASE).weights[2] == pinned
    assert resolved(SDXL_BASE, COMMIT).weights[2] == pinned
    assert resolved(SDXL_BASE, vae="none").weights[2] == ""
    assert resolved("someone/sdxl-finetune", COMMIT).vae is None
    assert resolved("demo").vae is None
    assert resolved("demo", vae="madebyollin/sdxl-vae-fp16-fix").weights[2] == pinned
    assert resolved("demo", vae=f"someone/vae@{COMMIT}").weights[2] == f"someone/vae@{COMMIT}"


def test_a_local_vae_takes_its_identity_from_its_files(checkpoint):
    vae = resolved("demo", vae=str(checkpoint / "vae")).vae
    assert vae.name == "vae"
    assert vae.source == str(checkpoint / "vae")
    assert vae.identity.startswith("vae@sha256:")
    config = checkpoint / "vae" / "config.json"
    config.write_text(config.read_text() + " ")
    assert resolved("demo", vae=str(checkpoint / "vae")).vae.identity != vae.identity


def test_only_a_preset_that_draws_on_with_a_refiner_has_one(refiner):
    assert resolved(SDXL_BASE, refiner="nonsense").refiner is None
    default = resolved(SDXL_BASE, preset="refined").refiner
    assert default.identity == "stabilityai/stable-diffusion-xl-refiner-1.0@5d4cfe854c9a9a87939ff3653551c2b3c99a4356"
    assert default.variant == "fp16"
    local = resolved("demo", preset="refined", refiner=str(refiner)).refiner
    assert (local.name, local.source) == ("refiner", str(refiner))
    assert local.revision.startswith("sha256:")
    other = resolved("demo", preset="refined", refiner=f"someone/refiner@{COMMIT}").refiner
    assert (other.identity, other.is_local) == (f"someone/refiner@{COMMIT}", False)
    with pytest.raises(UsageError, match="the model 'demo' has no refiner of its own: set GLAD_REFINER"):
        resolved("demo", preset="refined")


def test_a_damaged_or_wrong_vae_or_refiner_is_named(checkpoint, refiner):
    with pytest.raises(GladError, match=r"has no config\.json: it is not a VAE .* Did you mean .*/vae\?"):
        resolved("demo", vae=str(checkpoint))
    with pytest.raises(GladError, match="describes a UNet2DConditionModel: an SDXL VAE is an AutoencoderKL"):
        resolved("demo", vae=str(checkpoint / "unet"))
    with pytest.raises(GladError, match="describes a StableDiffusionXLPipeline: only SDXL"):
        resolved("demo", preset="refined", refiner=str(checkpoint))
    for directory, given in ((checkpoint / "vae", {"vae": str(checkpoint / "vae")}), (refiner, {"preset": "refined"})):
        os.truncate(next(directory.rglob("diffusion_pytorch_model.safetensors")), 100_000)
        with pytest.raises(GladError, match="is not whole"):
            resolved("demo", refiner=str(refiner), **given)


def test_loras_keep_their_order_and_weights_and_are_told_exactly(lora):
    hub = f"someone/styles/deep/oil paint.safetensors@{COMMIT}"
    loras = resolved("demo", lora=f" {hub} * -0.5, {lora}*0.123456789,").loras
    assert [each.name for each in loras] == ["someone/styles/deep/oil paint.safetensors", "ink"]
    assert [each.weight for each in loras] == [-0.5, 0.123457]
    assert (loras[0].source, loras[0].file, loras[0].is_local) == (
        "someone/styles",
        "deep/oil paint.safetensors",
        False,
    )
    assert (loras[1].source, loras[1].file, loras[1].is_local) == (str(Path(lora).parent), "ink.safetensors", True)
    digest = file_hashes.read_sha256(Path(lora))
    told = f"someone/styles/deep/oil paint.safetensors@{COMMIT}*-0.5, ink@sha256:{digest}*0.123457"
    assert resolved("demo", lora=f"{hub}*-0.5,{lora}*0.123457").weights[4] == told
    assert resolved("demo", lora=str(lora)).loras[0].weight == 1.0


def test_a_few_step_preset_brings_its_lora_first_and_only_where_it_fits(lora):
    loras = resolved(SDXL_BASE, preset="lightning-4", lora=f"{lora}*0.8").loras
    assert [each.identity.split("*")[0].split("@sha")[0] for each in loras] == [
        PRESETS["lightning-4"].few_step_lora,
        "ink",
    ]
    assert resolved(SDXL_BASE, preset="lcm-4", few_step_lora="none").loras == ()
    assert [each.name for each in resolved("demo", preset="lcm-4", few_step_lora=str(lora)).loras] == ["ink"]
    assert resolved("demo", few_step_lora="nonsense").loras == ()
    with pytest.raises(UsageError, match="'demo' need GLAD_FEW_STEP_LORA: `none` if it is a few-step model already"):
        resolved("demo", preset="lcm-4")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"preset": "best"}, "preset is 'best': it has to be one of base, fast"),
        ({"vae": "/nowhere/vae"}, "GLAD_VAE='/nowhere/vae' is neither a directory here nor"),
        ({"vae": "someone/vae"}, "GLAD_VAE: 'someone/vae' is not here, and on the hub it needs a commit"),
        ({"vae": "someone/vae@main"}, "on the hub it needs a commit"),
        ({"vae": __file__}, "is a single file: give a VAE as a directory"),
        ({"refiner": "none", "preset": "refined"}, "GLAD_REFINER='none' is neither"),
        ({"refiner": "someone/refiner@v1", "preset": "refined"}, "GLAD_REFINER: 'someone/refiner@v1' is not here"),
        ({"lora": "ink"}, "LoRA (GLAD_LORA, or the prompt's lora): 'ink' is neither a .safetensors file here"),
        (
            {"lora": "/tmp"},
            "LoRA (GLAD_LORA, or the prompt's lora): '/tmp' is a directory: name the .safetensors file in it",
        ),
        ({"lora": __file__}, "is no .safetensors file; other formats run code"),
        (
            {"lora": "a/b/c.safetensors"},
            "LoRA (GLAD_LORA, or the prompt's lora): 'a/b/c.safetensors' is not here, and on the hub it needs a commit",
        ),
        ({"lora": f"a/b/../c.safetensors@{COMMIT}"}, "is neither a .safetensors file here"),
        ({"lora": f"a/b@{COMMIT}"}, "is neither a .safetensors file here"),
        ({"lora": f"a/b/c.safetensors@{COMMIT}*11"}, "has the weight '11': after the * comes a number from -10 to 10"),
        ({"lora": f"a/b/c.safetensors@{COMMIT}*nan"}, "has the weight 'nan'"),
        ({"lora": f"a/b/c.safetensors@{COMMIT}*"}, "has the weight ''"),
        ({"lora": f"a/b/c.safetensors@{COMMIT}, a/b/c.safetensors@{'f' * 40}"}, "more than one LoRA is called a/b/c"),
        ({"few_step_lora": "nonsense", "preset": "lcm-4"}, "GLAD_FEW_STEP_LORA: 'nonsense' is neither"),
    ],
)
def test_what_can_be_no_part_is_a_usage_error_that_names_value_and_setting(given, reason):
    with pytest.raises(UsageError) as raised:
        resolved("demo", **given)
    assert reason in str(raised.value)


@pytest.mark.parametrize("name", ["a@b", "a*b", "a, b", "a\nb"])
def test_a_name_that_would_blur_the_recipe_is_refused(name, checkpoint, lora, tmp_path):
    vae = shutil.copytree(checkpoint / "vae", tmp_path / name)
    with pytest.raises(UsageError, match="cannot be named in a recipe: rename it"):
        resolved("demo", vae=str(vae))
    if "," not in name:  # a list of paths is split at commas
        file = shutil.copy(lora, tmp_path / f"{name}.safetensors")
        with pytest.raises(UsageError, match=r"cannot be named in a recipe|has the weight"):
            resolved("demo", lora=str(file))


def test_a_damaged_lora_is_named(lora):
    os.truncate(lora, lora.stat().st_size - 1)
    with pytest.raises(GladError, match=r"ink\.safetensors is not whole|ink\.safetensors is truncated"):
        resolved("demo", lora=str(lora))


def test_every_loaded_component_has_its_weights_hash(checkpoint, refiner, lora, tmp_path):
    own = weight_hashes(resolved("demo").artifacts, None)
    assert own == {
        name: file_hashes.read_sha256(next((DEMO_CHECKPOINT / name).glob("*.safetensors")))
        for name in ("text_encoder", "text_encoder_2", "unet", "vae")
    }
    data = bytearray((checkpoint / "vae" / "diffusion_pytorch_model.safetensors").read_bytes())
    data[-1] ^= 1
    (checkpoint / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(data)
    given = {"vae": str(checkpoint / "vae"), "refiner": str(refiner), "lora": str(lora), "preset": "refined"}
    all_of_it = weight_hashes(resolved("demo", **given).artifacts, tmp_path / "hashes.json")
    assert list(all_of_it) == [
        "text_encoder",
        "text_encoder_2",
        "unet",
        "vae",
        "refiner/text_encoder_2",
        "refiner/unet",
        "lora/ink",
    ]
    assert all_of_it["unet"] == own["unet"]
    assert all_of_it["vae"] != own["vae"]
    assert all_of_it["lora/ink"] == file_hashes.read_sha256(Path(lora))


def test_several_shards_have_one_hash(checkpoint):
    shards = [f"diffusion_pytorch_model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    (checkpoint / UNET).rename(checkpoint / "unet" / shards[0])
    shutil.copy(checkpoint / "vae" / "diffusion_pytorch_model.safetensors", checkpoint / "unet" / shards[1])
    index = checkpoint / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shards[0], "b": shards[1]}}))
    told = weight_hashes(resolved(str(checkpoint)).artifacts, None)["unet"]
    assert len(told) == 64
    (checkpoint / "unet" / shards[1]).write_bytes((checkpoint / "unet" / shards[0]).read_bytes())
    assert weight_hashes(resolved(str(checkpoint)).artifacts, None)["unet"] != told


def test_what_is_not_pulled_has_no_hashes_and_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(GladError, match=rf"not on this machine: `\./glad model pull someone/sdxl-finetune@{COMMIT}`"):
        weight_hashes(resolved("someone/sdxl-finetune", COMMIT).artifacts, None)


def test_of_a_sharded_repository_the_index_and_all_shards_of_one_variant_are_wanted():
    (model,) = resolved("someone/sdxl-finetune", COMMIT).artifacts
    shards = [f"unet/diffusion_pytorch_model.fp16-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = "unet/diffusion_pytorch_model.safetensors.index.fp16.json"
    rest = [f"{name}/model.fp16.safetensors" for name in ("text_encoder", "text_encoder_2")]
    rest += ["vae/diffusion_pytorch_model.fp16.safetensors", "vae/config.json", "model_index.json"]
    others = ["unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.bin.index.json", "a.json"]
    assert sorted(model.files_wanted([*shards, index, *rest, *others])) == sorted([*shards, index, *rest])
