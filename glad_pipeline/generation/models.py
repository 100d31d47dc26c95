"""Which model draws: the demo checkpoint, a local SDXL directory, or a hub id at a pinned commit.

Answers without torch: reads JSON and safetensors headers only, so a wrong path or a half-copied file is found
before minutes of loading. Loading itself is the engine's.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.safetensors_files import find_weights, require_whole

DEMO_CHECKPOINT = Path(__file__).parent / "demo_model" / "checkpoint"
# Hub id → commit, weight variant. Of the two sets of SDXL base, fp16 is half the download.
PINNED = {"stabilityai/stable-diffusion-xl-base-1.0": ("462165984030d82259a11f4367a4eed129e94a7b", "fp16")}
SDXL_SIDE = 1_024  # pixels; the size SDXL was trained at
_PIPELINE_CLASSES = ("StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline")
_WEIGHTED = ("text_encoder", "text_encoder_2", "unet", "vae")
_COMPONENTS = (*_WEIGHTED, "tokenizer", "tokenizer_2", "scheduler")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CHOICES = "Possible are `demo`, a directory in diffusers layout, or a hub id such as `owner/name` with its commit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Component:
    """Weights beside the model's own, identified: another VAE, a refiner."""

    name: str  # the directory's name or the hub id
    source: str  # what diffusers loads: an absolute directory or the hub id
    revision: str  # a hub commit (40 hex digits), or `sha256:` and 64 hex digits over weights and configs
    variant: str | None = None
    is_local: bool = True

    @property
    def identity(self) -> str:
        """As recipes name it: `name@revision`."""
        return f"{self.name}@{self.revision}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lora:
    """A change to the weights, identified. `source` is an absolute directory or the hub id, `file` is within it."""

    name: str  # the file's stem if local, else hub id and file: owner/name/file.safetensors
    source: str
    file: str
    revision: str
    weight: float = 1.0
    is_local: bool = True

    @property
    def identity(self) -> str:
        """As recipes name it: `name@revision*weight`."""
        return f"{self.name}@{self.revision}*{self.weight:g}"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelProfile:
    """One model, identified, with all that is loaded for it and the values a recipe takes where a prompt names none."""

    name: str  # what recipes call it: `demo`, the directory's name, or the hub id
    source: str  # what diffusers loads: an absolute directory or the hub id
    revision: str  # a hub commit (40 hex digits), or `sha256:` and 64 hex digits over weights and configs
    variant: str | None = None  # the weight files' variant, such as "fp16"; the numbers are read as any dtype
    width: int  # pixels, native
    height: int  # pixels, native
    num_inference_steps: int
    guidance_scale: float
    is_demo: bool = False
    is_local: bool = True
    vae: Component | None = None  # None: the model's own
    refiner: Component | None = None  # None: the preset needs none
    loras: tuple[Lora, ...] = ()
    quantization: str | None = None  # presets.Preset.quantization

    @property
    def weights(self) -> tuple[str, str, str, str, str]:
        """All that is loaded, as `Recipe.weights` names it."""
        return (
            self.name,
            self.revision,
            self.vae.identity if self.vae else "",
            self.refiner.identity if self.refiner else "",
            ", ".join(lora.identity for lora in self.loras),
        )


def resolve_model(model: str, revision: str | None = None, *, cache: Path | None = None) -> ModelProfile:
    """The profile of `model` as the setting GLAD_MODEL gives it.

    A local model is checked whole and hashed; `cache` is a JSON file that remembers hashes by path, size and
    modification time, so that 7 GB are read once. A hub id is not looked up here: nothing touches the network.

    Raises `UsageError` for what cannot be a model or a revision, `GladError` for a checkpoint that is
    incomplete, truncated, pickled or of another kind; each message names the file and the cure.
    """
    given = model.strip()
    if given == "demo":
        _refuse_revision(given, revision)
        return _local(DEMO_CHECKPOINT, cache, is_demo=True)
    path = Path(given).expanduser()
    if given and path.is_dir():
        _refuse_revision(given, revision)
        return _local(path.resolve(), cache, is_demo=False)
    if path.is_file():
        raise UsageError(
            f"model {given!r} is a single file: give the directory in diffusers layout that holds model_index.json. "
            "A single-file checkpoint is converted by StableDiffusionXLPipeline.from_single_file(…).save_pretrained(…)"
        )
    if _HUB_ID.fullmatch(given):
        return _hub(given, revision)
    raise UsageError(f"model {given!r} is not a directory here and not a hub id. {_CHOICES}")


def _hub(hub_id: str, revision: str | None) -> ModelProfile:
    pinned, variant = PINNED.get(hub_id, (None, None))
    commit = revision or pinned
    if commit is None:
        raise UsageError(
            f"model {hub_id!r} is no directory here, and as a hub id it needs a commit: set GLAD_MODEL_REVISION to the "
            "40 hex digits of one (the model's page, Files → History). A branch may change, a commit cannot"
        )
    if not _COMMIT.fullmatch(commit):
        raise UsageError(
            f"revision {commit!r} of {hub_id} is not a commit: it has to be 40 hex digits, not a branch or tag"
        )
    return ModelProfile(
        name=hub_id,
        source=hub_id,
        revision=commit,
        variant=variant,
        width=SDXL_SIDE,
        height=SDXL_SIDE,
        num_inference_steps=30,
        guidance_scale=7.0,
        is_local=False,
    )


def _local(directory: Path, cache: Path | None, *, is_demo: bool) -> ModelProfile:
    index_file = directory / "model_index.json"
    if not index_file.is_file():
        raise GladError(f"{directory} has no model_index.json: it is not a checkpoint in diffusers layout. {_CHOICES}")
    index = _read_json(index_file)
    if index.get("_class_name") not in _PIPELINE_CLASSES:
        raise GladError(
            f"{index_file} describes a {index.get('_class_name')}: only SDXL checkpoints "
            f"({' or '.join(_PIPELINE_CLASSES)}) can be drawn with"
        )
    for component in _COMPONENTS:
        if (index.get(component) or [None])[0] is None:
            raise GladError(f"{index_file} lists no {component}: SDXL base needs {', '.join(_COMPONENTS)}")
        if not (directory / component).is_dir():
            raise GladError(f"{directory} has no folder {component}/: the checkpoint is incomplete, copy it again")
    variant, weights = find_weights([directory / component for component in _WEIGHTED])
    for file in weights:
        require_whole(file)
    side = _native_side(directory)
    return ModelProfile(
        name="demo" if is_demo else directory.name,
        source=str(directory),
        revision=_identity(directory, weights, FileHashes(cache)),
        variant=variant,
        width=side,
        height=side,
        num_inference_steps=20 if is_demo else 30,
        guidance_scale=3.0 if is_demo else 7.0,
        is_demo=is_demo,
    )


def _native_side(directory: Path) -> int:
    """Pixels: the UNet's latent side times what the VAE enlarges by (2 per block after the first)."""
    unet, vae = _read_json(directory / "unet" / "config.json"), _read_json(directory / "vae" / "config.json")
    sample_size, blocks = unet.get("sample_size"), vae.get("block_out_channels")
    if not isinstance(sample_size, int) or not isinstance(blocks, list):
        return SDXL_SIDE
    return int(sample_size * 2 ** (len(blocks) - 1))


def _identity(directory: Path, weights: list[Path], hashes: FileHashes) -> str:
    """`sha256:…` over the relative names and hashes of all that is loaded; the folder's own name does not matter."""
    configs = [directory / "model_index.json"]
    for component in _COMPONENTS:
        configs += [file for file in (directory / component).iterdir() if file.suffix in (".json", ".txt")]
    total = hashlib.sha256()
    for file in sorted({*configs, *weights}, key=lambda file: file.relative_to(directory).as_posix()):
        total.update(f"{file.relative_to(directory).as_posix()}\0{hashes.sha256(file)}\n".encode())
    hashes.save()
    return f"sha256:{total.hexdigest()}"


def _read_json(file: Path) -> dict[str, Any]:
    try:
        value = json.loads(file.read_bytes())
    except FileNotFoundError as error:
        raise GladError(f"{file} is missing: the checkpoint is incomplete, copy it again") from error
    except ValueError as error:
        raise GladError(f"{file} is not valid JSON ({error}): copy the checkpoint again") from error
    if not isinstance(value, dict):
        raise GladError(f"{file} is not a JSON object: copy the checkpoint again")
    return value


def _refuse_revision(model: str, revision: str | None) -> None:
    if revision is not None:
        raise UsageError(
            f"revision {revision!r} was given with the local model {model!r}: unset GLAD_MODEL_REVISION, "
            "a local model is identified by the hash of its files"
        )
