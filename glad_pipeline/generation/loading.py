"""A profile's files to pipelines on a device, ready to draw. Torch and diffusers are imported inside the functions."""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from glad_pipeline.display import first_line
from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError
from glad_pipeline.generation import devices
from glad_pipeline.generation.artifacts import Artifact, Kind, pull
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.merging import merge
from glad_pipeline.generation.models import ModelProfile
from glad_pipeline.generation.single_file_weights import read_single_file

if TYPE_CHECKING:
    import torch

# Graphs of one kind of block before dynamo would give up: about 20 that differ in SDXL, times the shapes drawn.
_GRAPHS_PER_BLOCK = 1024
_OPTIONS = ("force_zeros_for_empty_prompt", "requires_aesthetics_score")  # of a pipeline, beside its components


@dataclass(slots=True)
class Pipelines:
    """What draws: the base, and the refiner where the preset has one. Both share the base's VAE."""

    base: Any  # diffusers.StableDiffusionXLPipeline
    refiner: Any | None  # diffusers.StableDiffusionXLImg2ImgPipeline
    dtype: str  # of all of them
    compile: str  # "none", "regional" or "full"
    loras: dict[str, Any]  # what was used of each, by its name

    def twin(self) -> Pipelines:
        """Pipelines over the same weights, for another thread: a pipeline keeps what it is doing in itself."""
        refiner = None if self.refiner is None else _twin(self.refiner)
        return replace(self, base=_twin(self.base), refiner=refiner)

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


def place_compiled_code(folder: str | None) -> None:
    """Have compiled kernels kept there for the next process; None: in a temporary folder.

    To be called before diffusers is imported, which else makes a folder in /tmp whose name others can guess.
    """
    if folder is None and "TORCHINDUCTOR_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="glad-compiled-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if folder is not None:
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = folder


def silence() -> None:
    """No progress bars and no warnings of theirs in a run's log; what matters of them is in provenance.

    transformers before diffusers: importing the latter already warns about a torchvision that nothing here needs. Both
    import torchao where it is installed, which tells at length which of its kernels this machine cannot load.
    """
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for library in ("transformers", "diffusers"):
        its_logging = importlib.import_module(f"{library}.utils.logging")
        its_logging.set_verbosity_error()
        its_logging.disable_progress_bar()


def _twin(pipeline: Any) -> Any:
    config = {name: value for name, value in pipeline.config.items() if name in _OPTIONS}
    twin = type(pipeline)(**pipeline.components, **config, add_watermarker=False)
    twin.image_processor.register_to_config(**pipeline.image_processor.config)
    twin.set_progress_bar_config(disable=True)
    return twin


def open_pipelines(profile: ModelProfile, device: str, options: EngineOptions) -> Pipelines:
    """Load everything the profile names; what is the hub's and not on this machine is fetched first.

    Channels last everywhere. On CUDA: bfloat16 for UNet, text encoders and VAE (no flipping to float32 in mid-picture),
    fused attention projections, compiled. Elsewhere float32 and uncompiled.

    Raises `GladError` for what cannot be had, read or done on this device.
    """
    number_format = devices.number_format(device)
    compiling = options.compiling
    if compiling == "auto":
        compiling = "regional" if device == "cuda" else "none"
    hashes = FileHashes(options.hash_cache)
    files: dict[Kind, Artifact] = {part.kind: _here(part, hashes) for part in profile.artifacts if part.kind != "LoRA"}
    base, refiner = read_pipelines(profile, files, number_format)
    loras = {}
    for lora in profile.loras:
        with _clearly(lora):
            loras[lora.name] = merge(base, _here(lora, hashes), allow_partial=options.allow_partial_lora)
            logging.getLogger(__name__).info("LoRA %s: %s", lora.name, loras[lora.name]["used"])
    if compiling != "none":
        set_compiler()
    for pipeline, part in ((base, files["model"]), (refiner, files.get("refiner"))):
        if pipeline is None or part is None:
            continue
        with _clearly(part):
            pipeline.to(device)
            pipeline.set_progress_bar_config(disable=True)
            lay_out(pipeline.unet, device)
            if profile.quantization == "fp8":
                _quantize(pipeline.unet, device)
            _compile(pipeline.unet, compiling)
    with _clearly(files.get("VAE", files["model"])):
        lay_out(base.vae, device)
        _compile(base.vae.decoder, compiling)
    dtype = str(number_format).removeprefix("torch.")
    return Pipelines(base=base, refiner=refiner, dtype=dtype, compile=compiling, loras=loras)


def read_pipelines(
    profile: ModelProfile, files: Mapping[Kind, Artifact], number_format: torch.dtype
) -> tuple[Any, Any | None]:
    """The base pipeline and the refiner's, on the CPU, without LoRA; `files` are on this machine, by kind."""
    diffusers: Any = importlib.import_module("diffusers")  # its classes carry no types
    own = {}
    if "VAE" in files:
        with _clearly(files["VAE"]):
            own["vae"] = diffusers.AutoencoderKL.from_pretrained(**_files(files["VAE"]), dtype=number_format)
    with _clearly(files["model"]):
        if "configuration" in files:
            base = read_single_file(files["model"], files["configuration"], profile.prediction, number_format, own)
        else:
            base = diffusers.StableDiffusionXLPipeline.from_pretrained(
                **_files(files["model"]), dtype=number_format, add_watermarker=False, **own
            )
    if "refiner" not in files:
        return base, None
    with _clearly(files["refiner"]):
        refiner = diffusers.StableDiffusionXLImg2ImgPipeline.from_pretrained(
            **_files(files["refiner"]), dtype=number_format, add_watermarker=False, vae=base.vae
        )
    if refiner.unet.config.in_channels != base.unet.config.in_channels:
        raise GladError(
            f"the refiner {files['refiner'].name} works on {refiner.unet.config.in_channels} latent channels, the "
            f"model {profile.name} on {base.unet.config.in_channels}: they do not go together, correct GLAD_REFINER"
        )
    # else latents of other than four channels would be taken for a picture
    refiner.image_processor.register_to_config(vae_latent_channels=base.vae.config.latent_channels)
    return base, refiner


def lay_out(module: Any, device: str) -> None:
    """A UNet or VAE as the device likes it: channels last, and on CUDA one projection for query, key and value."""
    import torch

    module.to(memory_format=torch.channels_last)
    if device == "cuda":
        module.fuse_qkv_projections()
        for each in module.modules():
            if not getattr(each, "fused_projections", False):
                continue
            # diffusers keeps what it has fused, so that it could be undone: a fifth of SDXL's weights once more
            for name in ("to_q", "to_k", "to_v") if hasattr(each, "to_qkv") else ("to_k", "to_v"):
                delattr(each, name)


def _here(part: Artifact, hashes: FileHashes) -> Artifact:
    """The part, on this machine: fetched from the hub if it was not."""
    try:
        part.read()
    except GladError:
        if part.is_local:
            raise
        pull(part, hashes, logging.getLogger(__name__).info)
    return part


def _files(part: Artifact) -> dict[str, Any]:
    """The arguments of `from_pretrained` that say which files: in a directory, so that no network is asked."""
    return {
        "pretrained_model_name_or_path": part.directory,
        "variant": part.read().variant,
        "use_safetensors": True,
        "local_files_only": True,
    }


@contextmanager
def _clearly(part: Artifact) -> Iterator[None]:
    """Every library underneath raises its own: here it becomes a `GladError` that says what to do."""
    import torch

    try:
        yield
    except GladError:
        raise
    except Exception as error:
        part.read()  # raises, with the cure, where the files are not whole
        cure = "By their headers its files are whole, so it is another kind of model: point the setting at another"
        if not part.is_local:
            cure = "`./glad model verify` tells whether its files are whole"
        if isinstance(error, torch.OutOfMemoryError):
            cure = "The device's memory is too small for it, or another program holds it (nvidia-smi tells)"
        raise GladError(
            f"cannot load the {part.kind} {part.name} from {part.directory}: {first_line(error)}. {cure}"
        ) from error


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


def set_compiler() -> None:
    """Torch's settings of its compiler for this thread: room for many shapes, and the same kernels every time."""
    import torch._dynamo.config
    import torch._inductor.config

    torch._dynamo.config.recompile_limit = _GRAPHS_PER_BLOCK
    torch._dynamo.config.accumulated_recompile_limit = 4 * _GRAPHS_PER_BLOCK
    torch._inductor.config.deterministic = True  # kernels are not chosen by a race, which other bits may win


def _compile(module: Any, compiling: str) -> None:
    """Block by block: a block compiled once serves all its likes, so that warm-up takes seconds and not minutes."""
    if compiling == "none":
        return
    from diffusers.models.attention import BasicTransformerBlock
    from diffusers.models.resnet import ResnetBlock2D

    if compiling == "full":
        module.compile(fullgraph=True, dynamic=False)
        return
    for block in module.modules():
        if isinstance(block, (BasicTransformerBlock, ResnetBlock2D)):
            block.compile(fullgraph=True, dynamic=False)
