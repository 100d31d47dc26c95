"""Dagster's storage as `glad` sets it up: few sessions and few questions, and none that is dead."""

from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import event

from glad_pipeline.defs import kept_connections
from glad_pipeline.defs.kept_connections import ByEnvironment
from glad_pipeline.local import stack as local_stack
from glad_pipeline.settings import settings_of
from glad_pipeline.testing import temporary_pipeline


def parts(storage):
    return storage.run_storage, storage.event_log_storage, storage.schedule_storage


@pytest.fixture
def pipeline(stack):
    with temporary_pipeline(stack["DATABASE_URL"]) as pipeline:
        yield pipeline


@pytest.fixture
def make(pipeline, monkeypatch):
    """Makes storages on a database of Dagster's that nobody has used before."""
    monkeypatch.setattr(kept_connections, "_yes", set())
    settings = settings_of({"DATABASE_URL": pipeline.database_url})
    for name, value in local_stack._dagster_database(settings, pipeline.database_url).items():
        monkeypatch.setenv(name, value)
    made = []

    def storage():
        made.append(ByEnvironment.from_config_value(None, {}))
        return made[-1]

    yield storage
    for each in made:
        for part in parts(each):
            part._engine.dispose()
    name = urlsplit(pipeline.database_url).path[1:] + "_dagster"
    with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def look(storage):
    """What a daemon asks while nothing happens."""
    storage.run_storage.get_run_records()
    storage.schedule_storage.all_instigator_state()
    return storage.schedule_storage.supports_batch_queries


def test_what_dagsters_schema_has_is_asked_once(make):
    said = []
    first = make()
    assert look(first)
    for storage in (first, make()):
        for part in parts(storage):
            event.listen(part._engine, "before_cursor_execute", lambda *call: said.append(call[2]))
        assert look(storage)
    assert said
    assert [statement for statement in said if "pg_catalog" in statement or "SELECT 1" in statement] == []


def test_a_connection_that_the_server_has_ended_is_made_anew(make, pipeline):
    storage = make()
    assert look(storage)
    name = urlsplit(pipeline.database_url).path[1:] + "_dagster"
    ended = pipeline.sql("SELECT pg_terminate_backend(pid, 5000) AS ok FROM pg_stat_activity WHERE datname = %s", name)
    assert len(ended) >= 2
    assert look(storage)
