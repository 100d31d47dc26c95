"""SDXL at full size without its weights: its own configurations with random ones, made on the device that draws.

Arithmetic does not look at the values, so nothing has to be downloaded. Also what its arithmetic costs, in FLOP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.generation import engine, loading
from glad_pipeline.generation.artifacts import Artifact
from glad_pipeline.generation.models import DEMO_CHECKPOINT, ModelProfile, resolve_model
from glad_pipeline.generation.recipe import Recipe

Config = dict[str, dict[str, Any]]
NOISE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "timestep_spacing": "leading",
}


def configuration(*, shrunken: bool) -> Config:
    """UNets, VAE and text encoders of SDXL base 1.0 and its refiner, or the same kinds of blocks nearly empty."""
    unet: dict[str, Any] = {
        "sample_size": 128,
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "block_out_channels": (320, 640, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 2048,
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    }
    refiner = unet | {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "block_out_channels": (384, 768, 1536, 1536),
        "cross_attention_dim": 1280,
        "transformer_layers_per_block": 4,
        "attention_head_dim": (6, 12, 24, 24),
        "projection_class_embeddings_input_dim": 2560,
    }
    vae: dict[str, Any] = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "latent_channels": 4,
        "norm_num_groups": 32,
        "sample_size": 1024,
        "scaling_factor": 0.13025,
    }
    one: dict[str, Any] = {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "max_position_embeddings": 77,
        "hidden_act": "quick_gelu",
        "projection_dim": 768,
    }
    two = one | {
        "hidden_size": 1280,
        "intermediate_size": 5120,
        "num_hidden_layers": 32,
        "num_attention_heads": 20,
        "hidden_act": "gelu",
        "projection_dim": 1280,
    }
    if shrunken:
        unet |= {"sample_size": 8, "block_out_channels": (32, 32, 64), "cross_attention_dim": 64}
        unet |= {"transformer_layers_per_block": (1, 1, 2), "attention_head_dim": (2, 2, 4)}
        unet |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + 32}
        refiner |= {"sample_size": 8, "block_out_channels": (32, 32, 64, 64), "cross_attention_dim": 32}
        refiner |= {"transformer_layers_per_block": 1, "attention_head_dim": (2, 2, 4, 4)}
        refiner |= {"addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 5 * 8 + 32}
        vae |= {"block_out_channels": (32, 32, 32, 32), "layers_per_block": 1, "sample_size": 64}
        small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
        one |= small | {"projection_dim": 32}
        two |= small | {"projection_dim": 32}
    return {"unet": unet, "refiner": refiner, "vae": vae, "text_encoder": one, "text_encoder_2": two}


def modules(config: Config, *names: str) -> dict[str, Any]:
    """The modules of these names, with whatever weights they start with, on torch's current default device."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    makers: Mapping[str, Callable[[dict[str, Any]], Any]] = {
        "unet": lambda values: UNet2DConditionModel(**values),
        "refiner": lambda values: UNet2DConditionModel(**values),
        "vae": lambda values: AutoencoderKL(**values),
        "text_encoder": lambda values: CLIPTextModel(CLIPTextConfig(**values)),
        "text_encoder_2": lambda values: CLIPTextModelWithProjection(CLIPTextConfig(**values)),
    }
    return {name: makers[name](config[name]) for name in names}


def random_pipelines(config: Config, number_format: Any, *, refined: bool, fill: bool = True) -> tuple[Any, Any | None]:
    """The base pipeline and, if asked for, the refiner's, on torch's current default device.

    `fill`: with normal weights that keep the size of what goes through; else as diffusers makes them.
    """
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(DEMO_CHECKPOINT / "tokenizer")
    marks = {name: getattr(tokenizer, name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    config = config | {name: config[name] | marks for name in ("text_encoder", "text_encoder_2")}
    names = ("unet", "vae", "text_encoder", "text_encoder_2", *(["refiner"] if refined else []))
    usual = torch.get_default_dtype()
    torch.set_default_dtype(number_format)
    try:
        made = modules(config, *names)
    finally:
        torch.set_default_dtype(usual)
    torch.manual_seed(0)
    for module in made.values():
        for weight in module.parameters():
            if fill and weight.ndim > 1:  # norms and biases stay at 1 and 0
                torch.nn.init.normal_(weight, std=weight[0].numel() ** -0.5)
    with torch.device("cpu"):
        scheduler = EulerDiscreteScheduler(**NOISE)
    shared = {
        "vae": made["vae"],
        "tokenizer_2": tokenizer,
        "text_encoder_2": made["text_encoder_2"],
        "scheduler": scheduler,
        "add_watermarker": False,
    }
    base = StableDiffusionXLPipeline(
        unet=made["unet"], text_encoder=made["text_encoder"], tokenizer=tokenizer, **shared
    )
    if not refined:
        return base, None
    refiner = StableDiffusionXLImg2ImgPipeline(
        unet=made["refiner"],
        text_encoder=None,
        tokenizer=None,
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        **shared,
    )
    return base, refiner


def profile_of(*, shrunken: bool, refined: bool = False, quantization: str | None = None) -> ModelProfile:
    """A profile that stands for SDXL; its files are the demo model's, and nobody reads more than their hashes."""
    demo = resolve_model(EngineOptions())
    side = 64 if shrunken else 1024
    part = Artifact(kind="refiner", name="random", source=demo.source, revision="sha256:0", is_local=True)
    return replace(
        demo,
        name="random-sdxl",
        width=side,
        height=side,
        num_inference_steps=30,
        guidance_scale=7.0,
        is_demo=False,
        refiner=part if refined else None,
        quantization=quantization,
    )


@contextmanager
def random_weights(config: Config, device: str, *, fill: bool = True) -> Iterator[None]:
    """Within it `Engine` opens SDXL with random weights, made on `device`, instead of reading files."""
    import torch

    def made(profile: ModelProfile, files: object, number_format: torch.dtype) -> tuple[Any, Any | None]:
        with torch.device(device):
            return random_pipelines(config, number_format, refined=profile.refiner is not None, fill=fill)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(loading, "read_pipelines", made))
        stack.enter_context(mock.patch.object(loading, "_here", lambda part, hashes: part))
        stack.enter_context(mock.patch.object(engine, "weight_hashes", return_value={"unet": "random"}))
        yield


def recipes(
    profile: ModelProfile, seeds: Iterable[int], *, steps: int, preset: str = "base", guidance: float = 7.0
) -> list[Recipe]:
    """One recipe a seed, of the profile's own size."""
    model, revision, vae, refiner, lora = profile.weights
    return [
        Recipe(
            prompt=f"a hill in a green country, number {seed}",
            seed=seed,
            width=profile.width,
            height=profile.height,
            num_inference_steps=steps,
            guidance_scale=guidance,
            scheduler="euler",
            preset=preset,
            model=model,
            model_revision=revision,
            vae=vae,
            refiner=refiner,
            lora=lora,
        )
        for seed in seeds
    ]


def flop_per_picture(config: Config) -> dict[str, float]:
    """Floating-point operations of one UNet forward, one VAE decode and the texts of one picture, counted by torch."""
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    def counted(work: Callable[[], object]) -> float:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            work()
        return float(counter.get_total_flops())

    side, width = config["unet"]["sample_size"], config["unet"]["cross_attention_dim"]
    with torch.device("meta"):
        parts = modules(config, "unet", "vae", "text_encoder", "text_encoder_2")
        latent, text = torch.randn(1, 4, side, side), torch.randn(1, 77, width)
        added = {
            "text_embeds": torch.randn(1, config["text_encoder_2"]["projection_dim"]),
            "time_ids": torch.ones(1, 6),
        }
        time_step, tokens = torch.ones(1), torch.zeros(1, 77, dtype=torch.long)
        return {
            "unet": counted(lambda: parts["unet"](latent, time_step, text, added_cond_kwargs=added)),
            "vae": counted(lambda: parts["vae"].decode(latent)),
            "text": 2 * counted(lambda: (parts["text_encoder"](tokens), parts["text_encoder_2"](tokens))),
        }


def save(config: Config, folder: Path, device: str, number_format: Any) -> None:
    """The base checkpoint as files that `resolve_model` takes."""
    import torch

    with torch.device(device):
        base, _ = random_pipelines(config, number_format, refined=False)
    base.save_pretrained(folder)
