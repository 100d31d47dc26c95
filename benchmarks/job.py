"""The real job in this process, on the real PostgreSQL and S3 server: a database of its own, objects removed again."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql

from glad_pipeline.database import connect
from glad_pipeline.database.migrations import migrate
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.defs.resources import SdxlResource
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.s3 import S3Store


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """One run of the job."""

    seconds: float  # from the job's start to its end
    steps: dict[str, float]  # seconds of each step
    told: dict[str, Any]  # what the asset `generated_images` reported


@contextmanager
def own_world() -> Iterator[S3Store]:
    """A fresh database beside the given one, for the benchmark alone; yields the store, which keeps nothing of it."""
    url = os.environ["DATABASE_URL"]
    parts = psycopg.conninfo.conninfo_to_dict(url)
    name = f"{parts['dbname']}_benchmark"
    with connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    own = psycopg.conninfo.make_conninfo(**{**parts, "dbname": name})
    migrate(own)
    os.environ["DATABASE_URL"] = own
    try:
        yield bucket()
    finally:
        with connect(own, autocommit=True) as connection:
            remove(bucket(), [row["key"] for row in connection.execute("SELECT key FROM images")])
        os.environ["DATABASE_URL"] = url
        with connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def bucket() -> S3Store:
    """The store that the settings name."""
    settings = load_settings()
    secret = settings.s3_secret_access_key
    return S3Store(
        bucket=settings.s3_bucket or "",
        region=settings.s3_region,
        endpoint_url=settings.s3_endpoint_url,
        access_key_id=settings.s3_access_key_id,
        secret_access_key=secret.get_secret_value() if secret else None,
    )


def remove(store: S3Store, keys: Sequence[str]) -> None:
    """Take these objects out of the store."""
    for start in range(0, len(keys), 1_000):
        some = [{"Key": key} for key in keys[start : start + 1_000]]
        store.client.delete_objects(Bucket=store.bucket, Delete={"Objects": some, "Quiet": True})


def add_hills(count: int) -> None:
    """`count` rows in the table `prompts` that nobody has drawn before."""
    stamp = time.time_ns()
    add([f"a hill at {stamp}"] * count, range(count))


def add(prompts: Sequence[str], seeds: Sequence[int]) -> None:
    """A row in the table `prompts` for each prompt with its seed."""
    rows = [(prompt, f"Picture {place}", seed) for place, (prompt, seed) in enumerate(zip(prompts, seeds, strict=True))]
    with connect(os.environ["DATABASE_URL"]) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO prompts (prompt, title, seed) VALUES (%s, %s, %s)", rows)


def run(sdxl: SdxlResource | None = None, *, claim: int) -> Ran:
    """The job over up to `claim` pending rows. Fails unless every one of them is published."""
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
        left = connection.execute("SELECT status, last_error FROM prompts WHERE status <> 'published'").fetchall()
    assert not left, f"{len(left)} prompts were not published: {left[:3]}"
    return Ran(seconds=seconds, steps=steps, told={name: value.value for name, value in told.items()})
