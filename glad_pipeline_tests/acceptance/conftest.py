"""Real processes in a state directory of their own: what a person types, and what they then find."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from dotenv import dotenv_values
from psycopg.rows import dict_row

ROOT = Path(__file__).parents[2]


@dataclass
class Machine:
    """A state directory, and `glad` run on it."""

    home: Path

    @property
    def environment(self):
        return os.environ | {"GLAD_HOME": str(self.home)}

    def command(self, *words):
        return [sys.executable, "-m", "glad_pipeline.cli", *words]

    def glad(self, *words, code=0, timeout=180):
        """Run `glad …` to its end and return what it printed."""
        done = subprocess.run(
            self.command(*words),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == code, f"glad {' '.join(words)} → {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def start(self, *words, **options):
        return subprocess.Popen(self.command(*words), cwd=ROOT, env=self.environment, text=True, **options)

    def sql(self, statement, *values):
        url = dotenv_values(self.home / ".env")["DATABASE_URL"]
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def wait_until_published(self, prompt_id, seconds):
        """How long it took; fails with the row if it took longer."""
        started = time.monotonic()
        while True:
            (row,) = self.sql("SELECT * FROM prompts WHERE id = %s", prompt_id)
            if row["status"] == "published":
                return time.monotonic() - started
            assert time.monotonic() - started < seconds, row
            time.sleep(0.2)


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    machine = Machine(tmp_path_factory.mktemp("a machine"))
    yield machine
    machine.glad("down")
    assert left_running(machine.home) == []


def left_running(home):
    """Command lines of processes that still mention the state directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").replace("\0", " ")
        except OSError:
            continue
        if str(home) in words and "pytest" not in words:
            found.append(words)
    return found


def fetched(url):
    """Status, headers and SHA-256 of what a browser gets."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.headers, hashlib.sha256(answer.read()).hexdigest()


def interrupted(process, seconds=60):
    """Ctrl-C, and the exit code."""
    process.send_signal(signal.SIGINT)
    return process.wait(seconds)
