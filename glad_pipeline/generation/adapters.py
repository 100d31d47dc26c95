"""LoRA and its kin as files: which layers their keys belong to, of what kind and for which model each is, what fits.

Torch-free: reads headers only. `merging` adds to the weights what fits; `layer_names` knows how layers are called.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from glad_pipeline.errors import GladError
from glad_pipeline.generation.layer_names import by_any_name, plain
from glad_pipeline.generation.safetensors_files import Header

Shape = tuple[int, ...]
Shapes = Mapping[str, Mapping[str, Shape]]  # component → layer, as diffusers calls it → the shape of its weight

_COMPONENTS = (  # by what a key begins with: kohya's, diffusers' and peft's prefixes
    ("lora_unet_", "unet"),
    ("lora_te1_", "text_encoder"),
    ("lora_te2_", "text_encoder_2"),
    ("lora_te_", "text_encoder"),
    ("lycoris_", "unet"),
    ("unet.", "unet"),
    ("text_encoder.", "text_encoder"),
    ("text_encoder_2.", "text_encoder_2"),
    ("base_model.model.", "unet"),
    ("diffusion_model.", "unet"),
)
_PART = re.compile(
    r"(?P<path>.+?)[._](?:lora(?:_linear_layer)?[._](?P<half>down|up|mid|A|B)(?:\.default)?\.(?P<what>weight|bias)"
    r"|(?P<part>alpha|dora_scale|lora_magnitude_vector|(?:hada|lokr)_[wt][12](?:_[ab])?|scalar"
    r"|diff|diff_b|[wb]_norm|oft_blocks|oft_diag|rescale|on_input|[ab][12]\.weight)(?:\.default)?(?:\.weight)?)"
)
_HALVES = {"A": "down", "B": "up"}
_LOHA = {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}
_UNUSABLE = (  # parts that nothing here can add to weights: what has them
    ({"mid"}, "LoCon with a Tucker core"),
    ({"bias"}, "LoRA with biases"),
    ({"scalar"}, "LyCORIS with a trained scale"),
    ({"diff", "diff_b"}, "LyCORIS full difference"),
    ({"w_norm", "b_norm"}, "LyCORIS norm"),
    ({"oft_blocks", "oft_diag", "rescale"}, "LyCORIS OFT"),
    ({"on_input"}, "LyCORIS IA3"),
    ({"a1.weight", "a2.weight", "b1.weight", "b2.weight"}, "LyCORIS GLoRA"),
)
USABLE = ("LoRA", "DoRA", "LoHa", "LoKr")
_TEXT_WIDTHS = {768: "SD 1.5", 1_024: "SD 2", 1_280: "the SDXL refiner"}  # of what cross-attention reads; SDXL: 2,048
_TRANSFORMER_WIDTHS = {1_536: "SD 3", 2_432: "SD 3", 3_072: "Flux"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Layer:
    """What an adapter has for one layer of the model."""

    component: str  # "unet", "text_encoder" or "text_encoder_2"
    shown: str  # as the file calls it
    name: str  # the same without its prefix, with underscores only
    kind: str  # one of USABLE, else what it is
    keys: Mapping[str, str]  # part ("down", "up", "alpha", "hada_w1_a" …) → key
    shapes: Mapping[str, Shape]  # of each part

    @property
    def width(self) -> int | None:
        """How many numbers the model's layer reads; None where it cannot be told."""
        shapes = self.shapes
        if "down" in shapes and len(shapes["down"]) > 1:
            return shapes["down"][1]
        if "hada_w1_b" in shapes:
            return shapes["hada_w1_b"][-1]
        if self.kind == "LoKr":
            first, second = _kronecker(shapes)
            return first[1] * second[1]
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """A file of LoRA or its kin."""

    layers: tuple[Layer, ...]
    metadata: Mapping[str, str]

    @property
    def kind(self) -> str:
        """Such as "LoRA" or "LoHa, LoRA", what can be used and what is most frequent first."""
        counted = Counter(layer.kind for layer in self.layers)
        return ", ".join(sorted(counted, key=lambda kind: (kind not in USABLE, -counted[kind])))

    @property
    def family(self) -> str | None:
        """The kind of model that it was made for, where that is not SDXL; None: SDXL, or not to be told."""
        names = [layer.name for layer in self.layers]
        if any("double_blocks" in name or "single_transformer_blocks" in name for name in names):
            return "Flux"
        if any("joint_blocks" in name for name in names):
            return "SD 3"
        for layer in self.layers:
            if layer.name.startswith(("transformer_", "layers_", "blocks_")):
                other = "a model with a transformer in place of SDXL's UNet, such as SD 3 or Flux"
                return _TRANSFORMER_WIDTHS.get(layer.width or 0, other)
        texts = [layer.width for layer in self.layers if re.search(r"attn2_to_[kv]$", layer.name)]
        return next((_TEXT_WIDTHS[width] for width in texts if width in _TEXT_WIDTHS), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fit:
    """Which layers of an adapter a model has a place for."""

    kind: str
    used: tuple[tuple[str, Layer], ...]  # the layer as the model calls it, and what the adapter has for it
    left: tuple[str, ...]  # why each of the others is not used

    @property
    def share(self) -> str:
        """Such as "10 of 722 layers"."""
        return f"{len(self.used)} of {len(self.used) + len(self.left)} layers"


def adapter_of(header: Header) -> Adapter | None:
    """The adapter in a file; None where its keys are not an adapter's."""
    keys: dict[tuple[str, str], dict[str, str]] = {}
    known = False
    for key in header.shapes:
        match = _PART.fullmatch(key)
        path, part = (key, "?") if match is None else (match["path"], _part(match))
        known = known or part not in ("?", "alpha")
        component, name = _placed(path)
        keys.setdefault((component, name), {})[part] = key
    if not known:
        return None
    return Adapter(layers=tuple(_layers(keys, header.shapes)), metadata=header.metadata)


def require_for_sdxl(adapter: Adapter, name: str) -> None:
    """Raises `GladError` for an adapter of which nothing can be used with SDXL, whatever the model is.

    Without a path: a row may have named the LoRA, and its writer gets the reason.
    """
    if family := adapter.family:
        raise GladError(
            f"the LoRA {name} was made for {family}, by its keys and shapes: it does not go with SDXL. Take one for "
            "SDXL"
        )
    if not any(layer.kind in USABLE for layer in adapter.layers):
        raise GladError(
            f"the LoRA {name} is of the kind {adapter.kind}, which cannot be used here: get a version as one of "
            f"{', '.join(USABLE)}"
        )


def fitted(adapter: Adapter, shapes: Shapes, layers_per_block: int) -> Fit:
    """Each layer of the adapter with the model's layer of its name and shape, where there is one."""
    named = {component: by_any_name(component, shapes[component], layers_per_block) for component in shapes}
    used, left = [], []
    for layer in adapter.layers:
        path = named.get(layer.component, {}).get(layer.name)
        if layer.kind not in USABLE:
            left.append(f"{layer.shown} is {layer.kind}")
        elif path is None:
            left.append(f"the model has no layer {layer.shown}")
        elif reason := _mismatch(layer, shapes[layer.component][path]):
            left.append(f"{layer.shown} {reason}")
        else:
            used.append((path, layer))
    return Fit(kind=adapter.kind, used=tuple(used), left=tuple(left))


def _part(match: re.Match[str]) -> str:
    if match["half"]:
        return "bias" if match["what"] == "bias" else _HALVES.get(match["half"], match["half"])
    return {"dora_scale": "magnitude", "lora_magnitude_vector": "magnitude"}.get(match["part"], str(match["part"]))


def _placed(path: str) -> tuple[str, str]:
    """The component, and the layer's name in it."""
    for prefix, component in _COMPONENTS:
        if path.startswith(prefix):
            return component, plain(path.removeprefix(prefix))
    return "unet", plain(path)


def _layers(keys: Mapping[tuple[str, str], Mapping[str, str]], shapes: Mapping[str, Shape]) -> Iterator[Layer]:
    for (component, name), parts in keys.items():
        shown = parts.get("?", f"{component}.{name}")
        its_shapes = {part: shapes[key] for part, key in parts.items()}
        kind = _kind(set(parts))
        if kind in ("LoHa", "LoKr") and any(len(shape) < 2 for part, shape in its_shapes.items() if part != "alpha"):
            kind = f"incomplete {kind}"
        yield Layer(component=component, shown=shown, name=name, kind=kind, keys=parts, shapes=its_shapes)


def _kind(parts: set[str]) -> str:
    for unusable, kind in _UNUSABLE:
        if parts & unusable:
            return kind
    has = parts - {"alpha"}
    if has == {"down", "up"}:
        return "LoRA"
    if has == {"down", "up", "magnitude"}:
        return "DoRA"
    if has in (_LOHA, _LOHA | {"hada_t1", "hada_t2"}):
        return "LoHa"
    if any(part.startswith("lokr_") for part in has) and all(part.startswith("lokr_") for part in has):
        whole = all({f"lokr_w{n}"} <= has or {f"lokr_w{n}_a", f"lokr_w{n}_b"} <= has for n in (1, 2))
        return "LoKr" if whole and "lokr_t1" not in has else "incomplete LoKr"
    if "magnitude" in has:
        return "LoHa or LoKr with DoRA" if len(has) > 1 else "incomplete DoRA"
    return "keys that nothing here knows" if "?" in has or not has else "incomplete LoRA"


def _kronecker(shapes: Mapping[str, Shape]) -> tuple[Shape, Shape]:
    """The shapes of the two matrices whose Kronecker product a LoKr is."""
    both = []
    for number in (1, 2):
        whole, a, b = (shapes.get(f"lokr_w{number}{half}") for half in ("", "_a", "_b"))
        core = shapes.get(f"lokr_t{number}")
        if whole is not None:
            both.append(whole)
        elif a is not None and b is not None:
            both.append((a[-1], b[-1], *core[2:]) if core else (a[0], b[-1]))
    return both[0], both[1]


def _mismatch(layer: Layer, base: Shape) -> str:
    """Why a layer cannot be added to a weight of this shape; empty if it can."""
    shapes, out, read = layer.shapes, base[0], math.prod(base[1:])
    if layer.kind in ("LoRA", "DoRA"):
        down, up = _squeezed(shapes["down"], base), _squeezed(shapes["up"], base)
        fits = len(up) > 1 and down[1:] == base[1:] and up[0] == out and up[1] == down[0] and math.prod(up[2:]) == 1
        if fits and layer.kind == "DoRA":
            scale, is_kohyas = shapes["magnitude"], layer.keys["magnitude"].endswith("dora_scale")
            if math.prod(scale) != out or (is_kohyas and scale[0] != out):
                return f"is DoRA with a scale of the shape {scale}, for each input: peft has one for each output"
        found = f"{down} × {up}"
    elif layer.kind == "LoHa":
        a, b = shapes["hada_w1_a"], shapes["hada_w1_b"]
        core = shapes.get("hada_t1")
        fits = (a[-1], b[-1], *core[2:]) == base if core else (a[0], b[-1]) == (out, read)
        found = f"{a} × {b}"
    else:
        first, second = _kronecker(shapes)
        fits = first[0] * second[0] == out and first[1] * math.prod(second[1:]) == read
        found = f"{first} ⊗ {second}"
    return "" if fits else f"has the shape {found}, the model's is {base}"


def _squeezed(shape: Shape, base: Shape) -> Shape:
    """Of what was trained as a convolution of one pixel, the matrix, where the model has a matrix."""
    return shape[:2] if len(base) == 2 and math.prod(shape[2:]) == 1 else shape
