"""`glad model …`: fetch, list and verify what the settings draw with. Needs no database and no torch.

Exit codes: 0 done, 1 something could not be had or is damaged, 2 (by `UsageError`) the request cannot be right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tabulate import tabulate

from glad_pipeline.errors import GladError
from glad_pipeline.generation.artifact_sources import SDXL_REFINER, SDXL_VAE, resolve_loras
from glad_pipeline.generation.artifacts import Artifact, artifact_of, artifacts_of, lora_artifact, pull, size_of, verify
from glad_pipeline.generation.file_hashes import FileHashes
from glad_pipeline.generation.hub import told_size
from glad_pipeline.generation.models import DEMO_CHECKPOINT, SDXL_BASE, ModelProfile, resolve_model
from glad_pipeline.generation.presets import PRESETS
from glad_pipeline.settings import Settings

Handler = Callable[[argparse.Namespace, Settings], int]


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `model` and its commands; each sets `func(args, settings) -> exit code`."""
    room = subparsers.add_parser("model", help="the model's files: pull, list, verify")
    commands = room.add_subparsers(title="commands", dest="model_command", metavar="COMMAND", required=True)

    def command(name: str, handler: Handler, help_text: str) -> argparse.ArgumentParser:
        parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=help_text)
        parser.set_defaults(func=handler)
        return parser

    command("list", _list, "Show the parts of the models: which commit, how large, and whether they are here.")
    for name, handler, help_text in (
        ("pull", _pull, "Fetch from the hub what the settings draw with; what is here already is kept."),
        ("verify", _verify, "Read every file again and compare it with the hub's hash, or the one remembered."),
    ):
        parser = command(name, handler, help_text)
        parser.add_argument(
            "model", metavar="MODEL", nargs="?", help="demo, a directory or owner/name[@commit], instead of GLAD_MODEL"
        )
        parser.add_argument(
            "--preset",
            choices=tuple(PRESETS),
            help="with the refiner or LoRA that this preset needs; else GLAD_PRESET's",
        )


def _pull(args: argparse.Namespace, settings: Settings) -> int:
    parts = artifacts_of(configured_profile(settings, args.model, args.preset))
    hashes = FileHashes(_memory(settings))
    try:
        for part in parts:
            pull(part, hashes, lambda line: print(line, flush=True))
    finally:
        hashes.save()
    return 0


def _verify(args: argparse.Namespace, settings: Settings) -> int:
    parts = artifacts_of(configured_profile(settings, args.model, args.preset))
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


def _list(args: argparse.Namespace, settings: Settings) -> int:
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
    print(tabulate(rows, headers=("part", "name", "revision", "size", "state"), disable_numparse=True))
    for note in notes:
        print(f"glad: {note}", file=sys.stderr)
    return 1 if notes else 0


def _pinned() -> Iterable[Artifact]:
    """What this version names by itself: SDXL base with its VAE and refiner, and the presets' LoRA."""
    base = resolve_model(SDXL_BASE, vae="none")
    yield artifacts_of(base)[0]
    yield artifact_of("VAE", SDXL_VAE)
    yield artifact_of("refiner", SDXL_REFINER)
    for preset in PRESETS.values():
        if preset.few_step_lora:
            yield from map(lora_artifact, resolve_loras(preset.few_step_lora, FileHashes(None)))


def _state(part: Artifact) -> tuple[str, str, str | None]:
    """Size, state and, for a part that is not whole, the reason."""
    if not (part.directory / (part.file or "")).exists():
        return "", "not pulled", None
    try:
        size = told_size(size_of(part.read()))
    except GladError as error:
        return "", "damaged", str(error)
    return size, "in the package" if part.directory == DEMO_CHECKPOINT else "here", None


def configured_profile(settings: Settings, model: str | None = None, preset: str | None = None) -> ModelProfile:
    """The settings' model with its parts, or another model in its place."""
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
