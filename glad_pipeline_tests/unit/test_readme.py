"""What the README promises about settings and commands is what the code has."""

import re
from pathlib import Path

import typer

from glad_pipeline import cli
from glad_pipeline.cli.app import application

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_settings_table_is_the_settings(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["glad"])
    assert cli.main(["settings", "--markdown"]) == 0
    assert capsys.readouterr().out.strip() in README


def test_every_command_it_names_exists():
    named = set(re.findall(r"\./glad ([a-z]+)", README))
    commands = typer.main.get_group(application()).commands
    assert named <= set(commands)
    assert {"demo", "up", "test", "run", "prompts"} <= named
