"""A database, a bucket and the graph on them, as a process of the rig sees them: all of it from the environment.

Imported by the process from which the others are forked: it may import anything and open nothing.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd  # noqa: F401  every run imports it

from glad_pipeline.database import Database, connect
from glad_pipeline.definitions import build_defs
from glad_pipeline.defs.jobs import JOB_NAME
from glad_pipeline.operations.audit.report import PROBLEMS
from glad_pipeline.operations.audit.walk import audit
from glad_pipeline.pipeline import identity
from glad_pipeline.prompts import hold
from glad_pipeline.settings import load_settings
from glad_pipeline.storage.opening import open_store
from glad_pipeline.storage.protocol import ObjectStore
from glad_pipeline_tests.faults.generators import LoggedSdxl
from glad_pipeline_tests.faults.invariants import Findings, examine
from glad_pipeline_tests.faults.site import settle_in

DRAW_LOG = "RIG_DRAW_LOG"  # the file of the pictures drawn
SITE_LOG = "RIG_SITE_LOG"  # the file of what the site was told; absent: there is no site
POSTS_BEFORE = "RIG_POSTS_BEFORE"  # posts that were there before any prompt, separated by commas
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}  # a line for each event costs more than the work
UNTIL_DONE = 6  # runs: the most that a recovery may take


class World:
    """What the environment names: tables, bucket, graph."""

    def __init__(self) -> None:
        self.draw_log = Path(os.environ[DRAW_LOG])
        self.site_log = Path(os.environ[SITE_LOG]) if os.environ.get(SITE_LOG) else None
        if self.site_log and "GLAD_SITE_URL" not in os.environ:
            settle_in(str(self.site_log))

    @cached_property
    def store(self) -> ObjectStore:
        return open_store(load_settings())

    def sql(self, statement: Any, *values: Any) -> list[Any]:
        with connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def add(self, prompt: str, **columns: Any) -> int:
        names = ["prompt", *columns]
        marks = ", ".join(["%s"] * len(names))
        statement = f"INSERT INTO prompts ({', '.join(names)}) VALUES ({marks}) RETURNING id"
        return int(self.sql(statement, prompt, *columns.values())[0]["id"])

    def add_hills(self, count: int) -> None:
        """`count` prompts with seeds of their own."""
        self.sql(
            "INSERT INTO prompts (prompt, title, seed) SELECT 'a hill', 'Hill ' || n, n FROM generate_series(1, %s) n",
            count,
        )

    def sdxl(self, **fields: Any) -> LoggedSdxl:
        """The GPU of the rig: as fast as can be, so that as much as possible is under way when something breaks."""
        return LoggedSdxl(draw_log=str(self.draw_log), **fields)

    def run(self, sdxl: LoggedSdxl | None = None, *, run_id: str | None = None) -> str | None:
        """One run of the job in this process: None, or why it failed."""
        defs = build_defs(resource_overrides={"sdxl": sdxl or self.sdxl()})
        with dg.DagsterInstance.ephemeral() as instance:
            result = defs.resolve_job_def(JOB_NAME).execute_in_process(
                instance=instance, raise_on_error=False, run_config=QUIET, run_id=run_id
            )
        if result.success:
            return None
        return "\n".join(_reason(event) for event in result.all_events if event.is_failure)

    def work_to_be_done(self) -> bool:
        return work_to_be_done(os.environ["DATABASE_URL"])

    def recover(self) -> list[str | None]:
        """Plain runs until all work is done: how each ended. Nothing else may be needed after any fault."""
        ended: list[str | None] = []
        while not ended or (self.work_to_be_done() and len(ended) < UNTIL_DONE):
            # as if the minutes had passed that a message waits for its next try, or for a deliverer that died
            self.sql("UPDATE outbox SET next_attempt_at = now(), taken_until = NULL WHERE status = 'waiting'")
            ended.append(self.run())
        return ended

    def examine(self) -> Findings:
        before = [uuid.UUID(text) for text in os.environ.get(POSTS_BEFORE, "").split(",") if text]
        with connect(os.environ["DATABASE_URL"]) as connection:
            findings = examine(
                connection, self.store, draw_log=self.draw_log, site_log=self.site_log, posts_before=before
            )
        with Database(os.environ["DATABASE_URL"]) as database:  # the product's own look, from which ours is apart
            report = audit(database, self.store, grace=timedelta(0), deep=True)
        said = [f"audit: {name}: {example}" for name in PROBLEMS for example in report.findings[name].examples]
        return replace(findings, audited=said)

    def empty_bucket(self) -> None:
        self.store.delete([listed.key for listed in self.store.listing("")])


def _reason(event: dg.DagsterEvent) -> str:
    data: Any = event.event_specific_data
    error = getattr(data, "error", None)
    failure = getattr(data, "user_failure_data", None)
    description = getattr(failure, "description", None)
    return str(description or (error.message if error else event.message))


def shorten_grace(seconds: float = 0.3) -> None:
    """For recoveries, where nobody else lives who could be taken for dead."""
    hold.GRACE = seconds


def work_to_be_done(url: str) -> bool:
    """Whether another run could do something; a prompt of the rig that cannot be drawn is not worth one."""
    with connect(url) as connection:
        row = connection.execute(
            "SELECT EXISTS (SELECT FROM prompts WHERE status = 'claimed' OR (status = 'pending' AND NOT"
            " (prompt LIKE '%UNDRAWABLE%' AND last_error IS NOT NULL)) OR (status = 'generated' AND"
            " coalesce(publish_at, '-infinity') <= now()))"
            " OR EXISTS (SELECT FROM outbox WHERE status = 'waiting')"
            " OR EXISTS (SELECT FROM run_reports WHERE published) AS work"
        ).fetchone()
    assert row is not None
    return bool(row["work"])


def examined() -> Findings:
    """In a process of its own: hold everything against everything."""
    return World().examine()


def run_once(fields: Mapping[str, Any], run_id: str | None = None) -> str | None:
    """In a process of its own: one run, with a GPU of these `fields`."""
    world = World()
    return world.run(world.sdxl(**fields), run_id=run_id)


def begun() -> None:
    """In a process of its own: the store belongs to the database before anything happens to it."""
    with Database(os.environ["DATABASE_URL"]) as database:
        identity.settle(database, World().store, tell=lambda text: None)


def emptied() -> None:
    """In a process of its own: remove every object."""
    World().empty_bucket()
