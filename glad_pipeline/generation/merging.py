"""LoRA and its kin into a pipeline's weights: nothing of them costs time while drawing.

peft does the arithmetic, by its own layers (LoRA, DoRA) or its own functions (LoHa, LoKr). diffusers' loader is not
used: it drops a DoRA's scales, and layers that the model does not have, without an error. Torch, peft and diffusers are
imported inside the functions.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from glad_pipeline.errors import GladError
from glad_pipeline.generation.adapters import Fit, Layer, Shapes, adapter_of, fitted
from glad_pipeline.generation.artifacts import Artifact
from glad_pipeline.generation.safetensors_files import read_header

if TYPE_CHECKING:
    import torch

COMPONENTS = ("unet", "text_encoder", "text_encoder_2")
_NAME = "one"  # peft's for an adapter: there is one at a time
_NAMES = {"down": "lora_A.weight", "up": "lora_B.weight", "magnitude": "lora_magnitude_vector"}
_TOLD = 3  # reasons


def merge(pipeline: Any, lora: Artifact, *, allow_partial: bool) -> dict[str, Any]:
    """Add a LoRA to the weights of UNet and text encoders; what was used of it, for provenance.

    Raises `GladError` where nothing of it fits, or, unless `allow_partial`, not all.
    """
    from safetensors.torch import load_file

    file = lora.directory / str(lora.file)
    adapter = adapter_of(read_header(file))
    if adapter is None:
        raise GladError(f"the LoRA {lora.name} has nothing in it that is a LoRA's")
    fit = fitted(adapter, _shapes(pipeline), int(pipeline.unet.config.layers_per_block))
    _require(fit, lora, allow_partial=allow_partial)
    tensors = load_file(file, device="cpu")
    for component in COMPONENTS:
        used = [(path, layer) for path, layer in fit.used if layer.component == component]
        for kind in ("LoRA", "DoRA"):
            if of_kind := [(path, layer) for path, layer in used if layer.kind == kind]:
                config = _config(of_kind, tensors, adapter.metadata.get("lora_adapter_metadata"), component)
                _merge_with_peft(getattr(pipeline, component), of_kind, tensors, config, lora)
        for path, layer in used:
            if layer.kind in ("LoHa", "LoKr"):
                weight = getattr(pipeline, component).get_submodule(path).weight
                weight.data += (_delta(layer, tensors) * lora.weight).reshape(weight.shape).to(weight.dtype)
    return {"kind": fit.kind, "used": fit.share, "allow_partial": allow_partial}


def _require(fit: Fit, lora: Artifact, *, allow_partial: bool) -> None:
    if not fit.left or (fit.used and allow_partial):
        return
    told = "; ".join(fit.left[:_TOLD]) + (f"; and {len(fit.left) - _TOLD:,} more" if len(fit.left) > _TOLD else "")
    found = f"of the LoRA {lora.name}, of the kind {fit.kind}, {fit.share} fit the model: {told}"
    if not fit.used:
        raise GladError(f"{found}. It was made for another kind of model: take another one")
    raise GladError(f"{found}. Take one made for this kind of model, or set GLAD_ALLOW_PARTIAL_LORA=1 to use what fits")


def _shapes(pipeline: Any) -> Shapes:
    """Of every layer that an adapter may change."""
    return {
        component: {
            name.removesuffix(".weight"): tuple(weight.shape)
            for name, weight in getattr(pipeline, component).named_parameters()
            if name.endswith(".weight") and weight.dim() in (2, 4) and "embedding.weight" not in name
        }
        for component in COMPONENTS
        if getattr(pipeline, component) is not None
    }


def _config(
    used: Sequence[tuple[str, Layer]], tensors: dict[str, torch.Tensor], told: str | None, component: str
) -> Any:
    """peft's: by what diffusers has written into the file, else by ranks and alphas. No alpha: a scale of 1."""
    peft: Any = importlib.import_module("peft")
    paths = [path for path, _ in used]
    if told:
        prefix = f"{component}."
        of_all = json.loads(told)
        written = {name.removeprefix(prefix): value for name, value in of_all.items() if name.startswith(prefix)}
        if written:
            return peft.LoraConfig(**{**written, "target_modules": paths, "use_dora": used[0][1].kind == "DoRA"})
    ranks = {f"^{re.escape(path)}": layer.shapes["down"][0] for path, layer in used}
    alphas = {
        f"^{re.escape(path)}": float(tensors[layer.keys["alpha"]]) if "alpha" in layer.keys else layer.shapes["down"][0]
        for path, layer in used
    }
    return peft.LoraConfig(
        r=next(iter(ranks.values())),
        lora_alpha=next(iter(alphas.values())),
        rank_pattern=ranks,
        alpha_pattern=alphas,
        target_modules=paths,
        use_dora=used[0][1].kind == "DoRA",
    )


def _merge_with_peft(
    network: Any, used: Sequence[tuple[str, Layer]], tensors: dict[str, torch.Tensor], config: Any, lora: Artifact
) -> None:
    peft: Any = importlib.import_module("peft")
    layer_class: Any = importlib.import_module("peft.tuners.tuners_utils").BaseTunerLayer
    state = {}
    for path, layer in used:
        is_matrix = network.get_submodule(path).weight.dim() == 2
        for part, name in _NAMES.items():
            if part in layer.keys:
                tensor = tensors[layer.keys[part]]
                if part == "magnitude":
                    tensor = tensor.reshape(-1) if is_matrix else tensor.reshape(1, -1, 1, 1)
                elif is_matrix:
                    tensor = tensor.reshape(tensor.shape[:2])
                state[f"{path}.{name}"] = tensor
    peft.inject_adapter_in_model(config, network, adapter_name=_NAME, state_dict=state)
    result = peft.set_peft_model_state_dict(network, state, adapter_name=_NAME)
    if result.unexpected_keys:
        raise GladError(f"peft has no place for {result.unexpected_keys[0]} of the LoRA {lora.name}")
    for module in network.modules():
        if isinstance(module, layer_class):
            module.scale_layer(lora.weight)
            module.merge(adapter_names=[_NAME])
    importlib.import_module("diffusers.utils.peft_utils").recurse_remove_peft_layers(network)
    del network.peft_config


def _delta(layer: Layer, tensors: dict[str, torch.Tensor]) -> Any:
    """What a LoHa or LoKr adds to the weight, in float32."""
    import torch

    loha: Any = importlib.import_module("peft.tuners.loha.layer")
    lokr: Any = importlib.import_module("peft.tuners.lokr.layer")
    has = {part: tensors[key].to(torch.float32) for part, key in layer.keys.items()}
    if layer.kind == "LoHa":
        rank = layer.shapes["hada_w1_b"][0]
        scale = torch.tensor(float(has["alpha"]) / rank if "alpha" in has else 1.0)
        matrices = [has[f"hada_w{number}_{half}"] for number in (1, 2) for half in "ab"]
        if "hada_t1" in has:
            return loha.make_weight_cp(has["hada_t1"], *matrices[:2], has["hada_t2"], *matrices[2:], scale)
        return loha.make_weight(*matrices, scale)
    ranks = [layer.shapes[name][0] for name in ("lokr_w2_b", "lokr_w1_b") if name in has]
    first, second = (
        has[f"lokr_w{number}"] if f"lokr_w{number}" in has else _product(has, number, lokr.make_weight_cp)
        for number in (1, 2)
    )
    # LyCORIS scales only what it has as a product of two
    return lokr.make_kron(first, second, float(has["alpha"]) / ranks[0] if ranks and "alpha" in has else 1.0)


def _product(has: dict[str, torch.Tensor], number: int, with_core: Any) -> torch.Tensor:
    a, b = has[f"lokr_w{number}_a"], has[f"lokr_w{number}_b"]
    core = has.get(f"lokr_t{number}")
    return a @ b if core is None else with_core(core, a, b)
