"""A checkpoint's files: which are loaded, whether all are there and whole, and the hash that identifies them.

Answers without torch: reads JSON and safetensors headers only, so a wrong path or a half-copied file is found
before minutes of loading. Knows directories, not where they came from.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glad_pipeline.errors import GladError
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.safetensors_files import VARIANTS, DamagedError, find_weights, require_whole

MODEL_COMPONENTS = ("text_encoder", "text_encoder_2", "unet", "vae", "tokenizer", "tokenizer_2", "scheduler")
REFINER_COMPONENTS = ("text_encoder_2", "unet", "vae", "tokenizer_2", "scheduler")  # the others are null, or there too
SDXL_SIDE = 1_024  # pixels; the size SDXL was trained at
_IMG2IMG = "StableDiffusionXLImg2ImgPipeline"
_MODEL_CLASSES = ("StableDiffusionXLPipeline", _IMG2IMG)
Variants = tuple[str | None, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """What is loaded from one directory, all of it there and, by its headers, whole."""

    directory: Path
    variant: str | None  # the weight files' variant, such as "fp16"
    weights: Mapping[str, list[Path]]  # by component; several files are shards
    configs: list[Path]

    @property
    def files(self) -> list[Path]:
        """Everything that is loaded, in the order of the relative names."""
        files = {*self.configs, *(file for shards in self.weights.values() for file in shards)}
        return sorted(files, key=self.relative)

    def relative(self, file: Path) -> str:
        return file.relative_to(self.directory).as_posix()

    def identity(self, hashes: FileHashes) -> str:
        """`sha256:…` over the relative names and hashes of the files; the folder's own name does not matter."""
        total = hashlib.sha256()
        for file in self.files:
            total.update(f"{self.relative(file)}\0{hashes.sha256(file)}\n".encode())
        return f"sha256:{total.hexdigest()}"


Reader = Callable[[Path, Variants], Checkpoint]


def read_model(directory: Path, variants: Variants = VARIANTS) -> Checkpoint:
    """An SDXL pipeline. Raises `GladError` that names the file and the cure for one that is not, or not whole."""
    return _read_pipeline(directory, variants, _MODEL_CLASSES, MODEL_COMPONENTS)


def read_refiner(directory: Path, variants: Variants = VARIANTS) -> Checkpoint:
    """The img2img pipeline that draws the last steps; its first text encoder may be null. Raises as `read_model`."""
    return _read_pipeline(directory, variants, (_IMG2IMG,), REFINER_COMPONENTS)


def read_vae(directory: Path, variants: Variants = VARIANTS) -> Checkpoint:
    """An AutoencoderKL by itself: config.json and weights in one folder. Raises as `read_model`."""
    config = directory / "config.json"
    if not config.is_file():
        inner = directory / "vae"
        hint = f". Did you mean {inner}?" if (inner / "config.json").is_file() else ""
        raise GladError(f"{directory} has no config.json: it is not a VAE in diffusers layout{hint}")
    kind = read_json(config).get("_class_name")
    if kind != "AutoencoderKL":
        raise GladError(f"{config} describes a {kind}: an SDXL VAE is an AutoencoderKL")
    variant, (weights,) = find_weights([directory], variants)
    for file in weights:
        require_whole(file)
    return Checkpoint(directory=directory, variant=variant, weights={"vae": weights}, configs=[config])


def native_side(directory: Path) -> int:
    """Pixels a model was trained at: the UNet's latent side times what the VAE enlarges by (2 per block but one)."""
    unet, vae = read_json(directory / "unet" / "config.json"), read_json(directory / "vae" / "config.json")
    sample_size, blocks = unet.get("sample_size"), vae.get("block_out_channels")
    if not isinstance(sample_size, int) or not isinstance(blocks, list):
        return SDXL_SIDE
    return int(sample_size * 2 ** (len(blocks) - 1))


def _read_pipeline(
    directory: Path, variants: Variants, classes: tuple[str, ...], required: tuple[str, ...]
) -> Checkpoint:
    configs, listed = _read_configs(directory, classes, required)
    weighted = [component for component in listed if not component.startswith(("tokenizer", "scheduler"))]
    variant, found = find_weights([directory / component for component in weighted], variants)
    for files in found:
        for file in files:
            require_whole(file)
    weights = dict(zip(weighted, found, strict=True))
    return Checkpoint(directory=directory, variant=variant, weights=weights, configs=configs)


def read_configuration(directory: Path, variants: Variants = VARIANTS) -> Checkpoint:
    """Configuration and tokenizers of an SDXL pipeline; weights may be there too, and are not looked at.

    Raises as `read_model`.
    """
    found, _ = _read_configs(directory, _MODEL_CLASSES, MODEL_COMPONENTS)
    configs = [file for file in found if ".index." not in file.name]
    return Checkpoint(directory=directory, variant=None, weights={}, configs=configs)


def _read_configs(directory: Path, classes: tuple[str, ...], required: tuple[str, ...]) -> tuple[list[Path], list[str]]:
    """The configuration files of a pipeline, all there, and the components that its index lists."""
    index_file = directory / "model_index.json"
    if not index_file.is_file():
        raise GladError(f"{directory} has no model_index.json: it is not a checkpoint in diffusers layout")
    index = read_json(index_file)
    if index.get("_class_name") not in classes:
        raise GladError(
            f"{index_file} describes a {index.get('_class_name')}: only SDXL checkpoints ({' or '.join(classes)}) "
            "can be used here"
        )
    listed = [component for component in MODEL_COMPONENTS if (index.get(component) or [None])[0] is not None]
    for component in required:
        if component not in listed:
            raise GladError(f"{index_file} lists no {component}: it needs {', '.join(required)}")
    configs = [index_file]
    for component in listed:
        folder = directory / component
        if not folder.is_dir():
            raise DamagedError(f"{directory} has no folder {component}/: the checkpoint is incomplete, copy it again")
        _require_configs(folder)
        configs += [file for file in folder.iterdir() if file.suffix in (".json", ".txt")]
    return configs, listed


def _require_configs(folder: Path) -> None:
    """Raises `GladError` unless a folder has its component's configuration, and a tokenizer's its words."""
    kind = folder.name.removesuffix("_2")
    wanted = {"scheduler": "scheduler_config.json", "tokenizer": "tokenizer_config.json"}.get(kind, "config.json")
    needed = [wanted]
    if kind == "tokenizer" and not (folder / "tokenizer.json").is_file():
        needed += ["vocab.json", "merges.txt"]
    for name in needed:
        if not (folder / name).is_file():
            raise DamagedError(f"{folder / name} is missing: the checkpoint is incomplete, copy it again")


def read_json(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises `GladError` that names the file where there is none."""
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise DamagedError(f"{file} is missing: the checkpoint is incomplete, copy it again") from error
    except ValueError as error:
        raise DamagedError(f"{file} is not valid JSON ({error}): copy the checkpoint again") from error
    if not isinstance(value, dict):
        raise DamagedError(f"{file} is not a JSON object: copy the checkpoint again")
    return value
