"""What the README and the other documents promise about settings and commands is what the code has."""

import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import pytest

from glad_pipeline import cli

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]
BY_THE_LAUNCHER = {"test", "check"}  # `./glad` runs these itself, before the package is imported


def code_in(text: str) -> list[str]:
    """The code spans, and the lines of the code blocks."""
    blocks = re.findall(r"^(?: {4}.*|```[a-z]*\n[\s\S]*?```)$", text, re.MULTILINE)
    return [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", text)


def commands_in(text: str) -> set[str]:
    """Each `./glad …` with its words and options, without arguments: `posts unpublish --reason`."""
    found = set()
    for code in code_in(text):
        for call in re.findall(r"\./glad ([^#;|&)\n]*)", code):
            own = re.split(r"(?<=\s)--(?=\s|$)", call)[0].strip()  # what follows `--` is another program's
            words = re.match(r"([a-z][a-z-]*)?( [a-z][a-z-]*\b)?", own).group().strip()
            if words:
                found.add(" ".join([words, *re.findall(r"(?<=\s)--[a-z-]+", own)]))
    return found


def groups_in(text: str) -> set[str]:
    """The commands that a row of a table names in short: `./glad outbox list`, `retry ID` has `outbox retry`."""
    found = set()
    for row in re.findall(r"^\| `\./glad [^|]+\|", text, re.MULTILINE):
        first, *others = re.findall(r"`([^`]+)`", row)
        group = first.split()[1]
        found |= {f"{group} {other.split()[0]}" for other in others if re.match(r"[a-z]", other)}
    return found


def helped(command: str, capsys) -> tuple[int, str]:
    """Exit code and text of the command's `--help`."""
    words = [word for word in shlex.split(command) if not word.startswith("--")]
    try:
        code = cli.main([*words, "--help"])
    except SystemExit as end:
        code = int(end.code or 0)
    return code, capsys.readouterr().out


def test_the_settings_table_is_the_settings(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["glad"])
    assert cli.main(["settings", "--markdown"]) == 0
    assert capsys.readouterr().out.strip() in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")


def test_it_is_short():
    assert len(README.splitlines()) <= 200


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_document_names_exists(document, capsys):
    text = document.read_text(encoding="utf-8")
    for command in sorted(commands_in(text) | groups_in(text)):
        if command.split()[0] in BY_THE_LAUNCHER:
            continue
        code, told = helped(command, capsys)
        assert code == 0, f"./glad {command}: there is no such command"
        for option in re.findall(r"--[a-z-]+", command):
            assert option in told, f"./glad {command}: it has no option {option}"


def test_it_names_the_commands():
    named = {command.split()[0] for command in commands_in(README)}
    assert {"demo", "up", "test", "run", "prompts", "audit", "outbox", "workers", "migrate"} <= named
    assert {"prompts approve", "images allow", "outbox deliver", "model verify"} <= groups_in(README)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_that_a_document_runs_exists(document):
    for code in code_in(document.read_text(encoding="utf-8")):
        for module in re.findall(r"\bpython -m ([a-z_]+(?:\.[a-z_]+)*)(?![.\w])", code):
            assert find_spec(module), f"python -m {module}: there is no such module"
