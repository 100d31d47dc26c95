"""The weight files of a diffusers checkpoint: which there are, and whether each is whole.

Only headers are read. Pickled weights are refused: opening one runs whatever code it carries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from glad_pipeline.errors import GladError

VARIANTS: tuple[str | None, ...] = (None, "fp16", "bf16")  # the sets of weights one checkpoint may have, best first
_STEMS = ("diffusion_pytorch_model", "model")
_LARGEST_HEADER = 100_000_000  # bytes; the format's own limit


def find_weights(
    components: list[Path], variants: tuple[str | None, ...] = VARIANTS
) -> tuple[str | None, list[list[Path]]]:
    """The first of the variants that every component folder has as safetensors, and each one's files, shards included.

    Raises `GladError` where no variant is complete.
    """
    for variant in variants:
        found = [_weights_of(folder, variant) for folder in components]
        if all(found):
            return variant, found
    for folder in components:
        if any(_weights_of(folder, variant) for variant in variants):
            continue
        pickled = sorted(file.name for file in folder.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        if pickled:
            raise GladError(
                f"{folder} has its weights only as pickle ({', '.join(pickled)}), which runs code when opened: "
                "get the safetensors version, or convert it with save_pretrained(…, safe_serialization=True)"
            )
        raise GladError(f"{folder} has no safetensors weights: the checkpoint is incomplete, copy it again")
    raise GladError(f"the components of {components[0].parent} have weights of different variants: keep one for all")


def _weights_of(folder: Path, variant: str | None) -> list[Path]:
    """One file, or the shards an index names (present or not: `require_whole` says which is missing)."""
    middle = f".{variant}" if variant else ""
    for stem in _STEMS:
        single = folder / f"{stem}{middle}.safetensors"
        if single.is_file():
            return [single]
        index = folder / f"{stem}.safetensors.index{middle}.json"
        if index.is_file():
            try:
                return [folder / name for name in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise GladError(f"{index} is not a valid index of shards: copy the checkpoint again") from error
    return []


def name_weights(names: Iterable[str], prefix: str, variant: str | None) -> list[str]:
    """Of a repository's file names, those of one component's weights (its folder is `prefix`), the index included."""
    known = set(names)
    middle = f".{variant}" if variant else ""
    for stem in _STEMS:
        single = f"{prefix}{stem}{middle}.safetensors"
        if single in known:
            return [single]
        index = f"{prefix}{stem}.safetensors.index{middle}.json"
        number = r"-\d+-of-\d+"
        shards = re.compile(rf"{re.escape(prefix + stem)}({middle}{number}|{number}{middle})\.safetensors")
        if index in known:
            return [index, *sorted(name for name in known if shards.fullmatch(name))]
    return []


def require_whole(file: Path) -> None:
    """Raises `GladError` unless the file's size is what its header promises."""
    if not file.is_file():
        raise GladError(f"{file} is missing: the checkpoint is incomplete, copy it again")
    actual = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        if start == b"version ":
            raise GladError(f"{file} is a Git LFS pointer of {actual} bytes, not the weights: run `git lfs pull`")
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(_LARGEST_HEADER, actual - 8):
            raise GladError(f"{file} is truncated or not a safetensors file ({actual:,} bytes): copy it again")
        header = stream.read(length)
    try:
        ends = [tensor["data_offsets"][1] for name, tensor in json.loads(header).items() if name != "__metadata__"]
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise GladError(f"{file} has an unreadable safetensors header: copy it again") from error
    expected = 8 + length + max(ends, default=0)
    if actual != expected:
        raise GladError(f"{file} is not whole: it has {actual:,} bytes of {expected:,}. Copy it again")
