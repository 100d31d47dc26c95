"""The steps as Alembic takes them: run on our own connection, or printed; and what a file of `versions/` calls.

Alembic and SQLAlchemy are imported only while migrating: they are not cheap, and the graph does not need them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row

from glad_pipeline.database import named_queries
from glad_pipeline.database.blog import has_posts

if TYPE_CHECKING:
    import sqlalchemy
    from alembic.config import Config

    from glad_pipeline.database import Connection

HERE = Path(__file__).parent
VERSION_TABLE = "glad_alembic_version"  # not `alembic_version`: the blog has its own
CONCURRENT_LOCK_TIMEOUT = "1min"  # what is made CONCURRENTLY waits for old transactions, and nobody waits behind it
_SQL = named_queries(__package__, "checks.sql")


def run_sql(revision_file: str) -> None:
    """Run the SQL file that goes with a file of `versions/`, inside the migration's transaction; or print it."""
    from alembic import context, op

    file = HERE / Path(revision_file).with_suffix(".sql").name
    if context.is_offline_mode():
        op.get_context().impl.static_output(file.read_text(encoding="utf-8"))
    else:
        driver_connection().execute(file.read_bytes())


def has_blog() -> bool:
    """For a file of `versions/`: whether the database has had a blog before this migration."""
    from alembic import context

    return bool(context.config.attributes["has_blog"])


def run_concurrently(revision_file: str) -> None:
    """Run such a file's statements one by one, each committed by itself, as what is made CONCURRENTLY has to be.

    What the migration did before is committed too. Killed in between, the whole file is run again.
    """
    from alembic import context, op

    text = (HERE / Path(revision_file).with_suffix(".sql").name).read_text(encoding="utf-8")
    with op.get_context().autocommit_block():
        if context.is_offline_mode():
            op.get_context().impl.static_output(text)
            return
        connection = driver_connection()
        with _set(connection, lock_timeout=CONCURRENT_LOCK_TIMEOUT, client_min_messages="warning"):
            for statement in re.split(r";\n(?=\S)", text):
                connection.execute(statement.encode())


@contextmanager
def _set(connection: psycopg.Connection[Any], **settings: str) -> Iterator[None]:
    """Settings of the session for the length of the block."""
    before = {name: connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in settings}
    for name, wanted in settings.items():
        connection.execute("SELECT set_config(%s, %s, false)", [name, wanted])
    try:
        yield
    finally:
        for name, row in before.items():
            if row is not None and not connection.closed:
                connection.execute("SELECT set_config(%s, %s, false)", [name, row[0]])


def has_our_posts() -> bool:
    """For a file of `versions/`: whether the blog's posts are those that 0002 has made."""
    from alembic import context

    if context.is_offline_mode():
        return bool(context.config.attributes["our_posts"])
    return _are_ours(driver_connection(), context.config.attributes["schema"])


def _are_ours(connection: psycopg.Connection[Any], schema: str) -> bool:
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_SQL["our_posts"], {"schema": schema}).fetchone() is not None


def driver_connection() -> psycopg.Connection[Any]:
    """psycopg's own connection of the migration that runs: many statements at once, `%` and `:` as they are."""
    from alembic import op

    connection = op.get_bind().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)  # noqa: S101 - it is the one `_upgrade` put there
    return connection


@contextmanager
def _quiet_alembic() -> Iterator[None]:
    """Keep Alembic's chatter out of the log of whoever logs at INFO: our own lines say it."""
    logger = logging.getLogger("alembic")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


@_quiet_alembic()
def upgrade(connection: Connection, schema: str) -> None:
    """`alembic upgrade head` on our own connection; errors come out as psycopg's."""
    from alembic import command
    from sqlalchemy.exc import DBAPIError

    try:
        with _as_sqlalchemy(connection) as bind:
            command.upgrade(_config(schema, connection=bind, has_blog=has_posts(connection)), "head")
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise


@_quiet_alembic()
def printed(connection: Connection, schema: str, version: str | None) -> str:
    """The SQL of every step after `version` (None: all), with what Alembic notes of each. Nothing is run."""
    from alembic import command

    output = StringIO()
    found = has_posts(connection)
    ours = _are_ours(connection, schema) if found else (version or "") < "0002"  # which makes them
    config = _config(schema, output=output, has_blog=found, our_posts=ours)
    command.upgrade(config, f"{version or 'base'}:head", sql=True)
    return output.getvalue()


def _config(schema: str, **given: Any) -> Config:
    from alembic.config import Config

    config = Config()  # no ini file: nothing configures logging
    config.set_main_option("script_location", str(HERE).replace("%", "%%"))
    config.attributes.update(version_table=VERSION_TABLE, schema=schema, **given)
    return config


@contextmanager
def _as_sqlalchemy(connection: Connection) -> Iterator[sqlalchemy.Connection]:
    """Our own connection: a second one for SQLAlchemy would be a second session, without the lock."""
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    connection.autocommit = False
    row_factory, connection.row_factory = connection.row_factory, tuple_row  # type: ignore[assignment]
    try:
        with engine.connect() as bind:
            yield bind
    finally:
        if not connection.closed:
            connection.rollback()
            connection.row_factory = row_factory
            connection.autocommit = True
