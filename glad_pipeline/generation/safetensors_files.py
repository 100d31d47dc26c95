"""The weight files of a diffusers checkpoint: which there are, and whether each is whole.

Only headers are read. Pickled weights are refused: opening one runs whatever code it carries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from glad_pipeline.errors import GladError

VARIANTS: tuple[str | None, ...] = (None, "fp16", "bf16")  # the sets of weights one checkpoint may have, best first
_STEMS = ("diffusion_pytorch_model", "model")
_LARGEST_HEADER = 100_000_000  # bytes; the format's own limit
_PICKLE = "a pickle (PyTorch's own format) under another name, which runs code when opened: get the safetensors version"
_OTHER_FORMATS = (  # what a file begins with that only bears the name, what it is, and what to do
    (b"version ", "a Git LFS pointer, not the weights: run `git lfs pull`"),
    (b"PK\x03\x04", _PICKLE),
    (b"\x80", _PICKLE),
    (b"GGUF", "a GGUF file under another name: get the safetensors version"),
    (b"<", "a web page, as a download that needs a login leaves it: download it again, logged in"),
)


class DamagedError(GladError):
    """Files that are missing, or not as they were written: to copy or fetch them again is the cure."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What a safetensors file says of itself at its start."""

    shapes: Mapping[str, tuple[int, ...]]  # of each tensor, by its name
    metadata: Mapping[str, str]  # what its maker has added, such as `modelspec.prediction_type`


def find_weights(
    components: list[Path], variants: tuple[str | None, ...] = VARIANTS
) -> tuple[str | None, list[list[Path]]]:
    """The first of the variants that every component folder has as safetensors, and each one's files, shards included.

    Where none is complete and no single variant was asked for, a variant of some components beside weights without a
    variant of the others, which diffusers takes by the variant's name. Raises `GladError` where there is none.
    """
    for variant in variants:
        found = [_weights_of(folder, variant) for folder in components]
        if all(found):
            return variant, found
    mixed = filter(None, variants) if len(variants) > 1 else ()
    for variant in mixed:  # as diffusers has it: one's own where there is one, else without variant
        found = [_weights_of(folder, variant) or _weights_of(folder, None) for folder in components]
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
        raise DamagedError(f"{folder} has no safetensors weights: the checkpoint is incomplete, copy it again")
    if len(variants) == 1:
        raise DamagedError(f"{components[0].parent} has not all weights as {variants[0]}: the checkpoint is incomplete")
    raise GladError(
        f"the components of {components[0].parent} have weights of different variants: keep one of {_listed(variants)} "
        "for all, or one beside weights without a variant"
    )


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
                raise DamagedError(f"{index} is not a valid index of shards: copy the checkpoint again") from error
    return []


def _listed(variants: tuple[str | None, ...]) -> str:
    return ", ".join(filter(None, variants))


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
    read_header(file)


def read_header(file: Path) -> Header:
    """The header of a whole file. Raises `DamagedError` where it is not whole, `GladError` where it is something else.

    Nothing but the header is read.
    """
    if not file.is_file():
        raise DamagedError(f"{file} is missing: the checkpoint is incomplete, copy it again")
    actual = file.stat().st_size
    with file.open("rb") as stream:
        start = stream.read(8)
        length = int.from_bytes(start, "little")
        if length > _LARGEST_HEADER:
            _refuse_other_formats(file, start, actual)
        if len(start) < 8 or length > min(_LARGEST_HEADER, actual - 8):
            raise DamagedError(f"{file} is truncated or not a safetensors file ({actual:,} bytes): copy it again")
        header = stream.read(length)
    try:
        entries = json.loads(header)
        metadata = {str(name): str(value) for name, value in (entries.pop("__metadata__", None) or {}).items()}
        shapes = {name: tuple(map(int, tensor["shape"])) for name, tensor in entries.items()}
        end = max((int(tensor["data_offsets"][1]) for tensor in entries.values()), default=0)
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError(f"{file} has an unreadable safetensors header: copy it again") from error
    expected = 8 + length + end
    if actual != expected:
        raise DamagedError(f"{file} is not whole: it has {actual:,} bytes of {expected:,}. Copy it again")
    return Header(shapes=shapes, metadata=metadata)


def _refuse_other_formats(file: Path, start: bytes, size: int) -> None:
    for magic, told in _OTHER_FORMATS:
        if start.startswith(magic):
            raise GladError(f"{file} ({size:,} bytes) is no safetensors file: it is {told}")
