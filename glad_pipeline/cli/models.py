"""`glad model …`: fetch, list and verify what the settings draw with. Needs no database and no torch.

Exit codes: 0 done, 1 something could not be had or is damaged, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click
import typer

from glad_pipeline.cli.group import group
from glad_pipeline.cli.output import print_table
from glad_pipeline.cli.runtime import Runtime
from glad_pipeline.display import in_bytes
from glad_pipeline.errors import GladError
from glad_pipeline.limits import PRESETS

if TYPE_CHECKING:
    from glad_pipeline.generation.artifacts import Artifact
    from glad_pipeline.generation.models import ModelProfile
    from glad_pipeline.settings import Settings

commands = group("The model's files: pull, list, verify.")
Model = Annotated[
    str | None,
    typer.Argument(metavar="[MODEL]", help="demo, a directory or owner/name[@commit], instead of GLAD_MODEL"),
]
Preset = Annotated[
    str | None,
    typer.Option(
        click_type=click.Choice(PRESETS), help="with the refiner or LoRA that this preset needs; else GLAD_PRESET's"
    ),
]


@commands.command("list")
def list_(context: typer.Context) -> int:
    """Show the parts of the models: which commit, how large, and whether they are here."""
    from glad_pipeline.generation.artifacts import artifacts_of
    from glad_pipeline.generation.models import resolve_model

    settings = Runtime.of(context).with_home()
    demo = artifacts_of(resolve_model("demo", cache=_memory(settings)))
    notes = []
    try:
        configured = artifacts_of(configured_profile(settings))
    except GladError as error:
        configured = []
        notes.append(f"GLAD_MODEL={settings.model}: {error}")
    rows = []
    for part in dict.fromkeys((*demo, *configured, *_pinned())):
        size, state, note = _state(part)
        rows.append((part.kind, part.name, part.revision.removeprefix("sha256:")[:12], size, state))
        notes += [note] if note else []
    print_table(("part", "name", "revision", "size", "state"), rows)
    for note in notes:
        print(f"glad: {note}", file=sys.stderr)
    return 1 if notes else 0


@commands.command("pull")
def pull(context: typer.Context, model: Model = None, preset: Preset = None) -> int:
    """Fetch from the hub what the settings draw with; what is here already is kept."""
    from glad_pipeline.generation.artifacts import artifacts_of, pull
    from glad_pipeline.generation.file_hashes import FileHashes

    settings = Runtime.of(context).with_home()
    parts = artifacts_of(configured_profile(settings, model, preset))
    hashes = FileHashes(_memory(settings))
    try:
        for part in parts:
            pull(part, hashes, lambda line: print(line, flush=True))
    finally:
        hashes.save()
    return 0


@commands.command("verify")
def verify(context: typer.Context, model: Model = None, preset: Preset = None) -> int:
    """Read every file again and compare it with the hub's hash, or the one remembered."""
    from glad_pipeline.generation.artifacts import artifacts_of, verify
    from glad_pipeline.generation.file_hashes import FileHashes

    settings = Runtime.of(context).with_home()
    parts = artifacts_of(configured_profile(settings, model, preset))
    hashes = FileHashes(_memory(settings))
    damaged = unknown = 0
    for part in parts:
        print(f"{part.kind} {part.name}")
        for name, fault, compared in verify(part, hashes):
            damaged += fault is not None
            unknown += not compared
            whole = "ok" if compared else "whole by its header; no hash is known to compare with"
            print(f"  {name}: {'damaged: ' + fault if fault else whole}", flush=True)
    hashes.save()
    if unknown:
        print(f"{unknown} local files were never read as they are: a change in them makes another model, not damage")
    print(f"{damaged} damaged" if damaged else "nothing is damaged")
    return 1 if damaged else 0


def _pinned() -> Iterable[Artifact]:
    """What this version names by itself: SDXL base with its VAE and refiner, and the presets' LoRA."""
    from glad_pipeline.generation.artifact_sources import SDXL_REFINER, SDXL_VAE, resolve_loras
    from glad_pipeline.generation.artifacts import artifact_of, artifacts_of, lora_artifact
    from glad_pipeline.generation.file_hashes import FileHashes
    from glad_pipeline.generation.models import SDXL_BASE, resolve_model
    from glad_pipeline.generation.presets import PRESETS

    base = resolve_model(SDXL_BASE, vae="none")
    yield artifacts_of(base)[0]
    yield artifact_of("VAE", SDXL_VAE)
    yield artifact_of("refiner", SDXL_REFINER)
    for preset in PRESETS.values():
        if preset.few_step_lora:
            yield from map(lora_artifact, resolve_loras(preset.few_step_lora, FileHashes(None)))


def _state(part: Artifact) -> tuple[str, str, str | None]:
    """Size, state and, for a part that is not whole, the reason."""
    from glad_pipeline.generation.artifacts import size_of
    from glad_pipeline.generation.models import DEMO_CHECKPOINT

    if not (part.directory / (part.file or "")).exists():
        return "", "not pulled", None
    try:
        size = in_bytes(size_of(part.read()))
    except GladError as error:
        return "", "damaged", str(error)
    return size, "in the package" if part.directory == DEMO_CHECKPOINT else "here", None


def configured_profile(settings: Settings, model: str | None = None, preset: str | None = None) -> ModelProfile:
    """The settings' model with its parts, or another model in its place."""
    from glad_pipeline.generation.models import resolve_model

    revision = settings.model_revision
    if model is not None:
        revision = None
        if "@" in model and not Path(model).expanduser().exists():
            model, revision = model.split("@", 1)
        elif model == settings.model:
            revision = settings.model_revision
    return resolve_model(
        model or settings.model,
        revision,
        vae=settings.vae,
        refiner=settings.refiner,
        loras=settings.lora or "",
        preset=preset or settings.preset,
        few_step_lora=settings.few_step_lora,
        cache=_memory(settings),
    )


def _memory(settings: Settings) -> Path:
    return settings.home / "model-hashes.json"
