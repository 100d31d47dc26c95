"""SDXL in a single `.safetensors` file, as Civitai and others ship it: what the file is, and what it predicts.

Torch-free: reads headers only; `loading` has the weights read.
"""

from __future__ import annotations

from pathlib import Path

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation.adapters import adapter_of, require_for_sdxl
from glad_pipeline.generation.safetensors_files import Header

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT_ENCODERS = ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model.")
_INPUT = UNET + "input_blocks.0.0.weight"
_SDXL = "an SDXL checkpoint"
# What a file is by what all of some keys begin with; the first that fits.
_KINDS = (
    (("double_blocks.", UNET + "double_blocks."), "a Flux checkpoint"),
    (("joint_blocks.", UNET + "joint_blocks."), "an SD 3 checkpoint"),
    (("cond_stage_model.transformer.",), "an SD 1.5 checkpoint"),
    (("cond_stage_model.model.",), "an SD 2 checkpoint"),
    (("control_model.", "controlnet_", "lora_controlnet"), "a ControlNet"),
    (("conditioner.embedders.0.model.",), "the SDXL refiner, or a model like it"),
)
_PARTS = (
    ((UNET, "down_blocks.", "input_blocks."), "a UNet alone, without text encoders"),
    ((VAE, "decoder."), "a VAE"),
    (("text_model.", "embeddings.", *TEXT_ENCODERS), "a text encoder"),
    (("emb_params", "clip_g", "clip_l", "string_to_param"), "a textual inversion embedding"),
)
_CURES = {
    "the SDXL refiner, or a model like it": "the refiner is named in GLAD_REFINER, as a directory or hub id",
    "a VAE": "a VAE is named in GLAD_VAE, as a directory or hub id",
}
_PREDICTED = {"v": "v_prediction", "v_prediction": "v_prediction", "epsilon": "epsilon", "eps": "epsilon"}


def kind_of(header: Header) -> str:
    """What a file is, as far as its keys and shapes tell: "an SDXL checkpoint", "a LoRA" …"""
    if adapter := adapter_of(header):
        return f"an adapter ({adapter.kind})"
    if _has(header, *TEXT_ENCODERS[:1]) and _has(header, TEXT_ENCODERS[1]) and _has(header, UNET):
        channels = header.shapes.get(_INPUT, (0, 0))[1:2]
        return "an SDXL inpainting checkpoint" if channels == (9,) else _SDXL
    for starts, kind in (*_KINDS, *_PARTS):
        if _has(header, *starts):
            return kind
    first = next(iter(header.shapes), None)
    return f"of a kind that is not known here (its first key is {first})" if first else "empty"


def require_sdxl(header: Header, file: Path) -> None:
    """Raises `GladError` unless a file is an SDXL checkpoint, with what it is instead."""
    kind = kind_of(header)
    if kind == _SDXL:
        return
    cure = _CURES.get(kind, "take a checkpoint of SDXL, or a model made from it")
    if adapter_of(header):
        cure = "it is added to a model by GLAD_LORA"
    raise GladError(f"{file} is {kind}, by its keys and shapes, and no SDXL checkpoint: {cure}")


def require_adapter(header: Header, name: str) -> None:
    """Raises `GladError` for what is no LoRA or kin of it that could go with SDXL."""
    adapter = adapter_of(header)
    if adapter is None:
        kind = kind_of(header)
        cure = "it is named in GLAD_MODEL" if kind == _SDXL else "take another file"
        raise GladError(f"the LoRA {name} is {kind}, by its keys, and no LoRA: {cure}")
    require_for_sdxl(adapter, name)


def has_vae(header: Header) -> bool:
    return _has(header, VAE)


def prediction_of(header: Header, file: Path, given: str | None) -> str | None:
    """What the model predicts, one of `limits.PREDICTIONS`; None: what its configuration says.

    The file's own keys say so (`v_pred`, `ztsnr`, as the trainers of such models put them in), else the setting, else
    its metadata. Raises `UsageError` where the setting contradicts the keys.
    """
    if "v_pred" in header.shapes:
        told = "v_prediction_zsnr" if "ztsnr" in header.shapes else "v_prediction"
        if given not in (None, told):
            raise UsageError(f"GLAD_PREDICTION is {given}, and {file} says itself that it is {told}: unset it")
        return told
    return given or _PREDICTED.get(header.metadata.get("modelspec.prediction_type", ""))


def changes_of(prediction: str | None) -> dict[str, object]:
    """The changes to the scheduler's configuration. Without noise at its end a schedule has to begin at its end."""
    if prediction is None:
        return {}
    if prediction == "v_prediction_zsnr":
        return {
            "prediction_type": "v_prediction",
            "rescale_betas_zero_snr": True,
            "timestep_spacing": "trailing",
        }
    return {"prediction_type": prediction}


def _has(header: Header, *starts: str) -> bool:
    return any(key.startswith(starts) for key in header.shapes)
