"""Rows of sources and claims on them, for the tests of sources, pauses and limits."""

from datetime import timedelta

import pytest

from glad_pipeline import cli
from glad_pipeline.database import Database
from glad_pipeline.prompts import hold
from glad_pipeline.prompts.queue import Claim

HOUR = timedelta(hours=1)


@pytest.fixture(name="database")
def a_database(migrated_url, stack, monkeypatch):
    monkeypatch.setattr(hold, "GRACE", 0.0)
    monkeypatch.setenv("DATABASE_URL", migrated_url)
    for name in (name for name in stack if name.startswith("AWS_")):  # else a command starts a store
        monkeypatch.setenv(name, stack[name])
    with Database(migrated_url) as database:
        yield database


def claim(database, worker="run-1", *, longest_wait=None, ahead=True):
    opened = Claim(database, worker=worker, lease=HOUR, max_attempts=3, ahead=ahead, longest_wait=longest_wait)
    return opened.open()


def execute(database, statement, *values):
    with database.transaction() as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def add(database, count=1, source="", priority=0, age=0):
    """Rows of a source; `age`: seconds since they were inserted."""
    rows = execute(
        database,
        "INSERT INTO prompts (prompt, source, priority, created_at)"
        " SELECT 'p', %s, %s, now() - make_interval(secs => %s) FROM generate_series(1, %s) RETURNING id",
        *(source, priority, age, count),
    )
    return [row["id"] for row in rows]


def ids(prompts):
    return [each.id for each in prompts]


def of_sources(prompts):
    return [each.source for each in prompts]


def glad(capsys, *words):
    code = cli.main(["prompts", *words])
    said = capsys.readouterr()
    return code, said.out + said.err
