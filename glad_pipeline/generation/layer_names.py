"""The names of one layer: as diffusers has it, as SDXL's own code has it (`input_blocks.4.1 …`), with underscores.

Torch-free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# In a block's residual part, diffusers' name → SDXL's own
_RESIDUAL = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_OUTSIDE = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
_BLOCK = re.compile(
    r"(?P<side>down|up)_blocks\.(?P<block>\d+)\.(?P<part>resnets|attentions|downsamplers|upsamplers)\.(?P<number>\d+)"
    r"\.(?P<rest>.+)"
)
_MIDDLE = re.compile(r"mid_block\.(?P<part>resnets|attentions)\.(?P<number>\d+)\.(?P<rest>.+)")
_TEXT_PROJECTIONS = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}


def plain(name: str) -> str:
    """With underscores only, as kohya writes names: the one form in which all of them can be compared."""
    return name.replace(".processor", "").replace(".", "_")


def original(name: str, layers_per_block: int, *, attention_in: Iterable[int] = ()) -> str:
    """What SDXL's own code calls a UNet's layer; as it is for what it does not have.

    `attention_in`: the numbers of the up blocks that have attention; an enlargement comes after it.
    """
    if name in _OUTSIDE:
        return _OUTSIDE[name]
    middle = _MIDDLE.fullmatch(name)
    if middle:
        place = 1 if middle["part"] == "attentions" else 2 * int(middle["number"])
        return f"middle_block.{place}.{_inner(middle['part'], middle['rest'])}"
    match = _BLOCK.fullmatch(name)
    if match is None:
        return name
    block, number, part = int(match["block"]), int(match["number"]), match["part"]
    inner = _inner(part, match["rest"])
    if match["side"] == "down":
        first = 1 + block * (layers_per_block + 1)
        if part == "downsamplers":
            return f"input_blocks.{first + layers_per_block}.0.{inner.replace('conv', 'op', 1)}"
        return f"input_blocks.{first + number}.{0 if part == 'resnets' else 1}.{inner}"
    first = block * (layers_per_block + 1)
    if part == "upsamplers":
        return f"output_blocks.{first + layers_per_block}.{2 if block in attention_in else 1}.{inner}"
    return f"output_blocks.{first + number}.{0 if part == 'resnets' else 1}.{inner}"


def by_any_name(component: str, names: Iterable[str], layers_per_block: int) -> dict[str, str]:
    """From each plain name that a layer may have to the layer as diffusers calls it here."""
    names = list(names)
    attention = {int(match[1]) for name in names if (match := re.match(r"up_blocks\.(\d+)\.attentions", name))}
    found: dict[str, str] = {}
    for name in names:
        if component == "unet":
            others = [name, original(name, layers_per_block, attention_in=attention)]
            others += [other.removesuffix(".0") for other in others if other.endswith("to_out.0")]
        else:  # transformers has the prefix in some versions and classes, and not in others
            bare = name.removeprefix("text_model.")
            head, _, last = bare.rpartition(".")
            old = [f"{head}.{_TEXT_PROJECTIONS[last]}"] if last in _TEXT_PROJECTIONS else []
            others = [other for each in (bare, *old) for other in (each, f"text_model.{each}")]
        for other in others:
            found.setdefault(plain(other), name)
    return found


def _inner(part: str, rest: str) -> str:
    """A name within a block's part."""
    return _RESIDUAL.get(rest, rest) if part == "resnets" else rest
