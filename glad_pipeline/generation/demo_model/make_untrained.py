"""Makes the placeholder demo model: a tiny, untrained SDXL checkpoint that loads like the real one.

    python -m glad_pipeline.generation.demo_model.make_untrained [DIRECTORY]

Standard classes only, weights from a fixed seed. Random weights alone draw grey mush, so three things are set by
hand: text reaches the UNet with full strength (pictures differ by prompt), the UNet's convolutions do not smear what
the seed drew (they differ by seed), and the VAE decoder only enlarges and colours (they are smooth).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import diffusers
import torch
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

library: Any = diffusers  # its classes carry no types
SIDE = 128  # pixels, native
LATENT = 4  # channels
WIDTH = 32  # of the text encoders
TOKENS = 77  # CLIP's window
SEED = 2  # chosen by eye, with the gains below, among two dozen: colours by prompt, forms by seed
TEXT_GAIN, UNET_GAIN, COLOUR_GAIN, EDGE_GAIN = 2.0, 1.0, 1.2, 2.0
TAP = torch.tensor([[0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]])
WORDS = (
    "a an and at by in of on over the under with red orange yellow green blue purple pink white black golden day night "
    "dawn sunset sun moon stars sky cloud clouds sea ocean lake river forest desert city mountain mountains hill hills "
    "tree trees flower flowers house road light dark small big old new painting photo picture"
)
README = """\
---
license: apache-2.0
library_name: diffusers
pipeline_tag: text-to-image
---
# glad demo model (untrained placeholder)

A tiny `StableDiffusionXLPipeline` checkpoint with the layout of SDXL base: two CLIP text encoders, a UNet with
`text_time` conditioning, an `AutoencoderKL`, Euler scheduling. Its weights are random, from a fixed seed, with a few
set by hand. It has learnt nothing: pictures are abstract colour patterns that differ by prompt and by seed and
show nothing of what the prompt says. It exists so that everything around it runs without a GPU or a download.

- Native size 128 × 128, 20 steps, guidance 3.0
- Made by `python -m glad_pipeline.generation.demo_model.make_untrained`; no data set, no other model's weights
- License: Apache-2.0
"""


@torch.no_grad()
def main() -> None:
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "checkpoint"
    torch.manual_seed(SEED)
    tokenizer = make_tokenizer()
    pipeline: Any = library.StableDiffusionXLPipeline(
        vae=make_vae(),
        text_encoder=make_text_encoder(CLIPTextModel, tokenizer),
        text_encoder_2=make_text_encoder(CLIPTextModelWithProjection, tokenizer),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=make_unet(),
        scheduler=library.EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            num_train_timesteps=1000,
            prediction_type="v_prediction",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        add_watermarker=False,
    )
    shutil.rmtree(directory, ignore_errors=True)
    pipeline.to(dtype=torch.float16).save_pretrained(directory, safe_serialization=True)
    for folder in (
        directory / "tokenizer",
        directory / "tokenizer_2",
    ):  # transformers 4 reads these two
        tokenizer.backend_tokenizer.model.save(str(folder))
    for config in directory.glob("text_encoder*/config.json"):
        # transformers would keep the files' float16 where diffusers widens to float32, and plain loading could not draw
        config.write_text(config.read_text(encoding="utf-8").replace('"float16"', '"float32"'), encoding="utf-8")
    (directory / "README.md").write_text(README, encoding="utf-8")


def make_tokenizer() -> CLIPTokenizer:
    """CLIP's byte-level BPE: all 256 bytes, so that any text has tokens, plus merges for a few dozen words."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    alphabet = [*map(chr, printable), *(chr(256 + place) for place in range(len(others)))]
    symbols = dict.fromkeys([*alphabet, *(symbol + "</w>" for symbol in alphabet)])
    merges: dict[tuple[str, str], None] = {}
    for word in sorted(WORDS.split()):
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
        tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
    return tokenizer


def make_text_encoder(kind: type[nn.Module], tokenizer: CLIPTokenizer) -> nn.Module:
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=TOKENS,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    encoder = kind(config)
    for module in encoder.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=2.0 * module.in_features**-0.5)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=1.0)
    return encoder


def make_unet() -> Any:
    """Predicts v from random weights whose convolutions look at one place only: no frame grows in from the padding."""
    unet: Any = library.UNet2DConditionModel(
        sample_size=SIDE // 8,
        in_channels=LATENT,
        out_channels=LATENT,
        layers_per_block=1,
        block_out_channels=(24, 32, 48),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * WIDTH,
        transformer_layers_per_block=(1, 1, 1),
        attention_head_dim=(1, 2, 3),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=16,
        projection_class_embeddings_input_dim=6 * 16 + WIDTH,
        norm_num_groups=8,
    )
    for name, module in unet.named_modules():
        if name.endswith(("time_emb_proj", "attn2.to_v", "attn2.to_out.0")) or name.startswith("add_embedding.linear"):
            nn.init.normal_(module.weight, std=TEXT_GAIN * module.in_features**-0.5)
        elif isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            mix = torch.randn(module.weight.shape[:2]) * module.in_channels**-0.5
            module.weight.copy_(spread(mix, TAP))
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]  # there is one
    unet.conv_out.weight.copy_(spread(UNET_GAIN * torch.randn(LATENT, 24) * 24**-0.5, blur()))
    return unet


def make_vae() -> Any:
    """A decoder that enlarges smoothly, then bends 16 channels of it into colours: no detail, no grain."""
    channels = 16
    vae: Any = library.AutoencoderKL(
        latent_channels=LATENT,
        block_out_channels=(channels,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=1,
        sample_size=SIDE,
        scaling_factor=1.0,
    )
    decoder: Any = vae.decoder
    for name, module in decoder.named_modules():
        if name.startswith("up_blocks.3.resnets") and name.endswith(("conv1", "conv2")):
            module.weight.copy_(spread(EDGE_GAIN * torch.randn(channels, channels) / channels**0.5, TAP))
            nn.init.normal_(module.bias, std=0.5)
        elif name.endswith(("conv2", "to_out.0")):  # the other resnets and the attention change nothing
            module.weight.zero_()
            module.bias.zero_()
        elif name.endswith("upsamplers.0.conv"):
            module.weight.copy_(spread(torch.eye(channels), blur()))
            module.bias.zero_()
    vae.post_quant_conv.weight.copy_(torch.eye(LATENT)[:, :, None, None])
    vae.post_quant_conv.bias.zero_()
    decoder.conv_in.weight.copy_(spread(torch.randn(channels, LATENT), blur()))
    nn.init.normal_(decoder.conv_in.bias, std=0.5)
    decoder.conv_out.weight.copy_(spread(COLOUR_GAIN * torch.randn(3, channels) / channels**0.5, TAP))
    decoder.conv_out.bias.zero_()
    return vae


def spread(mix: torch.Tensor, kernel: torch.Tensor) -> torch.Tensor:
    """Convolution weights, (out, in, 3, 3): channels mixed by `mix` (out, in), space by `kernel` (3, 3)."""
    return torch.einsum("oi,hw->oihw", mix, kernel)


def blur() -> torch.Tensor:
    """The 3 × 3 binomial kernel; its sum is 1."""
    line = torch.tensor([0.25, 0.5, 0.25])
    return torch.outer(line, line)


if __name__ == "__main__":
    main()
