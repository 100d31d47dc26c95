"""Through a real PgBouncer: session mode publishes, with the right times; transaction mode is refused at the start."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlsplit

import psycopg
import pytest

from glad_pipeline.database import Database, DatabaseError, connect, sessions
from glad_pipeline.database.migrations import migrate
from glad_pipeline.defs.kept_connections import ByEnvironment
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.defs.wiring import definitions
from glad_pipeline.errors import GladError
from glad_pipeline.local import stack
from glad_pipeline.operations import psql
from glad_pipeline.settings import settings_of
from glad_pipeline.testing import Names, temporary_pipeline
from glad_pipeline_tests.poolers import pgbouncer


@pytest.fixture(autouse=True)
def _nothing_proven(monkeypatch):
    monkeypatch.setattr(sessions, "_with_sessions", set())


@pytest.fixture
def pipeline(stack):
    with temporary_pipeline(stack["DATABASE_URL"]) as pipeline:
        yield pipeline


def run(pipeline, url):
    """One run of the job whose database is `url`."""
    overrides = {**pipeline.overrides, "postgres": PostgresResource(url=url, patience=0.0)}
    job = definitions(settings_of({}), Names(), overrides).resolve_job_def("publish_prompts")
    return job.execute_in_process(raise_on_error=False)


@pytest.mark.few(1)
@pytest.mark.parametrize("options", [{}, {"ignore_startup_parameters": "options", "server_round_robin": 1}])
def test_session_mode_publishes_with_the_right_times_in_a_database_in_new_york(pipeline, options):
    name = urlsplit(pipeline.database_url).path[1:]
    pipeline.sql(f"ALTER DATABASE {name} SET timezone = 'America/New_York'")
    pipeline.add("a quiet harbour", title="Before the boats")
    pipeline.add("a far hill", title="Later", publish_at=datetime(2020, 1, 2, 3, 4, tzinfo=UTC))
    before = datetime.now(UTC)
    with pgbouncer(pipeline.database_url, "session", **options) as url:
        assert run(pipeline, url + "?options=-csearch_path%3Dpublic").success
        with connect(url) as connection:
            assert connection.info.parameter_status("TimeZone") == "UTC"
    later, now = sorted(pipeline.posts(), key=lambda post: post["title"], reverse=True)
    assert [later["title"], now["title"]] == ["Later", "Before the boats"]
    published = [post["published_at"].replace(tzinfo=UTC) for post in (later, now)]
    assert before <= published[1] <= datetime.now(UTC)
    assert [row["status"] for row in pipeline.prompts()] == ["published"] * 2


TURNS = {"server_round_robin": 1, "min_pool_size": 3}
ONE = {"default_pool_size": 1}


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("transaction", {}),
        ("transaction", TURNS),
        ("statement", ONE),
        *(pytest.param(mode, o, marks=pytest.mark.deep) for mode, o in [("transaction", ONE), ("statement", TURNS)]),
    ],
)
def test_a_pool_without_sessions_is_refused_before_anything_is_claimed(pipeline, mode, options):
    pipeline.add("a quiet harbour")
    with pgbouncer(pipeline.database_url, mode, **options) as url:
        with Database(pipeline.database_url) as direct, direct.transaction() as connection:
            connection.execute("DELETE FROM run_claims")
        with pytest.raises(DatabaseError, match="transaction mode") as refused:
            migrate(url)
        result = run(pipeline, url)
    assert "session" in str(refused.value)
    assert not result.success
    assert "pool_mode = session" in str(result.failure_data_for_node("prompts").user_failure_data.description)
    (prompt,) = pipeline.prompts()
    assert (prompt["status"], prompt["attempts"], prompt["claimed_by"]) == ("pending", 0, None)
    assert pipeline.sql("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND granted")[0]["n"] == 0


def test_a_shared_session_is_left_as_it_was(pipeline):
    with pgbouncer(pipeline.database_url, "transaction", default_pool_size=1) as url:
        with pytest.raises(DatabaseError):
            connect(url + "?options=-csearch_path%3Dpg_catalog%20-cwork_mem%3D99MB")
        with psycopg.connect(url) as theirs:
            assert theirs.execute("SELECT current_schema(), current_setting('work_mem')").fetchone() == (
                "public",
                "4MB",
            )


def test_a_pooler_is_asked_once_in_a_process(pipeline, monkeypatch):
    asked = []
    real = sessions.problem_of_pooling
    monkeypatch.setattr(sessions, "problem_of_pooling", lambda *each: asked.append(1) or real(*each))
    with pgbouncer(pipeline.database_url, "session") as url, Database(url) as database:
        for _ in range(3):
            database.connect().close()
    connect(pipeline.database_url).close()
    assert len(asked) == 1


def test_statements_are_not_prepared_behind_a_pooler(pipeline):
    with (
        pgbouncer(pipeline.database_url, "session") as url,
        connect(url) as through,
        connect(pipeline.database_url) as c,
    ):
        assert through.prepare_threshold is None
        assert c.prepare_threshold is not None


def test_a_session_of_psql_through_a_pooler_is_refused_unless_it_may_write(pipeline):
    with pgbouncer(pipeline.database_url, "session", ignore_startup_parameters="options") as url:
        with pytest.raises(GladError, match="cannot be made read-only"):
            psql.session(url, writes=False)
        words, _ = psql.session(url, writes=True)
        assert "options" not in words[-1]
        (answer,) = psql.answers(url, "SHOW default_transaction_read_only", writes=False)
        assert answer.rows == [("on",)]


def test_dagsters_own_database_is_made_and_kept_through_a_pooler_in_session_mode(pipeline, monkeypatch):
    with pgbouncer(pipeline.database_url, "session") as url:
        name = urlsplit(url).path[1:] + "_dagster"
        try:
            given = url.replace("postgresql://", "postgresql+psycopg2://") + "?schema=public&pgbouncer=true"
            settings = settings_of({"DATABASE_URL": given})
            for variable, value in stack._dagster_database(settings, settings.database_url.get_secret_value()).items():
                monkeypatch.setenv(variable, value)
            storage = ByEnvironment.from_config_value(None, {})
            assert storage.run_storage.get_runs_count() == 0
            for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
                part._engine.dispose()
            assert pipeline.sql("SELECT count(*) AS n FROM pg_database WHERE datname = %s", name)[0]["n"] == 1
        finally:
            with psycopg.connect(pipeline.database_url, autocommit=True) as connection:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
