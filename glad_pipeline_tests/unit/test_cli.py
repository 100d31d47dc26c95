"""The command line without servers: help, settings, and mistakes that get a message instead of a stack trace."""

import errno
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress

import pytest

from glad_pipeline import cli
from glad_pipeline.cli import outbox, runtime
from glad_pipeline.cli.settings import settings_rows
from glad_pipeline.errors import GladError
from glad_pipeline.local import stack
from glad_pipeline.local.home import Home
from glad_pipeline.operations.demo import demo
from glad_pipeline.operations.demo.gallery import SIZES, Exhibit
from glad_pipeline.outbox import messages
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
        "psql",
        "settings",
        "keys",
        "gateway",
        "storage",
        "prompts",
        "model",
        "test",
    ):
        assert f"\n  {command} " in shown


def test_status_of_nothing_is_quick_and_starts_nothing(tmp_path):
    shown = glad("status", GLAD_HOME=str(tmp_path / "home"))
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.count("stopped") == 4
    assert not (tmp_path / "home").exists()


@pytest.mark.few(3)
@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (["migrate"], {"GLAD_BATCH_SIZE": "many"}, "GLAD_BATCH_SIZE is 'many'"),
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
    rows = list(settings_rows())
    assert len(rows) == len(Settings.model_fields)
    assert all(name.isupper() and meaning for name, _, meaning in rows)
    assert ("AWS_S3_REGION", "us-east-1") in [(name, default) for name, default, _ in rows]
    assert glad("settings", "--markdown").stdout.startswith("| variable ")


def test_the_repository_s_own_env_file_counts_wherever_one_stands(tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("GLAD_STEPS=7\nGLAD_HOME=state\nGLAD_BATCH_SIZE=9\n")
    monkeypatch.setattr(stack, "project_root", lambda: tmp_path)
    for name in ("GLAD_STEPS", "GLAD_HOME", "GLAD_ENV_FILE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GLAD_BATCH_SIZE", "3")
    runtime.take_environment()
    assert os.environ["GLAD_STEPS"] == "7"
    assert os.environ["GLAD_BATCH_SIZE"] == "3"
    assert os.environ["GLAD_HOME"] == str(tmp_path / "state")


def test_what_the_servers_file_exports_is_no_setting_unless_a_person_changed_it():
    variables = {"DATABASE_URL": "ours", "AWS_S3_BUCKET": "theirs now", "AWS_ACCESS_KEY_ID": "key", "OTHER": "ours"}
    marks = {"DATABASE_URL": "ours", "AWS_S3_BUCKET": "glad", "AWS_ACCESS_KEY_ID": "key", "PGSSLMODE": "gone"}
    variables["GLAD_EMBEDDED"] = ",".join(f"{name}:{stack._fingerprint(value)}" for name, value in marks.items())
    stack.forget_ours(variables)
    assert variables == {"AWS_S3_BUCKET": "theirs now", "OTHER": "ours"}


@pytest.mark.few(2)
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
        (
            OSError(errno.ENOSPC, "No space left on device"),
            ["No space left on device", "is full (", "make room there", "/state"],
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/state/lock"), ["/state/lock", "accessible to you"]),
    ],
)
def test_a_disk_that_refuses_is_a_message_with_the_cure(error, words, monkeypatch, capsys):
    def refuse():
        raise error

    monkeypatch.setenv("GLAD_HOME", "/state")
    monkeypatch.setattr(runtime, "take_environment", refuse)
    assert cli.main(["status"]) == 1
    told = capsys.readouterr().err
    for word in words:
        assert word in told


EXHIBIT = {
    **{"title": "Dunes", "slug": "dunes", "prompt": "dunes", "model": "demo", "size": 9, "seconds": None},
    **{"sha256": "ab" * 32, "width": 8, "height": 6, "url": "http://127.0.0.1:9/generated/x.png"},
}


def test_a_picture_that_visitors_are_not_given_is_named_with_its_address():
    with pytest.raises(GladError, match=r"not given the picture of 'Dunes' at http://127\.0\.0\.1:9/"):
        demo._require_visible(Exhibit(**EXHIBIT))


def test_the_gallery_is_in_the_state_directory_and_shows_renditions_as_a_blog_would(tmp_path):
    home = Home(tmp_path / "home").prepare()
    assert "Nothing is published yet" in demo._write_gallery([], home).read_text(encoding="utf-8")
    srcset = {"webp": "https://h/x-w4.webp 4w, https://h/x-w8.webp 8w", "avif": "https://h/x-w8.avif 8w"}
    data = {"srcset": srcset, "placeholder": "data:image/webp;base64,AAAA", "alt": "Dunes <b>"}
    foreign = {"srcset": '"><script>', "placeholder": "x') no-repeat", "alt": '"onload="'}
    shown = [Exhibit(**EXHIBIT, data=each) for each in (data, None, foreign)]
    path = demo._write_gallery(shown, home)
    assert path == home.path / "gallery.html"
    pictures = re.findall(r"<picture>.*?</picture>", path.read_text(encoding="utf-8"))
    size = 'width="8" height="6"'
    assert pictures == [
        f'<picture><source type="image/avif" srcset="{srcset["avif"]}" sizes="{SIZES}">'
        f'<source type="image/webp" srcset="{srcset["webp"]}" sizes="{SIZES}">'
        f'<img src="{EXHIBIT["url"]}" {size} alt="Dunes &lt;b&gt;" loading="lazy"'
        " style=\"background-image:url('data:image/webp;base64,AAAA')\"></picture>",
        f'<picture><img src="{EXHIBIT["url"]}" {size} alt="dunes" loading="lazy"></picture>',
        f'<picture><img src="{EXHIBIT["url"]}" {size} alt="&quot;onload=&quot;" loading="lazy"></picture>',
    ]
    no_folder = tmp_path / "file"
    no_folder.touch()  # root may write into any folder, but no file is a folder
    with pytest.raises(GladError, match=r"gallery cannot be written to .*Not a directory"):
        demo._write_gallery([], Home(no_folder))


def on_terminal(columns, *arguments):
    """What a command shows on a terminal so many columns wide, without the codes for bold and the like."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    command = [sys.executable, "-m", "glad_pipeline.cli", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=terminal, stderr=terminal)
    os.close(terminal)
    shown = read_whole(master)
    process.wait()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "").splitlines()


def read_whole(terminal):
    shown = b""
    with suppress(OSError):  # how a terminal of Linux ends
        while some := os.read(terminal, 65_536):
            shown += some
    os.close(terminal)
    return shown.decode()


def test_a_table_fits_the_terminal_and_is_whole_in_a_pipe():
    narrow, piped = on_terminal(60, "settings"), glad("settings").stdout.splitlines()
    assert max(map(len, narrow)) <= 60
    for name, _, meaning in settings_rows():
        (line,) = [line for line in piped if line.startswith(f"{name} ")]
        assert line.endswith(meaning)
        assert any(name.startswith(line.split()[0]) for line in narrow if line.split())
    assert len(narrow) > 2 * len(piped)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prompts", "list", "--limit", "x"], "Invalid value for '--limit': 'x' is not a valid integer."),
        (["prompts"], "Missing command."),
        (["stauts"], "No such command 'stauts'"),
        (["reset", "--force"], "No such option"),
        (["images", "delete", "1"], "Missing option '--reason'."),
        (["prompts", "retry"], "--all-failed"),
        (["outbox", "retry", "1", "--dead"], "--dead"),
        (["test"], "./glad test"),
    ],
)
def test_what_cannot_be_typed_is_a_usage_line_and_a_sentence(arguments, words):
    answer = glad(*arguments)
    assert (answer.returncode, answer.stdout) == (2, "")
    *usage, message = answer.stderr.splitlines()
    assert message.startswith("glad: ")
    assert words in message
    assert all(line.startswith("Usage: glad") for line in usage)
    assert not set("─│╭\x1b") & set(answer.stderr)


def test_the_help_loads_no_room():
    code = "import sys; from glad_pipeline import cli; cli.main(['--help']); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"psycopg", "pydantic", "boto3", "PIL", "rich.console", "dagster", "torch", "ray"} & set(loaded)


def test_the_help_of_a_command_explains_its_arguments():
    assert "what to draw (≤ 20,000 characters)" in glad("prompts", "add", "-h").stdout


def test_the_help_names_every_status_of_a_message():
    assert ", ".join(messages.STATUSES) == outbox.STATUSES


def test_a_shell_completes_commands_and_options():
    def completed(words):
        count = str(len(words.split()) if words.endswith(" ") else len(words.split()) - 1)
        return glad(COMP_WORDS=words, COMP_CWORD=count, _GLAD_COMPLETE="complete_bash").stdout.split()

    assert completed("./glad prompts a") == ["add", "approve"]
    assert "--needs-approval" in completed("./glad prompts add --")


def test_progress_on_a_terminal_leaves_what_is_printed_to_a_pipe_alone():
    line = "skipped " + "x" * 200
    code = (
        "import time\n"
        "from glad_pipeline.cli.progress import Progress\n"
        "with Progress(every=60, quiet=0) as progress:\n"
        "    for number in range(3):\n"
        "        progress.tell(lambda: f'{number} [bold] objects', at_once=True)\n"
        f"        print({line!r})\n"
        "        time.sleep(0.3)\n"
    )
    master, terminal = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=terminal, text=True)
    os.close(terminal)
    printed, _ = process.communicate(timeout=60)
    shown = read_whole(master)
    assert printed.splitlines() == [line] * 3
    assert "2 [bold] objects" in shown
    assert "skipped" not in shown
