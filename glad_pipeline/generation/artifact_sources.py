"""What is loaded beside the model's own weights: another VAE, a refiner, LoRA, configuration; from texts to parts.

The texts are those of the settings GLAD_VAE, GLAD_REFINER, GLAD_LORA, GLAD_FEW_STEP_LORA and GLAD_CHECKPOINT_CONFIG,
and of a row's column `lora`. Nothing here touches the network; torch-free.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Literal

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation import hub
from glad_pipeline.generation.artifacts import READERS, Artifact, Kind
from glad_pipeline.generation.checkpoints import Reader
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.presets import PRESETS, Preset
from glad_pipeline.generation.safetensors_files import VARIANTS

MAX_LORA_WEIGHT = 10.0
_HUB_COMPONENT = re.compile(r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(@(?P<commit>[^@]*))?")
HUB_FILE = re.compile(
    r"(?P<id>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)/(?P<file>(\w[\w. ()+-]*/)*\w[\w. ()+-]*\.safetensors)"
    r"(@(?P<commit>[^@]*))?"
)
COMMIT = re.compile(r"[0-9a-f]{40}")  # the revision of what is on the hub


# SDXL base's own VAE overflows in half precision; this one is the same but for that.
SDXL_VAE = Artifact(
    kind="VAE",
    name="madebyollin/sdxl-vae-fp16-fix",
    source="madebyollin/sdxl-vae-fp16-fix",
    revision="207b116dae70ace3637169f1ddd2434b91b3a8cd",
    is_local=False,
)
SDXL_REFINER = Artifact(
    kind="refiner",
    name="stabilityai/stable-diffusion-xl-refiner-1.0",
    source="stabilityai/stable-diffusion-xl-refiner-1.0",
    revision="5d4cfe854c9a9a87939ff3653551c2b3c99a4356",
    variant="fp16",
    is_local=False,
)
# Configuration and tokenizers of a single-file checkpoint. Recipes do not name it: another commit here would need them
# to, as they name any other.
SDXL_CONFIGURATION = Artifact(
    kind="configuration",
    name="stabilityai/stable-diffusion-xl-base-1.0",
    source="stabilityai/stable-diffusion-xl-base-1.0",
    revision="462165984030d82259a11f4367a4eed129e94a7b",
    is_local=False,
)
_PINNED = {component.name: component for component in (SDXL_VAE, SDXL_REFINER, SDXL_CONFIGURATION)}
_FEW_STEP = {preset.few_step_lora for preset in PRESETS.values() if preset.few_step_lora}
_VARIABLES = {"VAE": "GLAD_VAE", "refiner": "GLAD_REFINER", "configuration": "GLAD_CHECKPOINT_CONFIG"}


def resolve_vae(given: str | None, default: Artifact | None, hashes: FileHashes) -> Artifact | None:
    """The VAE that GLAD_VAE names, or the default; None is the model's own.

    Raises `UsageError` for a text that can name none, `GladError` for a directory that holds none or a damaged one.
    """
    if not given or not given.strip():
        return default
    if given.strip() == "none":
        return None
    return _component(given.strip(), "VAE", hashes)


def resolve_refiner(given: str | None, default: Artifact | None, model: str, hashes: FileHashes) -> Artifact:
    """The refiner that GLAD_REFINER names, or the default. Raises as `resolve_vae`, and where there is neither."""
    if given and given.strip():
        return _component(given.strip(), "refiner", hashes)
    if default is None:
        raise UsageError(
            f"the model {model!r} has no refiner of its own: set GLAD_REFINER to a directory in diffusers layout or "
            "`owner/name@commit`, or use another preset than `refined`"
        )
    return default


def resolve_configuration(given: str | None, hashes: FileHashes) -> Artifact:
    """The configuration that GLAD_CHECKPOINT_CONFIG names, or SDXL base's. Raises as `resolve_vae`."""
    if not given or not given.strip():
        return SDXL_CONFIGURATION
    return _component(given.strip(), "configuration", hashes)


def resolve_loras(text: str, hashes: FileHashes) -> tuple[Artifact, ...]:
    """The LoRA of a text such as GLAD_LORA's: `PATH_OR_HUB[*WEIGHT]`, separated by commas; empty for none.

    Raises `UsageError` for what cannot be one, `GladError` for a damaged file.
    """
    named = "LoRA (GLAD_LORA, or the prompt's lora)"
    return tuple(_lora(item.strip(), named, hashes) for item in text.split(",") if item.strip())


def resolve_few_step_lora(
    given: str | None, preset: Preset, model: str, hashes: FileHashes, *, is_local: bool
) -> tuple[Artifact, ...]:
    """The LoRA that makes the model a few-step one, at most one: what GLAD_FEW_STEP_LORA names, else the preset's.

    A local model may be distilled already, or not be SDXL's size: its person has to say. Raises as `resolve_loras`.
    """
    if preset.few_step_lora is None:
        return ()
    if given and given.strip():
        return () if given.strip() == "none" else (_lora(given.strip(), "GLAD_FEW_STEP_LORA", hashes),)
    if is_local:
        raise UsageError(
            f"few steps with the local model {model!r} need GLAD_FEW_STEP_LORA: `none` if it is a few-step model "
            f"already, else a LoRA that fits it (for a copy of SDXL base: {preset.few_step_lora})"
        )
    return (_lora(preset.few_step_lora, "GLAD_FEW_STEP_LORA", hashes),)


def require_different(loras: tuple[Artifact, ...]) -> None:
    """Raises `UsageError` where two have one name, are one file, or both make a few-step model, each another one."""
    names = [lora.name for lora in loras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"more than one LoRA is called {', '.join(twice)}: name each once in GLAD_LORA (the preset may bring one "
            "too), and rename one of two files of the same name"
        )
    for one, other in combinations(loras, 2):
        if one.is_local and one.revision == other.revision:
            raise UsageError(
                f"the LoRA {one.name} (weight {one.weight:g}) and {other.name} (weight {other.weight:g}) are the same "
                "file under two names: name it once, with the weight that it shall have"
            )
    few_step = [lora.name for lora in loras if f"{lora.name}@{lora.revision}" in _FEW_STEP]
    if len(few_step) > 1:
        raise UsageError(
            f"the LoRA {' and '.join(few_step)} contradict each other: each makes a few-step model of its own kind. "
            "Name one (the preset may bring one too; GLAD_FEW_STEP_LORA replaces it)"
        )


def cached_variant(read: Reader, source: str, commit: str) -> str | None:
    """The variant of the weights that the hub's cache has of a repository whose variants nobody pinned.

    None where it has no whole set of one: what is fetched then is the set without a variant, if there is one.
    """
    for variant in VARIANTS:
        with suppress(GladError):
            return read(hub.snapshot(source, commit), (variant,)).variant
    return None


def _component(text: str, what: Literal["VAE", "refiner", "configuration"], hashes: FileHashes) -> Artifact:
    setting, read = _VARIABLES[what], READERS[what]
    path = Path(text).expanduser()
    if path.is_dir():
        directory = path.resolve()
        checkpoint = read(directory, VARIANTS)
        return Artifact(
            kind=what,
            name=recipe_name(directory.name, directory),
            source=str(directory),
            revision=checkpoint.identity(hashes),
            variant=checkpoint.variant,
            is_local=True,
        )
    if path.is_file():
        raise UsageError(f"{setting}={text!r} is a single file: give a {what} as a directory in diffusers layout")
    match = _HUB_COMPONENT.fullmatch(text)
    if match is None:
        raise UsageError(
            f"{setting}={text!r} is neither a directory here nor `owner/name@commit` on the hub, for a {what}"
        )
    source, commit = match["id"], match["commit"]
    pinned = _PINNED.get(source)
    if commit is None and pinned is not None:
        return replace(pinned, kind=what)
    require_commit(text, setting, commit)
    variant = pinned.variant if pinned else cached_variant(read, source, commit)
    return Artifact(kind=what, name=source, source=source, revision=commit, variant=variant, is_local=False)


def _lora(item: str, setting: str, hashes: FileHashes) -> Artifact:
    where, star, number = item.rpartition("*")
    where, weight = (where.strip(), _weight(number, item, setting)) if star else (item, 1.0)
    path = Path(where).expanduser()
    if path.is_file():
        if path.suffix != ".safetensors":
            raise UsageError(
                f"{setting}: {where!r} is no .safetensors file; other formats run code when opened. "
                "Get the LoRA's safetensors version"
            )
        return file_here("LoRA", path, hashes, weight=weight)
    if path.is_dir():
        raise UsageError(f"{setting}: {where!r} is a directory: name the .safetensors file in it")
    match = HUB_FILE.fullmatch(where)
    if match is None:
        raise UsageError(
            f"{setting}: {where!r} is neither a .safetensors file here (in a list its path must have no comma) nor "
            "`owner/name/file.safetensors@commit` on the hub"
        )
    require_commit(where, setting, match["commit"])
    return Artifact(
        kind="LoRA",
        name=f"{match['id']}/{match['file']}",
        source=match["id"],
        file=match["file"],
        revision=match["commit"],
        weight=weight,
        is_local=False,
    )


def file_here(kind: Kind, path: Path, hashes: FileHashes, *, weight: float = 1.0) -> Artifact:
    """A part that is one file here, and by its header what it should be. Raises `GladError` where it is not."""
    file = path.resolve()
    part = Artifact(
        kind=kind,
        name=recipe_name(path.stem, path),
        source=str(file.parent),
        file=file.name,
        revision="",
        weight=weight,
        is_local=True,
    )
    part.read()
    return replace(part, revision=f"sha256:{hashes.sha256(file)}")


def _weight(number: str, item: str, setting: str) -> float:
    try:
        weight = float(number)
    except ValueError:
        weight = float("nan")
    if not -MAX_LORA_WEIGHT <= weight <= MAX_LORA_WEIGHT:
        raise UsageError(
            f"{setting}: {item!r} has the weight {number!r}: after the * comes a number from {-MAX_LORA_WEIGHT:g} "
            f"to {MAX_LORA_WEIGHT:g}, such as 0.8"
        )
    return float(f"{weight:g}") + 0.0  # as the identity tells it, so that it tells all; + 0.0: no minus zero


def require_commit(text: str, setting: str, commit: str | None) -> None:
    if commit is None or not COMMIT.fullmatch(commit):
        raise UsageError(
            f"{setting}: {text!r} is not here, and on the hub it needs a commit, `@` and 40 hex digits (the "
            "repository's page, Files → History): a branch may change, a commit cannot"
        )


def recipe_name(name: str, path: Path) -> str:
    """A file's or folder's name as recipes tell it. Raises `UsageError` where it would blur what they tell."""
    if not name or any(char in "@*," or not char.isprintable() for char in name):
        raise UsageError(f"{path} cannot be named in a recipe: rename it, without @, *, comma or control characters")
    return name
