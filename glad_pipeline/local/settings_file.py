"""The file of settings changed by a command: what it sets, line by line; all else in the file stays as it is."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from glad_pipeline.errors import GladError
from glad_pipeline.local.home import write_atomically


def differing(path: Path, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Those of these settings that the file does not have so, with what it has; None: nothing."""
    before = dotenv_values(path, interpolate=False)
    return {name: before.get(name) or None for name, value in wanted.items() if before.get(name) != value}


def write_settings(path: Path, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Have the file set these, and return what it had where it differed; where nothing did, it is not written.

    A file that is there keeps its permissions, a new one is its owner's alone. Raises `GladError`.
    """
    changes = differing(path, wanted)
    if not changes:
        return changes
    try:
        place = path.resolve()  # of a link what it leads to
        mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else None
        write_atomically(place, _changed(place, {name: wanted[name] for name in changes}))
        if mode is not None:
            place.chmod(mode)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise GladError(f"the settings cannot be written to {path}: {reason}. Put them there by hand") from error
    return changes


def _changed(path: Path, values: Mapping[str, str]) -> str:
    lines = {name: f"{name}={shlex.quote(value)}" for name, value in values.items()}
    text, done = "", set()
    if path.exists():
        with path.open(encoding="utf-8") as file:
            for binding in parse_stream(file):
                if binding.key in lines:
                    text += "" if binding.key in done else f"{lines[binding.key]}\n"
                    done.add(binding.key)
                else:
                    text += binding.original.string
    new = [line for name, line in lines.items() if name not in done]
    separated = text if not text or text.endswith("\n") else f"{text}\n"
    return separated + "".join(f"{line}\n" for line in new)
