"""The networks of the demo model, and the checkpoint they are saved as: SDXL's own classes, only small.

Knows sizes and file layouts; nothing of data or training.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

library: Any = diffusers  # its classes carry no types
SHRINK = 8  # pixels per latent, as in SDXL: any size that is a multiple of 8 can be drawn
TOKENS = 77  # CLIP's window
TIME_EMBEDDING = 16  # numbers for each of the six sizes in `time_ids`
# Zero terminal SNR and trailing steps: the first step starts from pure noise in training too, so that nights come out
# dark and snow bright.
NOISE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "prediction_type": "v_prediction",
    "rescale_betas_zero_snr": True,
    "timestep_spacing": "trailing",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Sizes:
    """How large the networks are."""

    side: int  # pixels, native
    latent: int  # channels
    vae: tuple[int, int, int, int]  # channels from full size to an eighth
    vae_layers: int
    unet: tuple[int, int, int]  # channels from an eighth of the picture's size to a thirty-second
    unet_layers: int
    heads: int  # width of an attention head
    text: int  # width of each text encoder
    text_layers: int


@dataclass
class Networks:
    """All trained parts and the tokenizer."""

    sizes: Sizes
    vae: Any
    unet: Any
    text_encoder: Any
    text_encoder_2: Any
    tokenizer: Any

    def denoiser_modules(self) -> dict[str, nn.Module]:
        """What the second stage trains together."""
        return {"unet": self.unet, "text_encoder": self.text_encoder, "text_encoder_2": self.text_encoder_2}


def make_networks(sizes: Sizes, words: Sequence[str]) -> Networks:
    """Fresh weights from torch's current random state."""
    tokenizer = make_tokenizer(words)
    return Networks(
        sizes=sizes,
        vae=make_vae(sizes),
        unet=make_unet(sizes),
        text_encoder=make_text_encoder(CLIPTextModel, tokenizer, sizes, "quick_gelu"),
        text_encoder_2=make_text_encoder(CLIPTextModelWithProjection, tokenizer, sizes, "gelu"),
        tokenizer=tokenizer,
    )


def make_vae(sizes: Sizes) -> Any:
    vae = library.AutoencoderKL(
        latent_channels=sizes.latent,
        block_out_channels=sizes.vae,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=sizes.vae_layers,
        norm_num_groups=1,  # the few channels keep what they are to one another: twice the speed of learning
        sample_size=sizes.side,
        scaling_factor=1.0,  # latents are normalised by `normalise_latents`
        mid_block_add_attention=False,  # trained on parts of pictures, used on whole ones of any size
        force_upcast=False,
    )
    with torch.no_grad():  # begin with hardly any noise on the latents, which would drown what is in them
        vae.quant_conv.weight[sizes.latent :] *= 0.1
        vae.quant_conv.bias[sizes.latent :] = -6
    return vae


def make_unet(sizes: Sizes) -> Any:
    return library.UNet2DConditionModel(
        sample_size=sizes.side // SHRINK,
        in_channels=sizes.latent,
        out_channels=sizes.latent,
        layers_per_block=sizes.unet_layers,
        block_out_channels=sizes.unet,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * sizes.text,
        transformer_layers_per_block=(1, 1, 1),
        attention_head_dim=tuple(max(1, channels // sizes.heads) for channels in sizes.unet),  # number of heads
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_EMBEDDING,
        projection_class_embeddings_input_dim=6 * TIME_EMBEDDING + sizes.text,
        norm_num_groups=8,
    )


def make_text_encoder(kind: Any, tokenizer: Any, sizes: Sizes, activation: str) -> Any:
    return kind(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=sizes.text,
            intermediate_size=4 * sizes.text,
            projection_dim=sizes.text,
            num_hidden_layers=sizes.text_layers,
            num_attention_heads=max(1, sizes.text // 32),
            max_position_embeddings=TOKENS,
            hidden_act=activation,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def make_tokenizer(words: Sequence[str]) -> Any:
    """CLIP's byte-level BPE: all 256 bytes, so that any text has tokens, plus the merges that make `words` whole."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = [*map(chr, printable), *(chr(256 + place) for place in range(len(others)))]
    symbols = dict.fromkeys([*alphabet, *(symbol + "</w>" for symbol in alphabet)])
    merges: dict[tuple[str, str], None] = {}
    for word in sorted(words):
        left, *rest = [*word[:-1], word[-1] + "</w>"]
        for right in rest:
            merges[left, right] = None
            left += right
            symbols[left] = None
    vocabulary = {symbol: place for place, symbol in enumerate([*symbols, "<|startoftext|>", "<|endoftext|>"])}
    with tempfile.TemporaryDirectory() as name:  # from files: the way in that every version of transformers has
        folder = Path(name)
        (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
        (folder / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(
            json.dumps({"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS}), encoding="utf-8"
        )
        return CLIPTokenizer.from_pretrained(folder)


def tokenize(tokenizer: Any, captions: Sequence[str]) -> torch.Tensor:
    """Token numbers, (captions, TOKENS)."""
    tokens: torch.Tensor = tokenizer(
        list(captions), padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt"
    ).input_ids
    return tokens


@torch.no_grad()
def normalise_latents(vae: Any, mean: torch.Tensor, std: torch.Tensor) -> None:
    """Folds (z - mean) / std of each channel into the VAE's own 1 × 1 convolutions: exact, and no setting to know."""
    channels = len(mean)
    encode, decode = vae.quant_conv, vae.post_quant_conv
    encode.weight[:channels] /= std[:, None, None, None]
    encode.bias[:channels] = (encode.bias[:channels] - mean) / std
    encode.bias[channels:] -= 2 * std.log()
    decode.bias += decode.weight[:, :, 0, 0] @ mean
    decode.weight *= std[None, :, None, None]


def save_checkpoint(networks: Networks, directory: Path) -> None:
    """Writes a complete `StableDiffusionXLPipeline` directory in float16; replaces `directory` only when done."""
    fresh = directory.with_name(directory.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    halves = {}
    for name in ("vae", "unet", "text_encoder", "text_encoder_2"):
        module = getattr(networks, name)
        half = type(module)(module.config) if name.startswith("text") else type(module).from_config(module.config)
        half.load_state_dict(module.state_dict())
        halves[name] = half.eval().half()
    library.StableDiffusionXLPipeline(
        **halves,
        tokenizer=networks.tokenizer,
        tokenizer_2=networks.tokenizer,
        scheduler=library.EulerDiscreteScheduler(**NOISE),
        add_watermarker=False,
    ).save_pretrained(fresh, safe_serialization=True)
    for folder in (fresh / "tokenizer", fresh / "tokenizer_2"):  # transformers 4 reads these two
        networks.tokenizer.backend_tokenizer.model.save(str(folder))
    for config in fresh.glob("text_encoder*/config.json"):
        # transformers would keep the files' float16 where diffusers widens to float32, and plain loading could not draw
        config.write_text(config.read_text(encoding="utf-8").replace('"float16"', '"float32"'), encoding="utf-8")
    shutil.rmtree(directory, ignore_errors=True)
    fresh.replace(directory)


def load_weights(networks: Networks, directory: Path) -> None:
    """The weights of a checkpoint of the same sizes and words."""
    words = json.loads((directory / "tokenizer" / "vocab.json").read_text(encoding="utf-8"))
    if words != networks.tokenizer.get_vocab():
        raise ValueError(f"{directory} knows other words: train from nothing")
    for name in ("vae", "unet", "text_encoder", "text_encoder_2"):
        module = getattr(networks, name)
        module.load_state_dict(type(module).from_pretrained(directory / name).state_dict())


def describe(networks: Networks) -> dict[str, Any]:
    """Sizes and millions of parameters."""
    counts = {
        name: round(sum(each.numel() for each in getattr(networks, name).parameters()) / 1e6, 3)
        for name in ("vae", "unet", "text_encoder", "text_encoder_2")
    }
    return {"sizes": asdict(networks.sizes), "millions_of_parameters": counts}
