"""The command line without servers: help, settings, and mistakes that get a message instead of a stack trace."""

import os
import subprocess
import sys

import pytest

from glad_pipeline import cli
from glad_pipeline.settings import Settings


def glad(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "glad_pipeline.cli", *arguments],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_every_command_is_in_the_help():
    shown = glad("--help").stdout
    for command in (
        "demo",
        "up",
        "down",
        "status",
        "reset",
        "run",
        "migrate",
        "settings",
        "prompts",
        "demo-model",
        "test",
    ):
        assert f"\n    {command} " in shown or f"\n    {command}\n" in shown


def test_status_of_nothing_is_quick_and_starts_nothing(tmp_path):
    shown = glad("status", GLAD_HOME=str(tmp_path / "home"))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("stopped") == 3
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["status"], {"GLAD_BATCH_SIZE": "many"}, "GLAD_BATCH_SIZE is 'many'"),
        (["migrate"], {"DATABASE_URL": "mysql://u:secret@h/d"}, "DATABASE_URL"),
        (["migrate"], {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/d"}, "127.0.0.1:1/d"),
        (["migrate"], {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1"}, "AWS_S3_BUCKET"),
        (["run", "--"], {}, "run what?"),
        (["migrate"], {"GLAD_HOME": "/dev/null/x"}, "GLAD_HOME /dev/null/x"),
        (["migrate"], {"GLAD_HOME": "/"}, "GLAD_HOME /"),
    ],
)
def test_a_mistake_is_a_message_and_an_exit_code(arguments, environment, told, tmp_path):
    answer = glad(*arguments, **({"GLAD_HOME": str(tmp_path / "home")} | environment))
    assert answer.returncode in (1, 2)
    assert answer.stderr.startswith("glad: ")
    assert told in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "secret" not in answer.stderr


def test_the_table_of_settings_has_every_setting_with_its_meaning():
    rows = list(cli.settings_rows())
    assert len(rows) == len(Settings.model_fields)
    assert all(name.isupper() and meaning for name, _, meaning in rows)
    assert ("AWS_S3_REGION", "us-east-1") in [(name, default) for name, default, _ in rows]
    assert glad("settings", "--markdown").stdout.startswith("| variable ")


def test_the_repository_s_own_env_file_counts_wherever_one_stands(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("GLAD_STEPS=7\nGLAD_HOME=state\nGLAD_BATCH_SIZE=9\n")
    monkeypatch.setattr(cli, "project_root", lambda: tmp_path)
    for name in ("GLAD_STEPS", "GLAD_HOME"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GLAD_BATCH_SIZE", "3")
    cli.take_environment()
    assert os.environ["GLAD_STEPS"] == "7"
    assert os.environ["GLAD_BATCH_SIZE"] == "3"
    assert os.environ["GLAD_HOME"] == str(tmp_path / "state")
