"""Which model is meant, and what is said when it cannot be used. Real checkpoint files, no torch."""

import json
import os
import shutil
from pathlib import Path

import pytest

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation import file_hashes
from glad_pipeline.generation.models import DEMO_CHECKPOINT, resolve_model

COMMIT = "0123456789" * 4
UNET = Path("unet/diffusion_pytorch_model.safetensors")


@pytest.fixture
def checkpoint(tmp_path):
    """A copy of the demo checkpoint that a test may damage."""
    return shutil.copytree(DEMO_CHECKPOINT, tmp_path / "my model")


def test_the_demo_model_is_whole_small_and_knows_its_own_size():
    demo = resolve_model("demo")
    assert (demo.name, demo.is_demo, demo.is_local) == ("demo", True, True)
    assert (demo.width, demo.height) == (256, 256)
    assert (demo.num_inference_steps, demo.guidance_scale) == (20, 3.0)
    assert demo.revision.startswith("sha256:")
    assert sum(file.stat().st_size for file in DEMO_CHECKPOINT.rglob("*") if file.is_file()) < 25_000_000


def test_a_local_checkpoint_takes_its_identity_from_its_files_not_from_its_place(checkpoint):
    local, demo = resolve_model(str(checkpoint)), resolve_model("demo")
    assert (local.name, local.is_demo, local.source) == ("my model", False, str(checkpoint))
    assert (local.num_inference_steps, local.guidance_scale) == (30, 7.0)
    assert local.revision == demo.revision
    (checkpoint / "README.md").write_text("another card")
    assert resolve_model(str(checkpoint)).revision == demo.revision
    config = checkpoint / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("v_prediction", "epsilon"))
    assert resolve_model(str(checkpoint)).revision != demo.revision


def test_weights_are_hashed_once_and_again_only_when_they_change(checkpoint, tmp_path, monkeypatch):
    cache = tmp_path / "deep" / "hashes.json"
    first = resolve_model(str(checkpoint), cache=cache)
    assert list(cache.parent.iterdir()) == [cache]
    read = []
    digest = file_hashes.hashlib.file_digest
    monkeypatch.setattr(file_hashes.hashlib, "file_digest", lambda *args: read.append(args[0].name) or digest(*args))
    assert resolve_model(str(checkpoint), cache=cache) == first
    assert read == []
    weights = checkpoint / UNET
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    os.utime(weights, ns=(1, 1))
    assert resolve_model(str(checkpoint), cache=cache).revision != first.revision
    assert read == [str(weights)]


@pytest.mark.parametrize("damage", [b"", b"{not json", b"[1, 2]"])
def test_a_damaged_memory_of_hashes_costs_time_only(damage, tmp_path):
    cache = tmp_path / "hashes.json"
    cache.write_bytes(damage)
    assert resolve_model("demo", cache=cache) == resolve_model("demo")
    assert len(json.loads(cache.read_bytes())) > 5


def test_an_unwritable_memory_of_hashes_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    assert resolve_model("demo", cache=tmp_path / "file" / "hashes.json") == resolve_model("demo")


def test_sdxl_base_has_a_pinned_commit_and_another_may_be_given():
    base = resolve_model("stabilityai/stable-diffusion-xl-base-1.0")
    assert base.revision == "462165984030d82259a11f4367a4eed129e94a7b"
    assert (base.width, base.height, base.num_inference_steps, base.guidance_scale) == (1024, 1024, 30, 7.0)
    assert not base.is_local
    assert resolve_model("stabilityai/stable-diffusion-xl-base-1.0", COMMIT).revision == COMMIT
    assert resolve_model("someone/sdxl-finetune", COMMIT).source == "someone/sdxl-finetune"


@pytest.mark.parametrize(
    ("model", "revision", "reason"),
    [
        ("someone/sdxl-finetune", None, "GLAD_MODEL_REVISION"),
        ("someone/sdxl-finetune", "main", "40 hex digits, not a branch"),
        ("sdxl", None, "not a directory here and not a hub id"),
        ("", None, "not a directory here and not a hub id"),
        ("/nowhere/sdxl", None, "'/nowhere/sdxl' is not a directory"),
        ("a/b/c", COMMIT, "not a directory here and not a hub id"),
        (__file__, None, "single file"),
        ("demo", COMMIT, "unset GLAD_MODEL_REVISION"),
    ],
)
def test_what_can_be_no_model_is_a_usage_error_that_says_what_is_possible(model, revision, reason):
    with pytest.raises(UsageError) as raised:
        resolve_model(model, revision)
    assert reason in str(raised.value)


def test_a_truncated_file_is_named_with_both_sizes(checkpoint):
    size = (checkpoint / UNET).stat().st_size
    os.truncate(checkpoint / UNET, size - 1_000)
    with pytest.raises(GladError, match=rf"{UNET} is not whole: it has {size - 1000:,} bytes of {size:,}"):
        resolve_model(str(checkpoint))


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
        resolve_model(str(checkpoint))
    assert str(UNET) in str(raised.value)


def test_pickled_weights_are_refused_with_the_reason(checkpoint):
    (checkpoint / UNET).rename(checkpoint / "unet" / "diffusion_pytorch_model.bin")
    with pytest.raises(GladError, match=r"only as pickle \(diffusion_pytorch_model.bin\), which runs code"):
        resolve_model(str(checkpoint))


def test_missing_parts_are_named(checkpoint):
    (checkpoint / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(GladError, match="vae has no safetensors weights"):
        resolve_model(str(checkpoint))
    shutil.rmtree(checkpoint / "text_encoder_2")
    with pytest.raises(GladError, match="no folder text_encoder_2/"):
        resolve_model(str(checkpoint))
    (checkpoint / "model_index.json").unlink()
    with pytest.raises(GladError, match=r"no model_index\.json"):
        resolve_model(str(checkpoint))


def test_a_pipeline_of_another_class_or_without_a_component_is_refused(checkpoint):
    index = checkpoint / "model_index.json"
    values = json.loads(index.read_text())
    index.write_text(json.dumps({**values, "_class_name": "FluxPipeline"}))
    with pytest.raises(GladError, match="describes a FluxPipeline: only SDXL"):
        resolve_model(str(checkpoint))
    index.write_text(json.dumps({**values, "text_encoder": [None, None]}))
    with pytest.raises(GladError, match="lists no text_encoder:"):
        resolve_model(str(checkpoint))
    index.write_text("{half")
    with pytest.raises(GladError, match="not valid JSON"):
        resolve_model(str(checkpoint))


def test_a_checkpoint_that_has_only_the_fp16_files_is_found_and_a_mixture_is_refused(checkpoint):
    files = sorted(checkpoint.rglob("*.safetensors"))
    files[0].rename(files[0].with_suffix(".fp16.safetensors"))
    with pytest.raises(GladError, match="different variants"):
        resolve_model(str(checkpoint))
    for file in files[1:]:
        file.rename(file.with_suffix(".fp16.safetensors"))
    assert resolve_model(str(checkpoint)).variant == "fp16"


def test_a_missing_shard_is_named(checkpoint):
    shard = "diffusion_pytorch_model-00001-of-00002.safetensors"
    (checkpoint / UNET).rename(checkpoint / "unet" / shard)
    index = checkpoint / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard, "b": shard.replace("1-of", "2-of")}}))
    with pytest.raises(GladError, match=r"00002-of-00002\.safetensors is missing"):
        resolve_model(str(checkpoint))
    index.write_text(json.dumps({"weight_map": {"a": shard}}))
    assert resolve_model(str(checkpoint)).revision != resolve_model("demo").revision
