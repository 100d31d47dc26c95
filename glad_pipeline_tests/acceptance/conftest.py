"""Real processes in a state directory of their own: what a person types, and what they then find."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import boto3
import psycopg
import pytest
from dotenv import dotenv_values
from psycopg.rows import dict_row

from glad_pipeline_tests.leftovers import left_running
from glad_pipeline_tests.own import require_no_env_file

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Machine:
    """A state directory, and `glad` run on it."""

    home: Path
    settings: dict[str, str] = field(default_factory=dict)

    def __post_init__(self):
        require_no_env_file()

    @property
    def environment(self):
        return os.environ | self.settings | {"GLAD_HOME": str(self.home)}

    @property
    def exports(self):
        """What the machine's servers are reached by."""
        return dotenv_values(self.home / ".env")

    def command(self, *words):
        return [sys.executable, "-m", "glad_pipeline.cli", *words]

    def glad(self, *words, code=0, timeout=600):
        """Run `glad …` to its end and return what it printed. What takes longer is told to end with all it has started."""
        process = self.start(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, err = process.communicate(timeout=90)
            pytest.fail(f"glad {' '.join(words)} took more than {timeout} s\n{out}\n{err}")
        assert process.returncode == code, f"glad {' '.join(words)} → {process.returncode}\n{out}\n{err}"
        return out + err

    def start(self, *words, **options):
        """Whatever the tests were started by, Ctrl-C reaches it: a shell's background jobs ignore it."""
        return subprocess.Popen(
            self.command(*words),
            cwd=ROOT,
            env=self.environment,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
            **options,
        )

    def sql(self, statement, *values, database="DATABASE_URL"):
        with psycopg.connect(self.exports[database], autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def pictures(self):
        """Key and time of every picture in the bucket."""
        bucket = self.exports["AWS_S3_BUCKET"]
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="generated/")
        return {found["Key"]: found["LastModified"] for page in pages for found in page.get("Contents", [])}

    @cached_property
    def _client(self):
        told = self.exports
        return boto3.client(
            "s3",
            endpoint_url=told["AWS_ENDPOINT_URL_S3"],
            region_name=told["AWS_S3_REGION"],
            aws_access_key_id=told["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=told["AWS_SECRET_ACCESS_KEY"],
        )

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


def soon(condition, seconds=60):
    """The first true answer of the condition; fails if there is none in time."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)
    return answer


def fetched(url):
    """Status, headers and SHA-256 of what a browser gets."""
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.status, answer.headers, hashlib.sha256(answer.read()).hexdigest()


def interrupted(process, seconds=60):
    """Ctrl-C, and the exit code."""
    process.send_signal(signal.SIGINT)
    return process.wait(seconds)


@contextmanager
def chromium():
    """A real browser, for which `*.example` is this machine."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: what a browser shows was not looked at")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    flags += ["--host-resolver-rules=MAP *.example 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser
