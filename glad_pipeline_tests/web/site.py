"""The site as `glad up` serves it, before a gateway over a database and a bucket of its own."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from unittest.mock import patch

import dagster as dg
import numpy as np
import psycopg
import pytest
from psycopg.rows import dict_row

from glad_pipeline.callers.keys import make_key
from glad_pipeline.database import Database
from glad_pipeline.definitions import build_defs
from glad_pipeline.generation.engine import Drawn
from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.http_client import local_status
from glad_pipeline.local import site as product
from glad_pipeline.local.home import Home
from glad_pipeline.local.node import find_node
from glad_pipeline.local.processes import end_session, wait_until
from glad_pipeline.settings import Settings, settings_of
from glad_pipeline.testing import InstantSdxl
from glad_pipeline_tests.gateway.conftest import served

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
SECRET = "the-secret-of-site-and-gateway"


def packing():
    """`web/scripts/pack.py` as a module."""
    spec = importlib.util.spec_from_file_location("glad_pack", WEB / "scripts" / "pack.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def archive_of_these_sources() -> Path:
    """The packed site: the one that ships if it is of these sources, else one that is built now, once for all workers."""
    pack = packing()
    wanted = pack.hash_of_sources()
    if is_of(product.ARCHIVE, wanted):
        return product.ARCHIVE
    if shutil.which("npm") is None:
        pytest.fail("the packed site is of other sources, and there is no npm to build it with: `npm run pack` in web/")
    with (WEB / "package.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = WEB / "node_modules" / ".glad" / "site.tar.xz"
        if not is_of(built, wanted):
            command = [sys.executable, WEB / "scripts" / "pack.py", "--to", built.parent]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
    return built


def is_of(archive: Path, sources: str) -> bool:
    facts = archive.with_name("site.json")
    return archive.exists() and facts.exists() and json.loads(facts.read_text())["sources"] == sources


class Painted(InstantSdxl):
    """Draws a sky over a ground, in colours of the seed, in no time: a picture that compresses as pictures do."""

    side: int = 768

    def _drawn(self, recipe: Recipe) -> Drawn:
        drawn = super()._drawn(recipe)
        if drawn.error is None and "BLANK" not in recipe.prompt:
            width, height = (
                (self.side * 3 // 4, self.side) if "portrait" in recipe.prompt else (self.side, self.side * 2 // 3)
            )
            drawn = Drawn(
                recipe=recipe, pixels=landscape(recipe.seed, width, height), seconds=0.0, provenance={"device": "none"}
            )
        return drawn


def landscape(seed: int, width: int, height: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    top, bottom, sun = random.integers(20, 236, (3, 3))
    ground = 255 - 0.3 * (255 - top) if top.mean() < 128 else 0.3 * top  # whatever the seed, no picture is blank
    y, x = np.mgrid[0:height, 0:width]
    part = (y / height)[..., None]
    pixels = top * (1 - part) + bottom * part
    ridge = height * (0.6 + 0.12 * np.sin(x / width * random.uniform(4, 14) + random.uniform(0, 6)))
    pixels[y > ridge] = ground
    centre = random.uniform(0.2, 0.8, 2) * (width, height / 2)
    pixels[(x - centre[0]) ** 2 + (y - centre[1]) ** 2 < (height / 9) ** 2] = sun
    return np.clip(pixels + random.normal(0, 2, pixels.shape), 0, 255).astype(np.uint8)


@dataclass
class Site:
    """What a test of the web has: addresses, rows, a run that publishes what waits, keys."""

    url: str  # of the site
    gateway: str  # its address
    environment: Mapping[str, str]  # of a command on this database and bucket, which tells this site
    log: Path
    instance: dg.DagsterInstance = field(default_factory=dg.DagsterInstance.ephemeral)

    @property
    def settings(self) -> Settings:
        return settings_of(dict(self.environment))

    @cached_property
    def database(self) -> Database:
        return Database(self.environment["DATABASE_URL"])

    def sql(self, statement, *values):
        with psycopg.connect(self.environment["DATABASE_URL"], autocommit=True, row_factory=dict_row) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def add(self, prompt, **columns):
        """A prompt; its id. `portrait` in it is a picture higher than wide, `BLANK` one that the gate rejects."""
        names = ["prompt", *columns]
        marks = ", ".join(["%s"] * len(names))
        statement = f"INSERT INTO prompts ({', '.join(names)}) VALUES ({marks}) RETURNING id"
        return self.sql(statement, prompt, *columns.values())[0]["id"]

    def run(self, sdxl=None) -> dg.ExecuteInProcessResult:
        """One run of the job: what waits is drawn, published, and told to the site."""
        with patch.dict(os.environ, self.environment):
            job = build_defs(resource_overrides={"sdxl": sdxl or Painted()}).resolve_job_def("publish_prompts")
            result = job.execute_in_process(instance=self.instance, raise_on_error=False)
        assert result.success, [event.message for event in result.all_events if event.is_failure]
        return result

    def key(self, *scopes: str) -> str:
        """A new API key: of an admin, unless scopes are named."""
        [row] = self.sql("SELECT count(*) AS number FROM api_keys")
        return make_key(self.database, f"test-{row['number']}", scopes or ["admin"])[1]

    def said(self) -> str:
        """What its process has logged."""
        return self.log.read_text(errors="replace")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running(
    archive: Path, environment: Mapping[str, str], port: int, gateway: str, home: Home, **more: str
) -> Iterator[Path]:
    """The site's process on this port, before this gateway, with `more` in its environment; its log."""
    node = find_node(Path(sys.prefix))
    assert node is not None
    made = product.Site(settings=settings_of(environment), node=node, folder=product.unpack(home, archive))
    log = home.logs / "site.log"
    program = made.program(environment, port, gateway)
    process = replace(program, environment=program.environment | more).start(log)
    try:
        up = wait_until(lambda: local_status(port, product.PROBE) is not None or process.poll() is not None, 60)
        assert up, log.read_text()
        assert process.poll() is None, log.read_text()
        yield log
    finally:
        end_session(process, signal.SIGINT, 5)


@contextmanager
def serving(archive: Path, database_url: str, store: Mapping[str, str], folder: Path, **more: str) -> Iterator[Site]:
    """Gateway and site over these, as `glad up` starts them; `more`: what else is set."""
    home = Home(folder / "home").prepare()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    told = {
        "GLAD_SITE_URL": url,
        "GLAD_REVALIDATE_SECRET": SECRET,
        "GLAD_RENDITIONS": "webp",
        "GLAD_HOME": str(home.path),
    }
    environment = {**store, **told, "DATABASE_URL": database_url, "GLAD_SITE": "on", **more}
    with (
        served(settings_of(environment)) as gateway,
        running(archive, environment, port, gateway, home) as log,
    ):
        site = Site(url=url, gateway=gateway, environment=environment, log=log)
        yield site
    site.database.close()
