"""The command line without servers: help, settings, and mistakes that get a message instead of a stack trace."""

import errno
import os
import subprocess
import sys

import pytest

from glad_pipeline import cli
from glad_pipeline.errors import GladError
from glad_pipeline.local import stack
from glad_pipeline.local.home import Home
from glad_pipeline.operations.demo import demo
from glad_pipeline.operations.demo.gallery import Exhibit, write_gallery
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
        "reproduce",
        "audit",
        "catalogue",
        "posts",
        "images",
        "outbox",
        "migrate",
        "settings",
        "prompts",
        "model",
        "demo-model",
        "test",
    ):
        assert f"\n    {command} " in shown or f"\n    {command}\n" in shown


def test_status_of_nothing_is_quick_and_starts_nothing(tmp_path):
    shown = glad("status", GLAD_HOME=str(tmp_path / "home"))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("stopped") == 4
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
        (["demo"], {"DATABASE_URL": "postgresql://u:secret@db.example:6000/blog"}, "db.example:6000/blog"),
        (["up"], {"DATABASE_URL": "postgresql://u:secret@127.0.0.1:1/d"}, "127.0.0.1:1/d"),
    ],
)
def test_a_mistake_is_a_message_and_an_exit_code(arguments, environment, told, tmp_path):
    answer = glad(*arguments, **({"GLAD_HOME": str(tmp_path / "home")} | environment))
    assert answer.returncode in (1, 2)
    (message,) = [line for line in answer.stderr.splitlines() if not line.startswith("starting ")]  # slow servers tell
    assert message.startswith("glad: ")
    assert told in message
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
    for module in (cli, stack):
        monkeypatch.setattr(module, "project_root", lambda: tmp_path)
    for name in ("GLAD_STEPS", "GLAD_HOME", "GLAD_ENV_FILE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GLAD_BATCH_SIZE", "3")
    cli.take_environment()
    assert os.environ["GLAD_STEPS"] == "7"
    assert os.environ["GLAD_BATCH_SIZE"] == "3"
    assert os.environ["GLAD_HOME"] == str(tmp_path / "state")


def test_what_the_servers_file_exports_is_no_setting_unless_a_person_changed_it():
    variables = {"DATABASE_URL": "ours", "AWS_S3_BUCKET": "theirs now", "AWS_ACCESS_KEY_ID": "key", "OTHER": "ours"}
    marks = {"DATABASE_URL": "ours", "AWS_S3_BUCKET": "glad", "AWS_ACCESS_KEY_ID": "key", "PGSSLMODE": "gone"}
    variables["GLAD_EMBEDDED"] = ",".join(f"{name}:{stack._fingerprint(value)}" for name, value in marks.items())
    stack.forget_ours(variables)
    assert variables == {"AWS_S3_BUCKET": "theirs now", "OTHER": "ours"}


@pytest.mark.parametrize(
    "command", [["up"], ["down"], ["demo"], ["reset", "--yes"], ["migrate"], ["prompts", "list"], ["model", "list"]]
)
def test_somebody_s_own_directory_is_refused_as_glad_home_before_anything_is_written(command, tmp_path):
    (tmp_path / "logs").mkdir()
    for name, text in ((".env", "THEIRS=1"), ("logs/theirs.log", "theirs"), ("s3.json", "theirs"), ("up.json", "{}")):
        (tmp_path / name).write_text(text)
    before = {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()}
    answer = glad(*command, GLAD_HOME=str(tmp_path))
    assert answer.returncode == 2
    assert f"GLAD_HOME {tmp_path} must be a directory of its own" in answer.stderr
    assert {path: path.read_text() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), ["No space left on device", "Free some space", "/state"]),
        (PermissionError(errno.EACCES, "Permission denied", "/state/lock"), ["/state/lock", "accessible to you"]),
    ],
)
def test_a_disk_that_refuses_is_a_message_with_the_cure(error, words, monkeypatch, capsys):
    def refuse():
        raise error

    monkeypatch.setenv("GLAD_HOME", "/state")
    monkeypatch.setattr(cli, "take_environment", refuse)
    assert cli.main(["status"]) == 1
    told = capsys.readouterr().err
    for word in words:
        assert word in told


def test_a_page_in_place_of_a_picture_is_named_with_its_address(tmp_path):
    url = "https://cdn.example/generated/x.png"
    words = {"title": "Dunes", "slug": "dunes", "prompt": "dunes", "facts": "", "model": "demo"}
    with pytest.raises(GladError, match=f"what {url} answers is not the whole picture of 'Dunes'"):
        write_gallery([Exhibit(url=url, picture=b"<html>Not here</html>", **words)], tmp_path / "gallery.html")


def test_a_repository_that_cannot_be_written_gets_its_gallery_in_the_state_directory(tmp_path, capsys):
    home = Home(tmp_path / "home").prepare()
    read_only = tmp_path / "read-only"
    read_only.touch()  # root may write into any folder, but no file is a folder
    written = demo._write_gallery([], read_only, home)
    assert written == home.path / "gallery.html"
    assert "Nothing is published yet" in written.read_text(encoding="utf-8")
    assert str(home.path) in capsys.readouterr().out
    with pytest.raises(GladError, match=r"gallery cannot be written to .*Not a directory"):
        demo._write_gallery([], read_only, Home(read_only))
