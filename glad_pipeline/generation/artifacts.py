"""The parts of a model as files: which a part consists of, where they are, their hashes, fetching and verifying them.

A part is the model itself, the configuration of a single-file one, another VAE, the refiner or a LoRA; local, or in the
hub's cache. Torch-free.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glad_pipeline.display import in_bytes
from glad_pipeline.errors import GladError
from glad_pipeline.generation import hub
from glad_pipeline.generation.checkpoints import (
    MODEL_COMPONENTS,
    REFINER_COMPONENTS,
    Checkpoint,
    Variants,
    read_configuration,
    read_model,
    read_refiner,
    read_vae,
)
from glad_pipeline.generation.file_hashes import FileHashes, read_sha256
from glad_pipeline.generation.safetensors_files import VARIANTS, DamagedError, name_weights, read_header
from glad_pipeline.generation.single_files import require_adapter, require_sdxl

Kind = Literal["model", "configuration", "VAE", "refiner", "LoRA"]
READERS = {"model": read_model, "configuration": read_configuration, "VAE": read_vae, "refiner": read_refiner}


@dataclass(frozen=True, kw_only=True, slots=True)
class Artifact:
    """One directory, or for a LoRA and a single-file model one file, that is loaded; identified."""

    kind: Kind
    name: str  # a directory's name or a hub id; of one file its stem, or the hub id with the file
    source: str  # an absolute directory or a hub id
    revision: str  # a hub commit (40 hex digits), or `sha256:` and 64 hex digits over weights and configs
    variant: str | None = None  # the weight files', such as "fp16"
    file: str | None = None  # a LoRA's or a single-file model's, within the source
    weight: float = 1.0  # a LoRA's
    is_local: bool

    @property
    def identity(self) -> str:
        """As recipes name it: `name@revision`, of a LoRA `name@revision*weight`."""
        return f"{self.name}@{self.revision}" + (f"*{self.weight:g}" if self.kind == "LoRA" else "")

    @property
    def directory(self) -> Path:
        """Where its files are, or for a part that is not pulled would be; diffusers loads from there, offline."""
        return Path(self.source) if self.is_local else hub.snapshot(self.source, self.revision)

    def read(self) -> Checkpoint:
        """Its files, all there, whole and of this kind by their headers. Raises `GladError` with the cure if not."""
        cure = "`./glad model pull" + (f" {self.name}@{self.revision}`" if self.kind == "model" else "`")
        if not self.is_local and not (self.directory / (self.file or "")).exists():
            raise GladError(f"the {self.kind} {self.name} is not on this machine: {cure} fetches it")
        try:
            if self.file is None:
                return READERS[self.kind](self.directory, self._variants)
            path = self.directory / self.file
            if self.kind == "model":
                require_sdxl(read_header(path), path)
            else:
                require_adapter(read_header(path), self.name)
            weights = {"checkpoint" if self.kind == "model" else self.name: [path]}
            return Checkpoint(directory=self.directory, variant=None, weights=weights, configs=[])
        except DamagedError as error:
            if self.is_local:
                raise
            raise DamagedError(f"{error}. It is from the hub: {cure} mends it") from error

    @property
    def _variants(self) -> Variants:
        """One alone of what is on the hub, where others may have it too: a mixture would be other weights by its name.

        Local parts have their own hash.
        """
        return (self.variant,) if self.variant and not self.is_local else VARIANTS

    def files_wanted(self, names: Collection[str]) -> list[str]:
        """Of the file names in the part's repository, those it needs: JSON, texts and one set of safetensors.

        Raises `GladError` if the repository cannot be such a part.
        """
        what = f"{self.source} at {self.revision[:12]}"
        if self.file is not None:
            if self.file not in names:
                others = ", ".join(sorted(name for name in names if name.endswith(".safetensors"))[:5]) or "none"
                raise GladError(f"{what} has no file {self.file}: its safetensors files are {others}")
            return [self.file]
        if self.kind == "VAE":
            folders, configs = [""], ["config.json"]
        else:
            possible = REFINER_COMPONENTS if self.kind == "refiner" else MODEL_COMPONENTS
            present = {name.split("/")[0] for name in names if "/" in name}
            folders = [f"{name}/" for name in MODEL_COMPONENTS if name in possible or name in present]
            configs = ["model_index.json"] + [
                name
                for name in names
                if name.rpartition("/")[0] + "/" in folders
                and name.endswith((".json", ".txt"))
                and ".index." not in name
            ]
        if configs[0] not in names:
            raise GladError(f"{what} has no {configs[0]}: it is no {self.kind} in diffusers layout")
        if self.kind == "configuration":
            return configs
        weighted = [folder for folder in folders if not folder.startswith(("tokenizer", "scheduler"))]
        plain = [name_weights(names, folder, None) for folder in weighted]
        sets = [[name_weights(names, folder, variant) for folder in weighted] for variant in self._variants]
        if len(sets) > 1:  # and mixtures, as `find_weights` takes them
            sets += [[found or without for found, without in zip(each, plain, strict=True)] for each in sets]
        for weights in sets:
            if all(weights):
                return [*configs, *(name for found in weights for name in found)]
        raise GladError(
            f"{what} has no complete set of safetensors weights for {', '.join(weighted) or 'the VAE'}: other formats "
            "run code when opened and are not fetched. Take another commit or repository"
        )


def require_same_files(artifacts: Iterable[Artifact], cache: Path | str | None) -> None:
    """That this machine has the local files, and the very same ones. Raises `GladError` that names the part.

    `cache`: as `EngineOptions.hash_cache`. What is the hub's is named by its commit and needs no such look.
    """
    hashes = FileHashes(cache)
    try:
        for part in artifacts:
            if not part.is_local:
                continue
            checkpoint = part.read()
            if part.file is None:
                found = checkpoint.identity(hashes)
            else:
                found = f"sha256:{hashes.sha256(part.directory / part.file)}"
            if found != part.revision:
                raise GladError(
                    f"the {part.kind} in {part.directory} is another one here ({found[:19]}…) than where the run was "
                    f"started ({part.revision[:19]}…): copy the same files to every machine"
                )
    finally:
        hashes.save()


def weight_hashes(artifacts: Iterable[Artifact], cache: Path | str | None) -> dict[str, str]:
    """64 hex digits for each loaded component: `unet`, `vae`, `text_encoder`, `refiner/unet`, `lora/NAME` …

    A single-file model is one component, `checkpoint`. One file's own SHA-256; of several shards the SHA-256 over
    theirs, in the order of their names. `vae` is the one that decodes, the model's own or another; the refiner's is
    left out. `cache` remembers hashes, as `EngineOptions.hash_cache`. No network: what is from the hub is looked for in
    its cache.

    Raises `GladError` where a part is not there or not whole.
    """
    hashes = FileHashes(cache)
    told = {}
    for part in artifacts:
        prefix = {"model": "", "configuration": "", "VAE": "", "refiner": "refiner/", "LoRA": "lora/"}[part.kind]
        for component, files in part.read().weights.items():
            if part.kind == "refiner" and component == "vae":
                continue
            each = [hashes.sha256(file) for file in sorted(files)]
            told[prefix + component] = each[0] if len(each) == 1 else hashlib.sha256("".join(each).encode()).hexdigest()
    hashes.save()
    return told


def pull(part: Artifact, hashes: FileHashes, say: Callable[[str], None]) -> None:
    """Have the part whole on this machine, fetching only what is missing or damaged. Raises as `hub.fetch`."""
    if part.is_local or _is_as_published(part, hashes):
        part.read()
        say(f"{part.name}: here")
        return
    hub.fetch(part.source, part.revision, part.files_wanted, hashes, say)
    say(f"{part.name}: here, {in_bytes(size_of(part.read()))}")


def size_of(checkpoint: Checkpoint) -> int:
    """Bytes of all that is loaded."""
    return sum(file.stat().st_size for file in checkpoint.files)


def _is_as_published(part: Artifact, hashes: FileHashes) -> bool:
    """Whether the hub's cache has the part, as far as is remembered the way the hub has it."""
    try:
        files = part.read().files
    except GladError:
        return False
    return all(_matches(file, hub.published_hash(file), hashes.sha256(file)) for file in files)


def _matches(file: Path, expected: str | None, sha256: str) -> bool:
    """True also where nothing is known to compare with: a cache without links, as on some file systems."""
    return expected is None or expected == (sha256 if len(expected) == 64 else hub.git_hash(file))


def verify(part: Artifact, hashes: FileHashes) -> Iterator[tuple[str, str | None, bool]]:
    """Each file of a part, read again from the disk: its name, what is wrong with it or None, whether a hash was known.

    A file from the hub is compared with the hub's hash, a local one with what is remembered of it; a missing or
    truncated one is told by the header's promise. `hashes` is told what was read, but not of a local file's damage.
    """
    try:
        files = part.read().files
    except GladError as error:
        yield part.name, str(error), True
        files = [part.directory / part.file] if part.file else sorted(part.directory.rglob("*"))
        files = [file for file in files if file.suffix in (".json", ".txt", ".safetensors") and file.is_file()]
    for file in files:
        name = file.relative_to(part.directory).as_posix()
        digest = read_sha256(file)
        expected = hashes.remembered(file) if part.is_local else hub.published_hash(file)
        fault = None
        if not _matches(file, expected, digest):
            fault = (
                f"{file} has changed since it was last read, though not its size and time: copy it again"
                if part.is_local
                else f"{file} is not what the hub has: `./glad model pull` gets it again"
            )
        if not (fault and part.is_local):
            hashes.remember(file, digest)
        yield name, fault, expected is not None
