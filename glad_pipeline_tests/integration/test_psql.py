"""`glad psql` on a real PostgreSQL: answers, refusals, and a real session of psql."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glad_pipeline import cli
from glad_pipeline.database import connect
from glad_pipeline.errors import GladError
from glad_pipeline.local.postgres import locate
from glad_pipeline.operations.psql import session


@pytest.fixture
def ask(database_url, monkeypatch, capsys):
    """Runs `glad psql` with these arguments on a database with one table."""
    with connect(database_url) as connection:
        connection.execute("CREATE TABLE things (id int, name text)")
        connection.execute("INSERT INTO things VALUES (1, 'one'), (2, %s), (3, NULL)", ["\x1b[31mred\ntwo lines\x07"])
    monkeypatch.setenv("DATABASE_URL", database_url)

    def asked(*arguments: str) -> tuple[int, str, str]:
        code = cli.main(["psql", *arguments])
        told = capsys.readouterr()
        return code, told.out, told.err

    return asked


def test_an_answer_is_a_table_that_steers_no_terminal(ask):
    code, out, _ = ask("-c", "SELECT id, id, name FROM things ORDER BY id")
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [
        ["id", "id", "name"],
        ["--", "--", "----------"],
        ["1", "1", "one"],
        ["2", "2", "·[31mred"],
        ["two", "lines·"],
        ["3", "3"],
        ["SELECT", "3"],
    ]


def test_for_scripts_it_is_json(ask):
    code, out, _ = ask(
        "--json", "-c", "SELECT id, now() - now() AS d, 'NaN'::float AS n FROM things ORDER BY id LIMIT 1"
    )
    assert (code, json.loads(out)) == (0, [{"id": 1, "d": "0:00:00", "n": "nan"}])


def test_it_only_reads_unless_it_is_to_write(ask, database_url):
    code, out, err = ask("-c", "DELETE FROM things")
    assert (code, out) == (1, "")
    assert "read-only transaction: this session only reads. To change rows: ./glad psql --write" in err
    assert ask("--write", "-c", "DELETE FROM things")[:2] == (0, "DELETE 3\n")
    with connect(database_url) as connection:
        assert connection.execute("SELECT FROM things").fetchall() == []


@pytest.mark.parametrize(
    ("statement", "words"), [("SELEKT 1", "syntax error"), ("SELECT * FROM nothing", "does not exist"), ("", None)]
)
def test_what_cannot_be_is_said_in_a_line(ask, statement, words):
    code, _, err = ask("-c", statement)
    assert code == (1 if words else 0)
    assert "Traceback" not in err
    assert (words or "") in err


def test_json_needs_a_statement(ask):
    assert ask("--json")[0] == 2


def test_the_password_is_not_on_psqls_command_line(database_url):
    words, secrets = session(f"{database_url}?sslpassword=s3cr3t-key&options=-csearch_path%3Dpublic", writes=False)
    password = secrets["PGPASSWORD"]
    assert password in database_url
    assert not any(password in word or "s3cr3t-key" in word for word in words)
    assert "-csearch_path=public -c default_transaction_read_only=on" in words[-1]


@pytest.mark.parametrize("on_path", [True, False], ids=["on PATH", "the embedded server's own"])
def test_a_session_is_psqls_and_reads_only(database_url, on_path, tmp_path):
    path = tmp_path / "bin"
    path.mkdir()
    if on_path:  # a machine's own psql, which may be missing: the embedded server's stands there
        program = path / "psql"
        program.write_text(f'#!/bin/sh\ntouch "{tmp_path}/asked"\nexec "{locate().folder / "psql"}" "$@"\n')
        program.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-m", "glad_pipeline.cli", "psql"],
        input="SHOW default_transaction_read_only;\nSELECT current_database();\nCREATE TABLE x ();\n",
        env={
            **os.environ,
            "DATABASE_URL": database_url,
            "PATH": f"{path}:/bin" if on_path else str(path),
            "GLAD_HOME": str(tmp_path),
        },
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert " on\n" in done.stdout, done.stderr
    assert f" {database_url.rpartition('/')[2]}\n" in done.stdout
    assert "cannot execute CREATE TABLE in a read-only transaction" in done.stderr
    assert (tmp_path / "asked").exists() is on_path


def test_without_any_psql_it_says_what_to_do(database_url, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(GladError, match=r"there is no psql.*\./glad psql -c"):
        session(database_url, writes=False)
