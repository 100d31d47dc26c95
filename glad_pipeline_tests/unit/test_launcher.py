"""The launcher's decisions, without an installation; the installation itself is what `./glad test` has just done."""

import ast
import hashlib
import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from glad_pipeline.local import bootstrap
from glad_pipeline.local.progress import Step

ROOT = Path(__file__).resolve().parents[2]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize(
    "path",
    [
        "glad",
        *(f"glad_pipeline/{name}.py" for name in ("__init__", "errors", "local/__init__")),
        *(
            f"glad_pipeline/local/{name}.py"
            for name in ("bootstrap", "home", "interruption", "node", "progress", "site_keys")
        ),
    ],
)
def test_what_runs_before_the_installation_needs_the_standard_library_only(path):
    assert set(imported(ROOT / path)) <= sys.stdlib_module_names | {"glad_pipeline"}


def test_an_old_python_can_read_the_launcher_far_enough_to_say_so():
    tree = ast.parse((ROOT / "glad").read_text(), feature_version=(3, 4))
    modern = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Match, ast.AsyncFunctionDef)
    assert not [node for node in ast.walk(tree) if isinstance(node, modern)]


def test_the_pip_we_bring_is_the_one_we_checked():
    assert hashlib.sha256(bootstrap.PIP_WHEEL.read_bytes()).hexdigest() == bootstrap.PIP_SHA256


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """An empty repository in a folder with a space, for the module to work in."""
    root = tmp_path / "a repository"
    root.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        (root / name).write_bytes((ROOT / name).read_bytes())
    venv = root / ".venv"
    monkeypatch.setenv("PIP_COMPILE", "0")  # of what it installs: that takes longer than all else
    monkeypatch.setattr(bootstrap, "ROOT", root)
    monkeypatch.setattr(bootstrap, "VENV", venv)
    monkeypatch.setattr(bootstrap, "PYTHON", venv / "bin" / "python")
    monkeypatch.setattr(bootstrap, "STAMP", venv / "glad-installed.json")
    monkeypatch.setattr(bootstrap, "CONSTRAINTS", root / "constraints.txt")
    return root


def test_an_environment_with_a_verified_pip_is_made_without_ensurepip_or_network(repository, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    log = repository / "log"
    bootstrap.make_venv(log)
    told = subprocess.run([bootstrap.PYTHON, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    assert "pip 26.3" in told.stdout
    assert bootstrap.venv_works()


def test_an_environment_that_was_moved_or_lost_its_python_is_made_anew(repository):
    log = repository / "log"
    bootstrap.make_venv(log)
    (bootstrap.VENV / "mark").touch()
    bootstrap.make_venv(log)
    assert (bootstrap.VENV / "mark").exists()
    activate = bootstrap.VENV / "bin" / "activate"
    activate.write_text(activate.read_text().replace(str(bootstrap.VENV), "/elsewhere/.venv"))
    bootstrap.make_venv(log)
    assert not (bootstrap.VENV / "mark").exists()
    (bootstrap.VENV / "mark").touch()
    bootstrap.PYTHON.unlink()
    bootstrap.PYTHON.symlink_to("/nowhere/python3")
    bootstrap.make_venv(log)
    assert not (bootstrap.VENV / "mark").exists()


def test_the_stamp_holds_until_a_requirement_a_version_or_an_extra_changes(repository, monkeypatch):
    for name in ("make_venv", "install_torch"):
        monkeypatch.setattr(bootstrap, name, lambda log: None)
    monkeypatch.setattr(bootstrap, "install_package", lambda extras, log: None)
    monkeypatch.setenv("GLAD_HOME", str(repository / "home"))
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.symlink_to(sys.executable)
    assert not bootstrap.is_installed("local")
    bootstrap.install("local")
    assert bootstrap.is_installed("local")
    assert not bootstrap.is_installed("local,test")
    bootstrap.install("local,test")
    assert bootstrap.is_installed("local")
    bootstrap.CONSTRAINTS.write_text(bootstrap.CONSTRAINTS.read_text() + "\n")
    assert not bootstrap.is_installed("local")


@pytest.mark.parametrize(
    ("known", "given"),
    [(None, "https://cpu.example"), ("https://corp.example", "https://corp.example https://cpu.example")],
)
def test_the_index_for_torch_is_added_to_the_ones_pip_is_told_already(repository, monkeypatch, known, given):
    bootstrap.PYTHON.parent.mkdir(parents=True)
    bootstrap.PYTHON.write_text("#!/bin/sh\nexit 1\n")  # a Python without torch
    bootstrap.PYTHON.chmod(0o755)
    monkeypatch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
    if known:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", known)
    monkeypatch.setenv("GLAD_TORCH_INDEX", "https://cpu.example")
    asked = {}
    monkeypatch.setattr(bootstrap, "step", lambda *words, environment: asked.update(environment))
    bootstrap.install_torch(repository / "log")
    assert asked["PIP_EXTRA_INDEX_URL"] == given


def test_the_installation_writes_no_log_into_somebody_s_own_directory(repository, monkeypatch):
    monkeypatch.setenv("GLAD_HOME", str(repository))
    with pytest.raises(bootstrap.SetUpFailed, match="must be a directory of its own"):
        bootstrap.open_log()
    assert not (repository / "logs").exists()
    monkeypatch.setenv("GLAD_HOME", str(repository / "new"))
    bootstrap.open_log()
    assert bootstrap.open_log() == repository / "new" / "logs" / "install.log"


def test_a_failed_step_names_itself_the_log_its_end_and_the_cure(tmp_path):
    log = tmp_path / "install.log"
    log.touch()
    with pytest.raises(bootstrap.SetUpFailed) as error:
        bootstrap.step("Installing torch", ["sh", "-c", "echo no space left >&2; exit 3"], log)
    for part in ("installing torch failed (exit 3)", str(log), "| no space left", "run the same command again"):
        assert part in str(error.value)


def test_a_long_wait_shows_itself_and_a_short_one_does_not():
    short, long = io.StringIO(), io.StringIO()
    with Step("short", stream=short):
        pass
    with Step("long", stream=long):
        time.sleep(1.2)
    assert short.getvalue() == ""
    assert long.getvalue().startswith("long … 1 s\n")
    assert "long: done in 1." in long.getvalue()


def test_no_index_or_machine_path_is_in_the_constraints_and_torch_is_pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert "torch==2.13.0" in lines
    assert not [line for line in lines if "://" in line or line.startswith(("-", "/"))]


def test_the_launcher_is_executable():
    assert os.access(ROOT / "glad", os.X_OK)


def test_check_runs_the_code_s_and_the_documents_rules_one_after_the_other(monkeypatch):
    ran = []
    monkeypatch.setattr(bootstrap, "is_installed", lambda extras: extras == bootstrap.EXTRAS["test"])
    monkeypatch.setattr(bootstrap, "run_tests", lambda arguments: ran.append(arguments) or 0)
    assert bootstrap.main(["check"]) == 0
    assert ran == [["-q", "-n", "0", *bootstrap.CHECKS]]
    assert all((ROOT / file).is_file() for file in bootstrap.CHECKS)
