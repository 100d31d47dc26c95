"""The steps as Alembic takes them: run on our own connection, or printed; and what a file of `versions/` calls.

Alembic and SQLAlchemy are imported only while migrating: they are not cheap, and the graph does not need them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row

from glad_pipeline.database.blog import has_posts

if TYPE_CHECKING:
    import sqlalchemy
    from alembic.config import Config

    from glad_pipeline.database import Connection

HERE = Path(__file__).parent
VERSION_TABLE = "glad_alembic_version"  # not `alembic_version`: the blog has its own


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
    config = _config(schema, output=output, has_blog=has_posts(connection))
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
