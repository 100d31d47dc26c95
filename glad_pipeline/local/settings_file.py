"""The file of settings changed by a command: what it sets, line by line; all else in the file stays as it is."""

from __future__ import annotations

import re
import shlex
import stat
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from glad_pipeline.errors import GladError
from glad_pipeline.local.home import write_atomically

BOM = "\ufeff"
BEFORE_A_NAME = re.compile(r"\s*(?:export[^\S\r\n]+)?")


def differing(path: Path, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Those of these settings that the file does not have so, with what it has; None: nothing."""
    before = dotenv_values(path, interpolate=False)
    return {name: before.get(name) or None for name, value in wanted.items() if before.get(name) != value}


def write_settings(path: Path, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Have the file set these, and return what it had where it differed; where nothing did, it is not written.

    A file that is there keeps its permissions, a new one is its owner's alone. Raises `GladError`, also where the file
    cannot say a value.
    """
    changes = differing(path, wanted)
    if not changes:
        return changes
    try:
        place = path.resolve()  # of a link what it leads to
        mode = stat.S_IMODE(place.stat().st_mode) if place.exists() else None
        text = _changed(place, {name: wanted[name] for name in changes})
        if unread := _misread(text, wanted):
            raise GladError(
                f"{', '.join(unread)} cannot be written to {path} so that it is read back as it is: nothing was "
                "written. Look for a quote that is not closed there, or set it in the environment"
            )
        write_atomically(place, text)
        if mode is not None:
            place.chmod(mode)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise GladError(f"the settings cannot be written to {path}: {reason}. Put them there by hand") from error
    return changes


def _changed(path: Path, values: Mapping[str, str]) -> str:
    old = ""
    if path.exists():
        with path.open(encoding="utf-8", newline="") as file:  # its ends of lines stay
            old = file.read()
    end = "\r\n" if "\r\n" in old else "\n"
    lines = {name: f"{name}={_quoted(value)}" for name, value in values.items()}
    text, done = BOM if old.startswith(BOM) else "", set()
    for binding in parse_stream(StringIO(old.removeprefix(BOM), newline="")):
        if binding.key in lines:
            before = BEFORE_A_NAME.match(binding.original.string)
            text += "" if binding.key in done or before is None else f"{before[0]}{lines[binding.key]}{end}"
            done.add(binding.key)
        else:
            text += binding.original.string
    new = [line for name, line in lines.items() if name not in done]
    separated = text if not text or text.endswith("\n") else f"{text}{end}"
    return separated + "".join(f"{line}{end}" for line in new)


def _quoted(value: str) -> str:
    """A value as python-dotenv reads it, which knows no other way of a shell's to write a quote."""
    if shlex.quote(value) == value:
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _misread(text: str, wanted: Mapping[str, str]) -> list[str]:
    """Those that would not be read from this text as they are wanted."""
    found = dotenv_values(stream=StringIO(text))
    return sorted(name for name, value in wanted.items() if found.get(name) != value)
