"""A single-file SDXL checkpoint to a pipeline. Torch and diffusers are imported inside the functions."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glad_pipeline.errors import GladError
from glad_pipeline.generation.artifacts import Artifact
from glad_pipeline.generation.layer_names import original
from glad_pipeline.generation.safetensors_files import Header, read_header
from glad_pipeline.generation.single_files import TEXT_ENCODERS, UNET, changes_of, prediction_of

if TYPE_CHECKING:
    import torch


def read_single_file(
    model: Artifact, configuration: Artifact, prediction: str | None, dtype: torch.dtype, own: dict[str, Any]
) -> Any:
    """The pipeline on the CPU, by diffusers' reader; no network. `own`: components that take the file's place.

    Raises `GladError` where the file's weights are not those that the configuration lists.
    """
    diffusers: Any = importlib.import_module("diffusers")
    file = model.directory / str(model.file)
    configuration.read()
    header = read_header(file)
    _require_layout(header, file, configuration)
    try:
        pipeline = diffusers.StableDiffusionXLPipeline.from_single_file(
            str(file),
            config=str(configuration.directory),
            local_files_only=True,
            dtype=dtype,
            add_watermarker=False,
            text_encoder_2=_second_text_encoder(file, configuration.directory, dtype),
            **own,
        )
    except NotImplementedError as error:  # torch's, of weights that have no numbers
        raise _lacking(file, configuration, "some of the VAE or the text encoders") from error
    for name, component in pipeline.components.items():
        if hasattr(component, "named_parameters"):
            for key, weight in component.named_parameters():
                if weight.is_meta:  # the file had nothing for it, which diffusers does not say
                    raise _lacking(file, configuration, f"{name}.{key}")
    changes = changes_of(prediction_of(header, file, prediction))
    if changes:
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **changes)
    return pipeline


def _second_text_encoder(file: Path, configuration: Path, dtype: torch.dtype) -> Any:
    """By its own weights alone: diffusers chooses between the two by their width, and they may have the same."""
    from safetensors import safe_open
    from transformers import CLIPTextModelWithProjection

    utilities: Any = importlib.import_module("diffusers.loaders.single_file_utils")
    with safe_open(file, framework="pt") as stream:
        weights = {key: stream.get_tensor(key) for key in stream.keys() if key.startswith(TEXT_ENCODERS[1])}  # noqa: SIM118
    return utilities.create_diffusers_clip_model_from_ldm(
        CLIPTextModelWithProjection,
        checkpoint=weights,
        subfolder="text_encoder_2",
        config=str(configuration),
        torch_dtype=dtype,
        local_files_only=True,
    )


def _require_layout(header: Header, file: Path, configuration: Artifact) -> None:
    """Raises `GladError` unless the file has the very weights of the UNet that the configuration describes."""
    import torch

    kind: Any = importlib.import_module("diffusers").UNet2DConditionModel
    with torch.device("meta"):
        unet = kind.from_config(kind.load_config(configuration.directory, subfolder="unet"))
    layers = {key.rpartition(".")[0] for key in unet.state_dict()}
    attention = {int(match[1]) for layer in layers if (match := re.match(r"up_blocks\.(\d+)\.attentions", layer))}
    wanted = {}
    for key, weight in unet.state_dict().items():
        layer, _, last = key.rpartition(".")
        name = original(layer, unet.config.layers_per_block, attention_in=attention)
        wanted[f"{UNET}{name}.{last}"] = tuple(weight.shape)
    found = {key: shape for key, shape in header.shapes.items() if key.startswith(UNET)}
    if lacking := sorted(wanted.keys() - found.keys()):
        raise _lacking(file, configuration, f"{lacking[0]} (one of {len(lacking):,})")
    if more := sorted(found.keys() - wanted.keys()):
        raise _of_another_layout(file, configuration, f"has {len(more):,} weights more than it, such as {more[0]}")
    for key, shape in wanted.items():
        if found[key] != shape:
            raise _of_another_layout(file, configuration, f"has {key} of the shape {found[key]} and not {shape}")


def _lacking(file: Path, configuration: Artifact, what: str) -> GladError:
    return _of_another_layout(file, configuration, f"lacks {what}")


def _of_another_layout(file: Path, configuration: Artifact, how: str) -> GladError:
    return GladError(
        f"{file} is of another layout than its configuration ({configuration.name}): it {how}. Name its own "
        "configuration in GLAD_CHECKPOINT_CONFIG"
    )
