"""The launcher as a person types it, and Dagster's own commands behind `glad run`."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request

import psutil
import pytest

from glad_pipeline.local import bootstrap
from glad_pipeline.local.processes import gone
from glad_pipeline_tests.acceptance.conftest import ROOT, interrupted, soon
from glad_pipeline_tests.leftovers import left_running


def typed(folder, *words, **environment):
    """`python3 …/glad WORDS` typed in a folder."""
    return subprocess.run(
        [getattr(sys, "_base_executable", sys.executable), str(folder / "glad"), *words],
        cwd=folder.parent,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def copy(tmp_path):
    """The repository's own files, without an installation, in a path with a space."""
    folder = tmp_path / "a copy"
    made = shutil.ignore_patterns(
        ".venv", ".glad", ".git", ".env", "__pycache__", ".*_cache", ".hypothesis", "*.egg-info"
    )
    shutil.copytree(ROOT, folder, ignore=made)
    return folder


def test_without_an_index_the_launcher_says_what_failed_where_the_log_is_and_what_to_do(copy, tmp_path):
    pip = {"PIP_NO_INDEX": "1", "PIP_COMPILE": "0"}  # to compile itself takes it longer than all else
    told = typed(copy, "--help", **pip, GLAD_HOME=str(tmp_path / "home"), PATH="/usr/bin:/bin")
    assert told.returncode == 1
    assert "Traceback" not in told.stderr
    assert "installing torch" in told.stderr
    assert str(tmp_path / "home" / "logs" / "install.log") in told.stderr
    assert "Check the network" in told.stderr
    assert not (copy / ".venv" / "glad-installed.json").exists()


def test_with_an_installation_the_launcher_becomes_the_command_with_its_words_and_exit_code(copy, tmp_path):
    python = copy / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s|" "$@"\nexit 7\n')  # stands in for the environment's Python
    python.chmod(0o755)
    here = "import sys; sys.path.insert(0, sys.argv[1]); from glad_pipeline.local import bootstrap; print(bootstrap.inputs())"
    inputs = subprocess.run(
        [sys.executable, "-c", here, copy], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    stamp = {"inputs": inputs.stdout.strip(), "extras": ["local"]}
    (copy / ".venv" / "glad-installed.json").write_text(json.dumps(stamp))
    told = typed(copy, "prompts", "add", "two words", GLAD_HOME=str(tmp_path / "home"))
    assert (told.returncode, told.stdout, told.stderr) == (7, "-m|glad_pipeline.cli|prompts|add|two words|", "")
    assert not (tmp_path / "home").exists()


def test_the_launcher_of_this_installation_answers_from_any_folder(tmp_path):
    if not bootstrap.is_installed("local"):
        pytest.skip("this installation was not made by ./glad, or its requirements have changed since")
    told = subprocess.run([ROOT / "glad", "status"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    assert "Dagster (glad up)" in told.stdout


@pytest.mark.deep
def test_dagster_s_own_command_runs_behind_glad_run(machine):
    assert "dagster, version 1." in machine.glad("run", "--", "dagster", "--version")


@pytest.mark.deep
def test_dagster_dev_behind_glad_run_serves_the_web_ui_and_ends_whole_on_ctrl_c(machine, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "dev.log"
    with log.open("w") as out:
        process = machine.start("run", "--", "dagster", "dev", "-p", str(port), stdout=out, stderr=out)

    def answers():
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    soon(answers, seconds=90)
    # the embedded servers are meant to stay; whether they are of this family depends on who started them
    family = [
        member
        for member in psutil.Process(process.pid).children(recursive=True)
        if member.name() not in ("postgres", "weed")
    ]
    assert len(family) >= 2
    interrupted(process, seconds=90)
    soon(lambda: all(gone(member) for member in family), seconds=60)
    assert left_running(machine.home, but=("postgres", "weed")) == []
