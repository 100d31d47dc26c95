"""A profile's files to pipelines on a device, ready to draw. Torch and diffusers are imported inside the functions."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from glad_pipeline.errors import GladError
from glad_pipeline.generation.models import Component, Lora, ModelProfile

CompileChoice = Literal["auto", "none", "regional", "full"]
# Shapes a block may meet before dynamo would give up on it: SDXL's 17 kinds of block, times sizes and buckets.
_GRAPHS_PER_BLOCK = 256


@dataclass(slots=True)
class Pipelines:
    """What draws: the base, and the refiner where the preset has one. Both share the base's VAE."""

    base: Any  # diffusers.StableDiffusionXLPipeline
    refiner: Any | None  # diffusers.StableDiffusionXLImg2ImgPipeline
    dtype: str  # of UNet and text encoders
    vae_dtype: str
    compile: str  # "none", "regional" or "full"

    @property
    def weight_bytes(self) -> int:
        """Memory taken by all weights."""
        return sum(
            weight.numel() * weight.element_size()
            for pipeline in (self.base, self.refiner)
            if pipeline is not None
            for module in pipeline.components.values()
            if hasattr(module, "parameters")
            for weight in module.parameters()
        )


def silence() -> None:
    """No progress bars and no warnings of theirs in a run's log; what matters of them is in provenance.

    transformers before diffusers: importing the latter already warns about a torchvision that nothing here needs.
    """
    for library in ("transformers", "diffusers"):
        logging = importlib.import_module(f"{library}.utils.logging")
        logging.set_verbosity_error()
        logging.disable_progress_bar()


def open_pipelines(
    profile: ModelProfile, device: str, *, compiling: CompileChoice, compile_cache: Path | None
) -> Pipelines:
    """Load everything the profile names.

    On CUDA: bfloat16 for UNet, text encoders and VAE (no flipping to float32 in mid-picture), channels last, fused
    attention projections, compiled. Elsewhere float32 and uncompiled. `compile_cache` keeps compiled kernels for the
    next process; None: a temporary folder.

    Raises `GladError` for what cannot be had, read or done on this device.
    """
    import torch

    diffusers: Any = importlib.import_module("diffusers")  # its classes carry no types
    cuda = device == "cuda"
    main = torch.bfloat16 if cuda else torch.float32
    compiling = ("regional" if cuda else "none") if compiling == "auto" else compiling
    if compiling != "none" and compile_cache is not None:
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(compile_cache))
    parts: dict[str, Any] = {}
    if profile.vae is not None:
        with _clearly("VAE", profile.vae):
            parts["vae"] = diffusers.AutoencoderKL.from_pretrained(**_where(profile.vae), dtype=main)
    with _clearly("model", profile):
        base = diffusers.StableDiffusionXLPipeline.from_pretrained(
            **_where(profile), dtype=main, add_watermarker=False, **parts
        )
    for lora in profile.loras:
        _fuse(base, lora)
    refiner = None
    if profile.refiner is not None:
        with _clearly("refiner", profile.refiner):
            refiner = diffusers.StableDiffusionXLImg2ImgPipeline.from_pretrained(
                **_where(profile.refiner), dtype=main, add_watermarker=False, vae=base.vae
            )
        if refiner.unet.config.in_channels != base.unet.config.in_channels:
            raise GladError(
                f"the refiner {profile.refiner.name} works on {refiner.unet.config.in_channels} latent channels, the "
                f"model {profile.name} on {base.unet.config.in_channels}: they do not go together, correct GLAD_REFINER"
            )
        # else latents of other than four channels would be taken for a picture
        refiner.image_processor.register_to_config(vae_latent_channels=base.vae.config.latent_channels)
    for pipeline in (base, refiner):
        if pipeline is None:
            continue
        pipeline.to(device)
        pipeline.set_progress_bar_config(disable=True)
        if cuda:
            pipeline.unet.to(memory_format=torch.channels_last)
            pipeline.unet.fuse_qkv_projections()
        if profile.quantization == "fp8":
            _quantize(pipeline.unet, device)
        _compile(pipeline.unet, compiling)
    if cuda:
        base.vae.to(memory_format=torch.channels_last)
        base.vae.fuse_qkv_projections()
    _compile(base.vae.decoder, compiling)
    name = str(main).removeprefix("torch.")
    return Pipelines(base=base, refiner=refiner, dtype=name, vae_dtype=name, compile=compiling)


def _where(part: ModelProfile | Component) -> dict[str, Any]:
    """The arguments of `from_pretrained` that say which files."""
    return {
        "pretrained_model_name_or_path": part.source,
        "revision": None if part.is_local else part.revision,
        "variant": part.variant,
        "use_safetensors": True,
    }


class _clearly:
    """Every library underneath raises its own: here it becomes a `GladError` that says what to do."""

    def __init__(self, what: str, part: ModelProfile | Component | Lora) -> None:
        self._what, self._part = what, part

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception) or isinstance(error, GladError):
            return
        import torch

        part = self._part
        cure = "Copy its files again, or point the setting at another"
        if not part.is_local:
            cure = "With a network, `glad model pull` fetches it and HF_HUB_OFFLINE=1 then uses that copy"
        if isinstance(error, torch.OutOfMemoryError):
            cure = "The device's memory is too small for it, or another program holds it (nvidia-smi tells)"
        what = f"{self._what} {part.name} at {part.revision}"
        raise GladError(f"cannot load the {what} from {part.source}: {first_line(error)}. {cure}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, or its kind where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


def _fuse(pipeline: Any, lora: Lora) -> None:
    """Add a LoRA to the weights themselves: nothing of it costs time while drawing."""
    with _clearly("LoRA", lora):
        pipeline.load_lora_weights(
            lora.source,
            weight_name=lora.file,
            revision=None if lora.is_local else lora.revision,
            adapter_name="one",
            use_safetensors=True,
        )
        if not pipeline.get_active_adapters():
            raise GladError(
                f"the LoRA {lora.name} has nothing that fits the model: it was made for another kind of model"
            )
        pipeline.fuse_lora(lora_scale=lora.weight, adapter_names=["one"])
        pipeline.unload_lora_weights()


def _quantize(unet: Any, device: str) -> None:
    import torch

    if device != "cuda" or torch.cuda.get_device_capability() < (8, 9):
        raise GladError(
            "the preset fp8 needs an NVIDIA GPU of compute capability 8.9 or later (L4, RTX 40, H100 and newer), "
            f"here it is {torch.cuda.get_device_name() if device == 'cuda' else device}: use another preset"
        )
    try:
        from torchao.quantization import Float8DynamicActivationFloat8WeightConfig, PerRow, quantize_
    except ImportError as error:
        raise GladError("the preset fp8 needs torchao: .venv/bin/pip install -e '.[fp8]'") from error

    def fits(module: Any, name: str) -> bool:
        return isinstance(module, torch.nn.Linear) and not (module.in_features % 16 or module.out_features % 16)

    quantize_(unet, Float8DynamicActivationFloat8WeightConfig(granularity=PerRow()), filter_fn=fits)


def _compile(module: Any, compiling: str) -> None:
    """Block by block: a block compiled once serves all its likes, so that warm-up takes seconds and not minutes."""
    if compiling == "none":
        return
    import torch
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.resnet import ResnetBlock2D

    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, _GRAPHS_PER_BLOCK)
    torch._dynamo.config.accumulated_recompile_limit = max(
        torch._dynamo.config.accumulated_recompile_limit, 4 * _GRAPHS_PER_BLOCK
    )
    if compiling == "full":
        module.compile(fullgraph=True, dynamic=False)
        return
    for block in module.modules():
        if isinstance(block, (BasicTransformerBlock, ResnetBlock2D)):
            block.compile(fullgraph=True, dynamic=False)
