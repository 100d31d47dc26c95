"""Which model draws: the demo checkpoint, a local SDXL directory or file, or the hub's at a commit; and all its parts.

Answers without torch and without a network. Loading is the engine's, fetching hub.py's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from glad_pipeline.engine_options import EngineOptions
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.generation.artifact_sources import (
    COMMIT,
    HUB_FILE,
    SDXL_CONFIGURATION,
    SDXL_REFINER,
    SDXL_VAE,
    cached_variant,
    file_here,
    require_commit,
    require_different,
    resolve_configuration,
    resolve_few_step_lora,
    resolve_loras,
    resolve_refiner,
    resolve_vae,
)
from glad_pipeline.generation.artifacts import Artifact
from glad_pipeline.generation.checkpoints import SDXL_SIDE, native_side, read_json, read_model
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.generation.safetensors_files import read_header
from glad_pipeline.generation.single_files import changes_of, has_vae, prediction_of

DEMO_CHECKPOINT = Path(__file__).parent / "demo_model" / "checkpoint"
SDXL_BASE = "stabilityai/stable-diffusion-xl-base-1.0"
# Hub id → commit, weight variant. Of the two sets of SDXL base, fp16 is half the download.
PINNED = {SDXL_BASE: ("462165984030d82259a11f4367a4eed129e94a7b", "fp16")}
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_CHOICES = (
    "Possible are `demo`, a directory in diffusers layout, a `.safetensors` file, or on the hub `owner/name` with its "
    "commit or `owner/name/file.safetensors@commit`"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelProfile:
    """One model, identified, with all that is loaded for it and the values a recipe takes where a prompt names none."""

    name: str  # what recipes call it: `demo`, the directory's name, the file's stem, or the hub id with the file
    source: str  # where diffusers loads from: an absolute directory or the hub id
    revision: str  # a hub commit (40 hex digits), or `sha256:` and 64 hex digits over its files, or of its one file
    file: str | None = None  # of a single-file model, within the source
    configuration: Artifact | None = None  # of a single-file model; None: it is among the model's files
    prediction: str | None = None  # what the settings say that a single-file model predicts; None: it is said without
    variant: str | None = None  # the weight files' variant, such as "fp16"; the numbers are read as any dtype
    width: int  # pixels, native
    height: int  # pixels, native
    num_inference_steps: int
    guidance_scale: float
    is_demo: bool = False
    is_local: bool = True
    vae: Artifact | None = None  # None: the model's own
    refiner: Artifact | None = None  # None: the preset needs none
    loras: tuple[Artifact, ...] = ()
    quantization: str | None = None  # presets.Preset.quantization

    @property
    def artifacts(self) -> list[Artifact]:
        """All that is loaded: the model, then what is beside it."""
        model = Artifact(
            kind="model",
            name=self.name,
            source=self.source,
            revision=self.revision,
            variant=self.variant,
            file=self.file,
            is_local=self.is_local,
        )
        return [model, *filter(None, (self.configuration, self.vae, self.refiner)), *self.loras]

    @property
    def weights(self) -> tuple[str, str, str, str, str]:
        """All that is loaded, as `Recipe.weights` names it."""
        return (
            self.name,
            self._recorded_revision,
            self.vae.identity if self.vae else "",
            self.refiner.identity if self.refiner else "",
            ", ".join(lora.identity for lora in self.loras),
        )

    @property
    def _recorded_revision(self) -> str:
        """The revision, and behind a + each what else decides the pixels of a single file: see `said_beside`."""
        parts = [self.revision]
        if (configuration := self.configuration) and configuration != SDXL_CONFIGURATION:
            name = "" if configuration.is_local else f"{configuration.name}@"
            parts.append(f"config={name}{configuration.revision}")
        return "+".join([*parts, *([self.prediction] if self.prediction else [])])


def said_beside(revision: str) -> tuple[str, str | None, str | None]:
    """Of a recipe's model_revision the file's or repository's own, the configuration and the prediction, if named."""
    own, *others = revision.split("+")
    configuration = next((other.removeprefix("config=") for other in others if other.startswith("config=")), None)
    return own, configuration, next((other for other in others if not other.startswith("config=")), None)


def resolve_model(options: EngineOptions) -> ModelProfile:
    """The profile of the model that the options name, with all that their preset needs.

    The refiner is looked at only where the preset has one, the few-step LoRA likewise; it comes before the others.
    What is local is checked whole and hashed; `hash_cache` remembers hashes by path, size and modification time, so
    that 7 GB are read once. What is on the hub is not looked up: nothing touches the network.

    Raises `UsageError` for what cannot be right, `GladError` for a checkpoint that is incomplete, truncated, pickled or
    of another kind; each message names the value or file and the cure.
    """
    preset = PRESETS.get(options.preset)
    if preset is None:
        raise UsageError(f"preset is {options.preset!r}: it has to be one of {', '.join(PRESETS)}")
    hashes = FileHashes(options.hash_cache)
    try:
        profile = _model(options, hashes)
        is_sdxl_base = profile.name == SDXL_BASE and not profile.is_local
        few_step = resolve_few_step_lora(options.few_step_lora, preset, profile.name, hashes, is_local=profile.is_local)
        loras = (*few_step, *resolve_loras(options.lora or "", hashes))
        require_different(loras)
        refiner = None
        if preset.refiner_from is not None:
            refiner = resolve_refiner(options.refiner, SDXL_REFINER if is_sdxl_base else None, profile.name, hashes)
        vae = resolve_vae(options.vae, SDXL_VAE if is_sdxl_base else None, hashes)
        _require_vae(profile, vae)
        return replace(profile, vae=vae, refiner=refiner, loras=loras, quantization=preset.quantization)
    finally:
        hashes.save()


def _model(options: EngineOptions, hashes: FileHashes) -> ModelProfile:
    given, revision = options.model.strip(), options.model_revision
    path = Path(given).expanduser()
    in_hubs_file = HUB_FILE.fullmatch(given)
    if given != "demo" and (path.is_file() or (in_hubs_file and not path.is_dir())):
        return _single_file(options, hashes)
    for value, variable in ((options.checkpoint_config, "CHECKPOINT_CONFIG"), (options.prediction, "PREDICTION")):
        if value:
            raise UsageError(
                f"GLAD_{variable}={value} is for a single-file model, and {given!r} is none: unset it (a model in "
                "diffusers layout says so itself)"
            )
    if given == "demo":
        _refuse_revision(given, revision)
        return _local(DEMO_CHECKPOINT, hashes, is_demo=True)
    if given and path.is_dir():
        _refuse_revision(given, revision)
        return _local(path.resolve(), hashes, is_demo=False)
    if _HUB_ID.fullmatch(given):
        return _hub(given, revision)
    raise UsageError(f"model {given!r} is not a directory or file here and not a hub id. {_CHOICES}")


def _single_file(options: EngineOptions, hashes: FileHashes) -> ModelProfile:
    """One `.safetensors` file, here or on the hub."""
    given, revision = options.model.strip(), options.model_revision
    path = Path(given).expanduser()
    if path.is_file():
        if path.suffix != ".safetensors":
            raise UsageError(
                f"model {given!r} is a single file, and no .safetensors: other formats run code when opened. Get the "
                f"safetensors version. {_CHOICES}"
            )
        _refuse_revision(given, revision)
        file = file_here("model", path, hashes)
    else:
        match = HUB_FILE.fullmatch(given)
        assert match is not None  # noqa: S101  the caller has looked
        commit = match["commit"] or revision
        if revision not in (None, commit):
            raise UsageError(f"model {given!r} and GLAD_MODEL_REVISION={revision} name different commits: unset one")
        require_commit(given, "GLAD_MODEL", commit)
        name = f"{match['id']}/{match['file']}"
        file = Artifact(
            kind="model", name=name, source=match["id"], file=match["file"], revision=str(commit), is_local=False
        )
    configuration = resolve_configuration(options.checkpoint_config, hashes)
    prediction = _prediction_beside(path, configuration, options.prediction) if file.is_local else options.prediction
    is_here = (configuration.directory / "model_index.json").is_file()
    side = native_side(configuration.directory) if is_here else SDXL_SIDE
    return ModelProfile(
        name=file.name,
        source=file.source,
        file=file.file,
        revision=file.revision,
        configuration=configuration,
        prediction=prediction,
        width=side,
        height=side,
        num_inference_steps=30,
        guidance_scale=7.0,
        is_local=file.is_local,
    )


def _prediction_beside(path: Path, configuration: Artifact, given: str | None) -> str | None:
    """GLAD_PREDICTION for a file here, where that decides anything: None where file or configuration say the same.

    Whatever the hub's cache has: else a key would change with it. Raises `UsageError` where the file contradicts it.
    """
    header = read_header(path)
    prediction_of(header, path, given)
    own = prediction_of(header, path, None)
    if given is None or own is not None:
        return None if given == own else given
    scheduler = {"prediction_type": "epsilon"}
    if configuration.is_local:
        scheduler |= read_json(configuration.directory / "scheduler" / "scheduler_config.json")
    elif configuration != SDXL_CONFIGURATION:
        return given
    return None if changes_of(given).items() <= scheduler.items() else given


def _require_vae(profile: ModelProfile, vae: Artifact | None) -> None:
    """Raises `UsageError` where a single-file model that is here has no VAE, and no setting names one."""
    if profile.file is None or vae is not None:
        return
    path = profile.artifacts[0].directory / profile.file
    if path.is_file() and not has_vae(read_header(path)):
        raise UsageError(f"{path} has no VAE in it: name one in GLAD_VAE, for SDXL {SDXL_VAE.name}")


def _hub(hub_id: str, revision: str | None) -> ModelProfile:
    pinned, variant = PINNED.get(hub_id, (None, None))
    commit = revision or pinned
    if commit is None:
        raise UsageError(
            f"model {hub_id!r} is no directory here, and as a hub id it needs a commit: set GLAD_MODEL_REVISION to the "
            "40 hex digits of one (the model's page, Files → History). A branch may change, a commit cannot"
        )
    if not COMMIT.fullmatch(commit):
        raise UsageError(
            f"revision {commit!r} of {hub_id} is not a commit: it has to be 40 hex digits, not a branch or tag"
        )
    if pinned is None:
        variant = cached_variant(read_model, hub_id, commit)
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


def _local(directory: Path, hashes: FileHashes, *, is_demo: bool) -> ModelProfile:
    if not (directory / "model_index.json").is_file():
        raise GladError(f"{directory} has no model_index.json: it is not a checkpoint in diffusers layout. {_CHOICES}")
    checkpoint = read_model(directory)
    side = native_side(directory)
    return ModelProfile(
        name="demo" if is_demo else directory.name,
        source=str(directory),
        revision=checkpoint.identity(hashes),
        variant=checkpoint.variant,
        width=side,
        height=side,
        num_inference_steps=20 if is_demo else 30,
        guidance_scale=3.0 if is_demo else 7.0,
        is_demo=is_demo,
    )


def _refuse_revision(model: str, revision: str | None) -> None:
    if revision is not None:
        raise UsageError(
            f"revision {revision!r} was given with the local model {model!r}: unset GLAD_MODEL_REVISION, "
            "a local model is identified by the hash of its files"
        )
