"""The code's own rules, run as tests: types, lint, and which room may know which."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"], ["lint-imports"]],
    ids=["ruff check", "ruff format", "mypy --strict", "import-linter"],
)
def test_the_code_is_clean(command):
    tool = shutil.which(command[0], path=f"{BIN}{os.pathsep}{os.environ['PATH']}")
    assert tool, f"{command[0]} is not installed: `./glad test` installs it"
    is_clean([sys.executable, tool, *command[1:]] if command[0] in ("mypy", "lint-imports") else [tool, *command[1:]])


@pytest.mark.deep
def test_the_types_hold_with_those_of_diffusers_and_transformers_too(tmp_path):
    usual = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    following = usual.replace('follow_imports = "skip"', 'follow_imports = "normal"')
    assert following != usual
    (tmp_path / "pyproject.toml").write_text(following, encoding="utf-8")
    is_clean([sys.executable, "-m", "mypy", "--config-file", tmp_path / "pyproject.toml"])


def is_clean(command):
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
