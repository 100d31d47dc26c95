"""A running `glad up` as somebody has it who has set nothing, in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values

from glad_pipeline.database import Connection, connect
from glad_pipeline.local.stack import project_root
from glad_pipeline_tests.own import forget_the_persons, require_no_env_file

PATIENCE = 120.0  # seconds until it is up, or a row is a post


@dataclass
class Site:
    """A running `glad up` with everything it needs, in a directory of its own."""

    home: Path
    environment: dict[str, str]
    pid: int = 0  # of `glad up`

    def glad(self, *words: str) -> str:
        """Run `glad …` to its end and return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "glad_pipeline.cli", *words],
            cwd=project_root(),
            env=self.environment,
            stdout=subprocess.PIPE,
            check=True,
            text=True,
            timeout=300,
        )
        return done.stdout

    def connect(self, name: str) -> Connection:
        url = dotenv_values(self.home / ".env")[name]
        assert url is not None
        return connect(url, autocommit=True)


@contextmanager
def own_site() -> Iterator[Site]:
    """`glad up` as somebody has it who has set nothing."""
    forget_the_persons()
    require_no_env_file()
    with tempfile.TemporaryDirectory(prefix="glad-site-") as folder:
        home, log = Path(folder) / "home", Path(folder) / "up.log"
        site = Site(home, {**os.environ, "GLAD_HOME": str(home)})
        with log.open("w") as out:
            up = subprocess.Popen(
                [sys.executable, "-m", "glad_pipeline.cli", "up"],
                cwd=project_root(),
                env=site.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        site.pid = up.pid
        try:
            until = time.monotonic() + PATIENCE
            while not re.search(r"Dagster +http://", log.read_text()):
                assert up.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.2)
            yield site
        finally:
            site.glad("down")
            up.wait(30)
