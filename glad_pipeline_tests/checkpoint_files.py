"""Small checkpoints and adapters in the layouts that people have, made from the demo model's or from random weights."""

from __future__ import annotations

import json
import lzma
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from glad_pipeline.generation.layer_names import by_any_name, original
from glad_pipeline.generation.models import DEMO_CHECKPOINT

Weights = dict[str, np.ndarray]
V_PRED = {"v_pred": np.zeros(0, np.float32), "ztsnr": np.zeros(0, np.float32)}
_TEXT = (
    ("embeddings.token_embedding.weight", "token_embedding.weight"),
    ("embeddings.position_embedding.weight", "positional_embedding"),
    ("final_layer_norm.", "ln_final."),
    ("encoder.layers.", "transformer.resblocks."),
    (".layer_norm1.", ".ln_1."),
    (".layer_norm2.", ".ln_2."),
    (".mlp.fc1.", ".mlp.c_fc."),
    (".mlp.fc2.", ".mlp.c_proj."),
    (".self_attn.out_proj.", ".attn.out_proj."),
)
_VAE = (
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
    (r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1"),
    (r"down_blocks\.(\d)\.resnets\.(\d)", r"down.\1.block.\2"),
    (r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample"),
    (r"up_blocks\.(\d)\.resnets\.(\d)", r"up.\1.block.\2"),
    (r"up_blocks\.(\d)\.upsamplers\.0", r"up.\1.upsample"),
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
)


def single_file(
    directory: Path,
    file: Path,
    *,
    layers_per_block: int = 1,
    extra: Weights | None = None,
    without: str = " ",
    metadata: dict[str, str] | None = None,
) -> Path:
    """A folder's weights as one file with the names that SDXL's own code has; `without`: what no key begins with."""
    parts = {name: load_file(_weights(directory / name)) for name in ("unet", "vae", "text_encoder", "text_encoder_2")}
    bare = {name: {key.removeprefix("text_model."): value for key, value in parts[name].items()} for name in parts}
    positions = np.arange(77, dtype=np.int64)[None]
    weights = {
        **{f"model.diffusion_model.{key}": value for key, value in _unet(parts["unet"], layers_per_block).items()},
        **{f"first_stage_model.{key}": value for key, value in _vae(parts["vae"]).items()},
        **{
            f"conditioner.embedders.0.transformer.text_model.{key}": value
            for key, value in {**bare["text_encoder"], "embeddings.position_ids": positions}.items()
        },
        **{f"conditioner.embedders.1.model.{key}": value for key, value in _open_clip(bare["text_encoder_2"]).items()},
    }
    kept = {key: value for key, value in {**weights, **(extra or {})}.items() if not key.startswith(without)}
    save_file(kept, file, metadata)
    return file


def full_layout(directory: Path) -> Path:
    """A folder with SDXL's own structure, tokenizers, all its 2,515 tensors, and next to no channels; untrained."""
    import torch
    from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    torch.manual_seed(5)
    for name, padding in (("tokenizer", "<|endoftext|>"), ("tokenizer_2", "!")):
        clip_tokenizer(directory.parent / name, padding)
    tokenizers = {name: CLIPTokenizer.from_pretrained(directory.parent / name) for name in ("tokenizer", "tokenizer_2")}

    def text(kind: Any, width: int, layers: int) -> Any:
        special = {"bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1, "vocab_size": 49_408}  # as SDXL's say
        sizes = {"hidden_size": width, "intermediate_size": 16, "num_hidden_layers": layers, "projection_dim": width}
        return kind(CLIPTextConfig(num_attention_heads=1, max_position_embeddings=77, **sizes, **special))

    def blocks(kind: str, count: int) -> tuple[str, ...]:
        return (kind,) * count

    StableDiffusionXLPipeline(
        unet=UNet2DConditionModel(
            sample_size=8, block_out_channels=(8, 16, 32), layers_per_block=2, norm_num_groups=4, cross_attention_dim=20,
            down_block_types=("DownBlock2D", *blocks("CrossAttnDownBlock2D", 2)),
            up_block_types=(*blocks("CrossAttnUpBlock2D", 2), "UpBlock2D"), transformer_layers_per_block=(1, 2, 10),
            attention_head_dim=(1, 1, 2), use_linear_projection=True, addition_embed_type="text_time",
            addition_time_embed_dim=4, projection_class_embeddings_input_dim=6 * 4 + 12,
        ),
        vae=AutoencoderKL(
            sample_size=64, block_out_channels=(4, 8, 16, 16), layers_per_block=2, norm_num_groups=2,
            down_block_types=blocks("DownEncoderBlock2D", 4), up_block_types=blocks("UpDecoderBlock2D", 4),
        ),
        text_encoder=text(CLIPTextModel, 8, 12),
        text_encoder_2=text(CLIPTextModelWithProjection, 12, 32),
        **tokenizers,
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, timestep_spacing="leading"
        ),
        add_watermarker=False,
    ).save_pretrained(directory)  # fmt: skip
    for name in tokenizers:  # with the files that SDXL's repository has
        shutil.rmtree(directory / name)
        shutil.move(directory.parent / name, directory / name)
    return directory


def clip_tokenizer(directory: Path, padding: str) -> None:
    """CLIP's tokenizer of 49,408 words in the files that SDXL's repository has: no tokenizer.json."""
    merges = lzma.decompress((Path(__file__).parent / "clip" / "merges.txt.xz").read_bytes()).decode().splitlines()
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    letters = [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(rest))]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *(merge.replace(" ", "") for merge in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    directory.mkdir()
    (directory / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (directory / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    special["pad_token"] = padding
    (directory / "special_tokens_map.json").write_text(json.dumps(special))
    config = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, **special}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))


def layers_of(directory: Path, component: str) -> dict[str, tuple[int, ...]]:
    """The layers of a folder's component that an adapter may change, and their shapes."""
    weights = load_file(_weights(directory / component))
    return {
        key.removesuffix(".weight"): value.shape
        for key, value in weights.items()
        if key.endswith(".weight") and value.ndim in (2, 4) and "embedding.weight" not in key
    }


def kohya(component: str, name: str, directory: Path = DEMO_CHECKPOINT, layers_per_block: int = 1) -> str:
    """What kohya's trainer calls a layer: SDXL's own name for it, with underscores."""
    if component == "unet":
        names = list(layers_of(directory, "unet"))
        attention = {int(match[1]) for each in names if (match := re.match(r"up_blocks\.(\d)\.attentions", each))}
        return "lora_unet_" + original(name, layers_per_block, attention_in=attention).replace(".", "_")
    prefix = {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}[component]
    return prefix + "text_model_" + name.removeprefix("text_model.").replace(".", "_")


def lora(
    shapes: Mapping[str, tuple[int, ...]], rank: int = 2, seed: int = 0
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Down and up of a LoRA for layers of these shapes, with random numbers large enough to be seen."""
    numbers = np.random.default_rng(seed)
    found = {}
    for name, (out, *read) in shapes.items():
        down = numbers.normal(0, 0.3, (rank, *read)).astype(np.float32)
        up = numbers.normal(0, 0.3, (out, rank, *[1] * (len(read) - 1))).astype(np.float32)
        found[name] = (down, up)
    return found


def any_lora(file: Path) -> Path:
    """A LoRA with a layer that the demo model has."""
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    ((down, up),) = lora({name: layers_of(DEMO_CHECKPOINT, "unet")[name]}).values()
    return save(file, {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up})


def save(file: Path, weights: Weights, metadata: dict[str, str] | None = None) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    save_file({key: np.ascontiguousarray(value) for key, value in weights.items()}, file, metadata)
    return file


def _weights(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def _unet(weights: Weights, layers_per_block: int) -> Weights:
    layers = {key.rpartition(".")[0] for key in weights}
    names: dict[str, str] = {}
    attention = {int(match[1]) for each in layers if (match := re.match(r"up_blocks\.(\d)\.attentions", each))}
    for layer in layers:
        names[layer] = original(layer, layers_per_block, attention_in=attention)
    assert set(by_any_name("unet", layers, layers_per_block).values()) == layers
    return {names[key.rpartition(".")[0]] + "." + key.rpartition(".")[2]: value for key, value in weights.items()}


def _vae(weights: Weights) -> Weights:
    found = {}
    for key, value in weights.items():
        name = key
        for pattern, other in _VAE:
            name = re.sub(pattern, other, name)
        name = re.sub(r"up\.(\d)", lambda match: f"up.{3 - int(match[1])}", name)
        is_convolution = re.search(r"attn_1\.(q|k|v|proj_out)\.weight", name)
        found[name] = value[:, :, None, None] if is_convolution else value
    return found


def _open_clip(weights: Weights) -> Weights:
    found: Weights = {"logit_scale": np.array(4.6, np.float32)}
    for key, value in weights.items():
        if key == "text_projection.weight":
            found["text_projection"] = np.ascontiguousarray(value.T)
        elif match := re.fullmatch(r"(encoder\.layers\.\d+)\.self_attn\.q_proj\.(weight|bias)", key):
            joined = [weights[key.replace("q_proj", name)] for name in ("q_proj", "k_proj", "v_proj")]
            found[_renamed(match[1] + ".") + f"attn.in_proj_{match[2]}"] = np.concatenate(joined)
        elif not re.search(r"self_attn\.[kv]_proj", key):
            found[_renamed(key)] = value
    return found


def _renamed(key: str) -> str:
    for name, other in _TEXT:
        key = key.replace(name, other)
    return key
