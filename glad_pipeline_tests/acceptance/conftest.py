"""Real processes in a state directory of their own: what a person types, and what they then find."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest
from dotenv import dotenv_values
from psycopg.rows import dict_row

from glad_pipeline.local.processes import gone
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


def left_running(home, *, but=()):
    """Command lines of living processes whose words or environment name the state directory."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
            concerned = str(home) in " ".join(words) or process.environ().get("GLAD_HOME") == str(home)
            if concerned and not gone(process) and Path(words[0]).name not in but and "pytest" not in " ".join(words):
                found.append(" ".join(words))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


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


class Web(str):
    """The address of a web UI; `link` is the one that `glad up` prints, which logs in."""

    link: str


def running_up(machine, folder):
    """`glad up` on that machine: yields the address of its web UI, then ends it with Ctrl-C."""
    log = folder / "up.out"
    with log.open("w") as out:
        process = machine.start("up", stdout=out, stderr=subprocess.STDOUT)
    try:
        found = soon(lambda: re.search(r"Dagster +(http://\S+)", log.read_text()) or process.poll(), seconds=300)
        assert process.poll() is None, log.read_text()
        web = Web(found[1].partition("/guard/")[0])
        web.link = found[1]
        yield web
        assert interrupted(process) == 0, log.read_text()
        assert left_running(machine.home) == []
    finally:
        if process.poll() is None:
            interrupted(process)


@pytest.fixture(scope="module")
def browser():
    """A real browser, for which `*.example` is this machine."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: the web UI was not looked at")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    flags += ["--host-resolver-rules=MAP *.example 127.0.0.1"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, web):
    """A page of somebody who has opened the address that `glad up` printed."""
    context = browser.new_context(viewport={"width": 1500, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.goto(web.link)
    page.wait_for_url(lambda url: "/guard/" not in url)
    yield page
    context.close()
