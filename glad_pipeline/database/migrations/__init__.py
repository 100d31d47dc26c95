"""The schema: plain SQL, one file a step, applied in order by Alembic under a lock.

Here: our own tables, the blog's tables where they are absent, and what the pipeline adds to them where they
are present. Forward only. Nothing that is not ours is dropped or retyped. Not here: statements that read or
write rows (they live with their rooms).

A step is `NNNN_what_it_does.sql` beside this file and a thin `versions/NNNN_what_it_does.py` that runs it.
Alembic and SQLAlchemy are imported only while migrating: they are not cheap, and the graph does not need them.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from glad_pipeline.database import DatabaseError, connect, describe, first_words, named_queries, require_fit
from glad_pipeline.database.cures import problem_of_writing

if TYPE_CHECKING:
    from glad_pipeline.database import Connection

log = logging.getLogger(__name__)

VERSION_TABLE = "glad_alembic_version"  # not `alembic_version`: the blog has its own
LOCK_KEY = 0x676C6164  # "glad"
STATEMENT_LOCK_TIMEOUT = "500ms"  # who waits for a table lock makes everyone behind it wait too: give up, try again
INDEX_LOCK_TIMEOUT = "10min"  # a concurrent index build waits without blocking anyone

# What each step makes that is ours alone: the names have to be free.
MADE = {
    "0001_prompts_and_images": ("prompts", "images", "prompt_claim_tokens"),
    "0005_outbox_and_takedowns": ("outbox", "barred_recipes", "takedowns", "post_writes"),
    "0007_deployments": ("deployments",),
    "0008_run_claims": ("run_claims",),
    "0010_edits": ("prompt_aliases",),
    "0011_run_reports": ("run_reports",),
}

_HERE = Path(__file__).parent
_SQL = named_queries(__name__, "checks.sql")


class MigrationError(DatabaseError):
    """The schema could not be brought up to date; the failed step was rolled back."""


def migrate(database_url: str, *, wait_seconds: float = 600) -> list[str]:
    """Bring the schema up to date and return the names of the migrations applied now (none: it was).

    Safe to run twice, by many processes at once, and again after being killed at any instant. Waits at most
    `wait_seconds` for another process that migrates, and as long for busy tables of the blog.

    Raises `DatabaseError`, with what to do, if the server cannot be reached, is older than 14, lacks a right
    that is needed, or holds tables named like ours that are not ours. What could not be added to a table of
    the blog (a view, somebody else's table) is logged, not raised.
    """
    with connect(database_url, autocommit=True, application_name="glad migrate") as connection:
        if not _pending(connection, database_url):
            return []
        _require_writable(connection)
        connection.execute(
            "SELECT set_config('lock_timeout', %s, false), set_config('statement_timeout', '0', false),"
            " set_config('idle_in_transaction_session_timeout', '0', false)",
            [STATEMENT_LOCK_TIMEOUT],
        )
        deadline = time.monotonic() + wait_seconds
        with _only_one(connection, database_url, wait_seconds):
            todo = _pending(connection, database_url)  # again: whoever held the lock may have done it
            if todo:
                schema = _prepare_schema(connection, database_url)
                _require_free_names(connection, database_url, schema, todo)
                connection.add_notice_handler(_log_notice)
                _upgrade(connection, database_url, schema, deadline)
            for name in todo:
                log.info("migrated: %s", name)
            return todo


def pending(database_url: str) -> list[str]:
    """The names of the migrations not applied yet, oldest first; `glad migrate` applies them."""
    with connect(database_url, autocommit=True, application_name="glad migrate") as connection:
        return _pending(connection, database_url)


def run_sql(revision_file: str) -> None:
    """Run the SQL file that goes with a file of `versions/`, inside the migration's transaction."""
    name = Path(revision_file).with_suffix(".sql").name
    driver_connection().execute((_HERE / name).read_bytes())


def driver_connection() -> psycopg.Connection[Any]:
    """psycopg's own connection of the migration that runs: many statements at once, `%` and `:` as they are."""
    from alembic import op

    connection = op.get_bind().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)  # noqa: S101 - it is the one `_upgrade` put there
    return connection


# --- what has to be true first ---


def _pending(connection: Connection, url: str) -> list[str]:
    require_fit(connection)
    names = sorted(path.stem for path in (_HERE / "versions").glob("[0-9]*.py"))
    schema = _target_schema(connection, url)
    table = sql.Identifier(schema, VERSION_TABLE)
    if _one(connection, "relation", name=table.as_string(connection)) is None:
        return names
    try:
        row = connection.execute(sql.SQL("SELECT version_num FROM {}").format(table)).fetchone()
    except pg.InsufficientPrivilege as error:
        raise _refused(connection, url, error) from error
    if row is None:
        return names
    applied = [name for name in names if name.startswith(f"{row['version_num']}_")]
    if not applied:
        raise MigrationError(
            f"the schema at {describe(url)} is at version {row['version_num']}, which this release does not know: "
            "it was migrated by a newer one. Upgrade glad-pipeline here"
        )
    return names[names.index(applied[0]) + 1 :]


def _target_schema(connection: Connection, url: str) -> str:
    """Where our tables are or will be: the first schema of the search path, though it may not exist yet."""
    row = _row(connection, "search_path")
    first = re.match(r'\s*("(?:[^"]|"")*"|[^,]*)', row["search_path"])
    name = first[1].strip() if first else ""
    name = name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
    if name in ("$user", ""):  # PostgreSQL skips a `$user` without a schema; a name written out is meant
        name = row["current_schema"] or ""
    if not name:
        raise MigrationError(
            f"the search_path of {row['current_user']} at {describe(url)} names no schema that exists "
            f"({row['search_path']!r}). Set one, for example by ending DATABASE_URL with "
            "?options=-csearch_path%3Dpublic"
        )
    return name


def _require_writable(connection: Connection) -> None:
    if problem := problem_of_writing(connection):
        raise MigrationError(f"{problem.in_words()}. Until then it cannot be migrated")


def _prepare_schema(connection: Connection, url: str) -> str:
    """The schema our tables go to, made if it is missing, once we know we may create tables in it."""
    schema = _target_schema(connection, url)
    if not _one(connection, "schema_exists", name=schema):
        try:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        except pg.InsufficientPrivilege as error:
            raise _refused(
                connection, url, error, f"GRANT CREATE ON DATABASE … TO …, or CREATE SCHEMA {schema}"
            ) from error
        log.info("created the schema %s", schema)
    missing = _one(connection, "missing_schema_rights", name=schema)
    if missing:
        user = connection.info.user
        raise MigrationError(
            f"user {user!r} lacks the right {missing} on schema {schema!r} at {describe(url)}; nothing was changed. "
            f'As its owner run: GRANT {missing} ON SCHEMA "{schema}" TO "{user}"'
        )
    return schema


def _require_free_names(connection: Connection, url: str, schema: str, todo: Sequence[str]) -> None:
    """Refuse, before anything is touched, to start where tables called like ours belong to somebody else."""
    names = [name for step in todo for name in MADE.get(step, ())]
    taken = _one(connection, "names_taken", schema=schema, names=names)
    if taken:
        cure = "Rename what is there and run this again"
        if next(iter(MADE)) in todo:
            cure = (
                "Rename what is there, or give this product a schema of its own by ending "
                f"DATABASE_URL with {'&' if '?' in url else '?'}options=-csearch_path%3Dglad,{schema} "
                f"(it is created; the blog's tables are still found in {schema!r})"
            )
        raise MigrationError(
            f"schema {schema!r} at {describe(url)} already has {taken}, which this product did not make; "
            f"nothing was changed. {cure}"
        )


# --- doing it ---


@contextmanager
def _only_one(connection: Connection, url: str, wait_seconds: float) -> Iterator[None]:
    """Hold the migration lock on the very connection that migrates, so it cannot outlive or predecease the work.

    Polled, outside a transaction: a blocking pg_advisory_lock() would hold a snapshot, for which the holder's
    CREATE INDEX CONCURRENTLY waits: a deadlock.
    """
    with suppress(psycopg.Error):  # not on every platform. Without it, if we are killed, the server process goes
        # on with its statement to the end, and keeps the lock as long
        connection.execute("SELECT set_config('client_connection_check_interval', '1s', false)")
    deadline = time.monotonic() + wait_seconds
    said = 0.0
    while not _one(connection, "try_lock", key=LOCK_KEY):
        holder = _one(connection, "lock_holder", key=LOCK_KEY)
        if time.monotonic() >= deadline:
            raise MigrationError(
                f"another process (server process {holder}) has been migrating {describe(url)} for over "
                f"{wait_seconds:g} s. Wait for it, or end it with SELECT pg_terminate_backend({holder}), "
                "and run this again"
            )
        if time.monotonic() - said > 5:
            log.info("waiting for another migration of the same database (server process %s)", holder)
            said = time.monotonic()
        time.sleep(0.1)
    try:
        yield
    finally:
        if not connection.closed:
            connection.close()  # gives the lock back, whatever state the session is in


def _upgrade(connection: Connection, url: str, schema: str, deadline: float) -> None:
    while True:
        try:
            _run_alembic(connection, schema)
        except pg.LockNotAvailable as error:
            if time.monotonic() >= deadline:
                raise MigrationError(
                    f"a table of the blog at {describe(url)} stayed locked: {first_words(error)}. "
                    "Find the open transaction in pg_stat_activity, end it, and run this again: it resumes"
                ) from error
            log.info("a table is busy; trying again")
            time.sleep(0.5)
        except pg.InsufficientPrivilege as error:
            raise _refused(connection, url, error) from error
        except psycopg.Error as error:
            raise MigrationError(
                f"migrating {describe(url)} failed and the step was rolled back: {first_words(error)}. "
                "Mend that and run this again"
            ) from error
        else:
            return


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
def _run_alembic(connection: Connection, schema: str) -> None:
    """`alembic upgrade head` on our own connection; errors come out as psycopg's."""
    from alembic import command
    from alembic.config import Config
    from psycopg.rows import tuple_row
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    config = Config()  # no ini file: nothing configures logging
    config.set_main_option("script_location", str(_HERE).replace("%", "%%"))
    # A second handle for SQLAlchemy would be a second session without the lock, so it is given ours.
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    connection.autocommit = False
    row_factory, connection.row_factory = connection.row_factory, tuple_row  # type: ignore[assignment]
    try:
        with engine.connect() as bind:
            config.attributes.update(connection=bind, version_table=VERSION_TABLE, schema=schema)
            command.upgrade(config, "head")
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from error
        raise
    finally:
        if not connection.closed:
            connection.rollback()
            connection.row_factory = row_factory
            connection.autocommit = True


def _log_notice(notice: pg.Diagnostic) -> None:
    if notice.sqlstate == "00000":  # RAISE NOTICE of our own files; PostgreSQL's "already exists" has a state
        log.warning("%s", notice.message_primary)


def _refused(connection: Connection, url: str, error: psycopg.Error, cure: str = "") -> MigrationError:
    user = connection.info.user if not connection.closed else "the user of DATABASE_URL"
    return MigrationError(
        f"user {user!r} lacks a right at {describe(url)}: {first_words(error)}; the step was rolled back. "
        f"Grant it{f' ({cure})' if cure else ''} or migrate as the owner of the tables"
    )


def _row(connection: Connection, query: str, **parameters: Any) -> dict[str, Any]:
    row = connection.execute(_SQL[query], parameters).fetchone()
    if row is None:
        raise MigrationError(f"the check {query!r} answered nothing")
    return row


def _one(connection: Connection, query: str, **parameters: Any) -> Any:
    row = connection.execute(_SQL[query], parameters).fetchone()
    return None if row is None else next(iter(row.values()))
