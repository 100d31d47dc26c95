"""The real job in this process, on a PostgreSQL and an S3 server of its own, which are gone again afterwards."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg

from glad_pipeline.database import connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.local import stack
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.protocol import ObjectStore
from glad_pipeline_tests.own import forget_the_persons, own_settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """One run of the job."""

    seconds: float  # from the job's start to its end
    steps: dict[str, float]  # seconds of each step
    told: dict[str, Any]  # what the asset `generated_images` reported


@contextmanager
def own_world(*, renditions: str = "none") -> Iterator[ObjectStore]:
    """A PostgreSQL and an S3 server for the benchmark alone, which the environment then names; yields the store.

    `renditions`: as GLAD_RENDITIONS. What the environment and `.env` had named is not touched, and counts again
    afterwards.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="glad-benchmark-") as folder:
        forget_the_persons()
        settings = own_settings(Path(folder) / "home")
        try:
            os.environ.update(stack.ensure(settings, foreground=True))
            os.environ["GLAD_RENDITIONS"] = renditions
            migrate(os.environ["DATABASE_URL"])
            yield bucket()
        finally:
            stack.stop(settings)
            os.environ.clear()
            os.environ.update(before)


def bucket() -> ObjectStore:
    """The store that the settings name."""
    return open_store(load_settings())


def add_hills(count: int) -> None:
    """`count` rows in the table `prompts` that nobody has drawn before."""
    stamp = time.time_ns()
    add([f"a hill at {stamp}"] * count, range(count))


def add(prompts: Sequence[str], seeds: Sequence[int]) -> None:
    """A row in the table `prompts` for each prompt with its seed."""
    rows = [(prompt, f"Picture {place}", seed) for place, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))]
    with connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO prompts (prompt, title, seed) VALUES (%s, %s, %s)", rows)


def run(sdxl: SdxlResource | None = None, *, claim: int, left: bool = False) -> Ran:
    """The job over up to `claim` pending rows. Fails unless every one of them is published; `left`: others may wait."""
    defs = build_defs(resource_overrides={"sdxl": sdxl} if sdxl else {})
    job = defs.resolve_job_def(JOB_NAME)
    with dg.DagsterInstance.get() as instance:
        started = time.perf_counter()
        result = job.execute_in_process(
            instance=instance, run_config={"ops": {"prompts": {"config": {"batch_size": claim}}}}
        )
        seconds = time.perf_counter() - started
    steps = {
        event.step_key: event.step_success_data.duration_ms / 1000
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.STEP_SUCCESS and event.step_key
    }
    [told] = [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("generated_images")
    ]
    with connect(os.environ["DATABASE_URL"]) as connection:
        rest = connection.execute(
            "SELECT status, last_error FROM prompts WHERE status <> 'published' AND NOT (%s AND status = 'pending')",
            [left],
        ).fetchall()
    assert not rest, f"{len(rest)} prompts were not published: {rest[:3]}"
    return Ran(seconds=seconds, steps=steps, told={name: value.value for name, value in told.items()})
