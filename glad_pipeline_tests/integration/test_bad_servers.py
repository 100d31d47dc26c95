"""Servers and roles that refuse us, or are none for us: a sentence with the cure, before anything is claimed."""

from __future__ import annotations

import uuid
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from glad_pipeline.database import Database, DatabaseError, connect, require_fit
from glad_pipeline.database.cures import problem_of_writing
from glad_pipeline.database.migrations import MigrationError, migrate
from glad_pipeline.defs.resources import PostgresResource
from glad_pipeline.defs.wiring import definitions
from glad_pipeline.errors import GladError
from glad_pipeline.local import stack
from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.settings import settings_of
from glad_pipeline.testing import Names, temporary_pipeline

PASSWORD = "not-hunter2"


class Role:
    """A role of its own on the tests' server."""

    def __init__(self, url):
        self.admin = url
        self.name = f"role_{uuid.uuid4().hex[:8]}"
        self.alter("CREATE ROLE {} LOGIN PASSWORD '" + PASSWORD + "'")

    def alter(self, statement):
        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute(sql.SQL(statement).format(sql.Identifier(self.name)))

    @property
    def url(self):
        parts = urlsplit(self.admin)
        return parts._replace(netloc=f"{self.name}:{PASSWORD}@{parts.hostname}:{parts.port}").geturl()


@pytest.fixture
def role(database_url):
    role = Role(database_url)
    yield role
    role.alter("DROP OWNED BY {}")
    role.alter("DROP ROLE {}")


@pytest.fixture
def pipeline(stack):
    with temporary_pipeline(stack["DATABASE_URL"]) as pipeline:
        yield pipeline


def words_of_a_run(pipeline, url):
    """What a run says that has this database's URL."""
    overrides = {**pipeline.overrides, "postgres": PostgresResource(url=url, patience=0.0)}
    job = definitions(settings_of({}), Names(), overrides).resolve_job_def("publish_prompts")
    result = job.execute_in_process(raise_on_error=False)
    assert not result.success
    return str(result.failure_data_for_node("prompts").user_failure_data.description)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("statement", "said", "cure"),
    [
        ("ALTER ROLE {} NOLOGIN", "is not permitted to log in", "ALTER ROLE … LOGIN"),
        ("ALTER ROLE {} CONNECTION LIMIT 0", "too many connections for role", "CONNECTION LIMIT"),
        ("ALTER ROLE {} VALID UNTIL '2001-01-01'", "password authentication failed", "VALID UNTIL"),
    ],
)
def test_a_role_that_is_refused_is_told_what_to_do(role, statement, said, cure):
    connect(role.url).close()
    role.alter(statement)
    with pytest.raises(DatabaseError) as refused:
        connect(role.url)
    assert said in str(refused.value)
    assert cure in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_password_that_expires_meanwhile_is_told_at_once_and_not_waited_for(role):
    with Database(role.url, patience=600) as database:
        assert database.read(lambda c: c.execute("SELECT 1 AS n").fetchone()) == {"n": 1}
        role.alter("ALTER ROLE {} VALID UNTIL '2001-01-01'")
        assert database.read(lambda c: c.execute("SELECT 1 AS n").fetchone()) == {"n": 1}  # a session stays
        database.close()
        with pytest.raises(DatabaseError, match="VALID UNTIL"):
            database.read(lambda c: c.execute("SELECT 1").fetchone())


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("ALTER DATABASE {} ALLOW_CONNECTIONS false", "ALLOW_CONNECTIONS true"),
        ("ALTER DATABASE {} CONNECTION LIMIT 0", "CONNECTION LIMIT"),
        ("REVOKE CONNECT ON DATABASE {} FROM PUBLIC", "GRANT CONNECT"),
    ],
)
def test_a_database_that_lets_nobody_in_is_told(role, database_url, statement, said):
    name = urlsplit(database_url).path[1:]
    with psycopg.connect(urlsplit(database_url)._replace(path="/postgres").geturl(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(name)))
        with pytest.raises(DatabaseError, match=said):
            connect(role.url)
        connection.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
        connection.execute(sql.SQL("ALTER DATABASE {} CONNECTION LIMIT -1").format(sql.Identifier(name)))


def test_a_setting_that_the_server_does_not_take_is_told_as_one_of_the_url(database_url):
    with pytest.raises(DatabaseError, match=r"statement_timeout.*`options`"):
        connect(f"{database_url}?statement_timeout=soon")


def test_a_role_that_may_only_read_is_told_before_anything_is_claimed(pipeline):
    pipeline.add("a quiet harbour")
    url = pipeline.database_url + "?options=-cdefault_transaction_read_only%3Don"
    assert "RESET default_transaction_read_only" in words_of_a_run(pipeline, url)
    with connect(url, autocommit=True) as connection:
        connection.execute("SELECT 1")
    (prompt,) = pipeline.prompts()
    assert (prompt["status"], prompt["attempts"], prompt["claimed_by"]) == ("pending", 0, None)


def test_migrating_with_a_role_that_may_only_read_names_the_default(database_url):
    with pytest.raises(MigrationError, match=r"RESET default_transaction_read_only"):
        migrate(database_url + "?options=-cdefault_transaction_read_only%3Don")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", pytest.param("LATIN1", marks=pytest.mark.deep)])
def test_a_database_in_another_encoding_is_refused_by_migrate_and_by_a_claim(stack, encoding):
    name = f"test_{encoding.lower()}_{uuid.uuid4().hex[:8]}"
    url = urlsplit(stack["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
        try:
            with pytest.raises(DatabaseError, match=f"encoded in {encoding}.*ENCODING 'UTF8'"):
                migrate(url)
            with connect(url) as ours, pytest.raises(DatabaseError, match="DATABASE_URL"):
                require_fit(ours)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_an_old_server_is_refused_before_anything_is_claimed(pipeline, monkeypatch):
    pipeline.add("a quiet harbour")
    monkeypatch.setattr(psycopg.ConnectionInfo, "server_version", 130_012)
    with pytest.raises(DatabaseError, match="is version 13; 14 or newer is needed: upgrade"):
        migrate(pipeline.database_url)
    assert "is version 13" in words_of_a_run(pipeline, pipeline.database_url)
    (prompt,) = pipeline.prompts()
    assert (prompt["status"], prompt["attempts"], prompt["claimed_by"]) == ("pending", 0, None)


def test_a_role_that_may_make_no_database_for_dagster_is_told_three_ways_and_takes_one_made_beforehand(role):
    name = f"{role.name}_dagster"
    with pytest.raises(GladError, match=rf'CREATE DATABASE "{name}".*CREATEDB.*DAGSTER_DATABASE_URL'):
        stack._create(role.url, name)
    with psycopg.connect(role.admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*map(sql.Identifier, (name, role.name))))
        stack._create(role.url, name)
        connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


@pytest.mark.deep
def test_a_standby_is_told_as_one_and_nothing_of_it_is_claimed(tmp_path):
    home = Home(tmp_path).prepare()
    server = Postgres(home)
    with home.lock():
        server.start(die_with_us=True)
        try:
            with temporary_pipeline(server.url()) as pipeline:
                pipeline.add("a quiet harbour")
                server.stop()
                (server.data / "standby.signal").touch()
                server.start(die_with_us=True)
                url = urlsplit(server.url())._replace(path=urlsplit(pipeline.database_url).path).geturl()
                assert "DATABASE_URL has to name the primary" in words_of_a_run(pipeline, url)
                with connect(url) as connection:
                    problem = problem_of_writing(connection)
                assert problem is not None
                assert "is a standby" in problem.in_words()
                (prompt,) = pipeline.prompts()
                assert (prompt["status"], prompt["attempts"], prompt["claimed_by"]) == ("pending", 0, None)
                server.stop()
                (server.data / "standby.signal").unlink()
                server.start(die_with_us=True)
        finally:
            server.stop()
