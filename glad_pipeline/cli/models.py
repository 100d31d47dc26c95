"""`glad model …`: fetch, list and verify what the settings draw with. Needs no database and no torch.

Exit codes: 0 done, 1 something could not be had or is damaged, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
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
    from glad_pipeline.engine_options import EngineOptions
    from glad_pipeline.generation.artifacts import Artifact
    from glad_pipeline.generation.models import ModelProfile

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
    from glad_pipeline.engine_options import EngineOptions
    from glad_pipeline.generation.models import resolve_model

    options = Runtime.of(context).with_home().engine
    demo = resolve_model(EngineOptions(hash_cache=options.hash_cache)).artifacts
    notes = []
    try:
        configured = configured_profile(options).artifacts
    except GladError as error:
        configured = []
        notes.append(f"GLAD_MODEL={options.model}: {error}")
    rows = []
    for part in dict.fromkeys(replace(each, weight=1.0) for each in (*demo, *configured, *_pinned())):
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
    from glad_pipeline.generation.artifacts import pull
    from glad_pipeline.generation.file_hashes import FileHashes

    options = Runtime.of(context).with_home().engine
    parts = configured_profile(options, model, preset).artifacts
    hashes = FileHashes(options.hash_cache)
    try:
        for part in parts:
            pull(part, hashes, lambda line: print(line, flush=True))
    finally:
        hashes.save()
    return 0


@commands.command("verify")
def verify(context: typer.Context, model: Model = None, preset: Preset = None) -> int:
    """Read every file again and compare it with the hub's hash, or the one remembered."""
    from glad_pipeline.generation.artifacts import verify
    from glad_pipeline.generation.file_hashes import FileHashes

    options = Runtime.of(context).with_home().engine
    parts = configured_profile(options, model, preset).artifacts
    hashes = FileHashes(options.hash_cache)
    damaged = unknown = 0
    for part in parts:
        print(f"{part.kind} {part.name}")
        for name, problem, compared in verify(part, hashes):
            damaged += problem is not None
            unknown += not compared
            whole = "ok" if compared else "whole by its header; no hash is known to compare with"
            print(f"  {name}: {'damaged: ' + problem if problem else whole}", flush=True)
    hashes.save()
    if unknown:
        print(f"{unknown} local files were never read as they are: a change in them makes another model, not damage")
    print(f"{damaged} damaged" if damaged else "nothing is damaged")
    return 1 if damaged else 0


def _pinned() -> Iterable[Artifact]:
    """What this version names by itself: SDXL base with its VAE and refiner, and the presets' LoRA."""
    from glad_pipeline.engine_options import EngineOptions
    from glad_pipeline.generation.artifact_sources import SDXL_REFINER, SDXL_VAE, resolve_loras
    from glad_pipeline.generation.file_hashes import FileHashes
    from glad_pipeline.generation.models import SDXL_BASE, resolve_model
    from glad_pipeline.generation.presets import PRESETS

    base = resolve_model(EngineOptions(model=SDXL_BASE, vae="none"))
    yield from (base.artifacts[0], SDXL_VAE, SDXL_REFINER)
    for preset in PRESETS.values():
        if preset.few_step_lora:
            yield from resolve_loras(preset.few_step_lora, FileHashes(None))


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


def configured_profile(options: EngineOptions, model: str | None = None, preset: str | None = None) -> ModelProfile:
    """The settings' model with its parts, or another model in its place."""
    from glad_pipeline.generation.models import resolve_model

    wanted: dict[str, str | None] = {"preset": preset or options.preset}
    if model is not None and model != options.model:
        name, _, revision = model.partition("@")
        is_here = Path(model).expanduser().exists()
        wanted |= {"model": model if is_here else name, "model_revision": None if is_here else revision or None}
    return resolve_model(options.model_copy(update=wanted))
