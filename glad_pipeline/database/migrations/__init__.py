"""The schema: plain SQL, one file a step, applied in order by Alembic under a lock.

Here: our own tables, and the blog's in a database that has no blog; where it has one, nothing of the blog's is made,
changed or dropped. Forward only. Not here: statements that read or write rows (they live with their rooms).

A step is `NNNN_what_it_does.sql` beside this file and a thin `versions/NNNN_what_it_does.py` that runs it."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors as pg
from psycopg import sql

from glad_pipeline.blog_names import BlogNames
from glad_pipeline.database import (
    OUR_NAMES,
    DatabaseError,
    connect,
    describe,
    first_words,
    named_queries,
    require_fit,
    value,
)
from glad_pipeline.database.blog import has_posts, names_of
from glad_pipeline.database.cures import problem_of_writing
from glad_pipeline.database.migrations.post_ids import Retyped, require_convertible, retype_sql, to_retype
from glad_pipeline.database.migrations.steps import HERE, VERSION_TABLE, printed, upgrade
from glad_pipeline.database.migrations.steps import has_blog as has_blog
from glad_pipeline.database.migrations.steps import has_our_posts as has_our_posts
from glad_pipeline.database.migrations.steps import run_concurrently as run_concurrently
from glad_pipeline.database.migrations.steps import run_sql as run_sql
from glad_pipeline.errors import UnavailableError

if TYPE_CHECKING:
    from glad_pipeline.database import Connection

log = logging.getLogger(__name__)

LOCK_KEY = 0x676C6164  # "glad"
STATEMENT_LOCK_TIMEOUT = "500ms"  # who waits for a table lock makes everyone behind it wait too: give up, try again

# What each step makes that is ours alone: the names have to be free.
MADE = {
    "0001_prompts_and_images": ("prompts", "images", "prompt_claim_tokens"),
    "0005_outbox_and_takedowns": ("outbox", "barred_recipes", "takedowns", "post_writes"),
    "0007_deployments": ("deployments",),
    "0008_run_claims": ("run_claims",),
    "0010_edits": ("prompt_aliases",),
    "0011_run_reports": ("run_reports",),
    "0016_sources": ("prompt_sources",),
    "0017_events": ("prompt_events",),
    "0018_api_keys": ("api_keys", "api_sessions"),
    "0021_who_decided": ("gateway_jobs",),
}

_SQL = named_queries(__name__, "checks.sql")


class MigrationError(DatabaseError):
    """The schema could not be brought up to date; the failed step was rolled back."""


def migrate(database_url: str, *, wait_seconds: float = 600, blog: BlogNames = OUR_NAMES) -> list[str]:
    """Bring the schema up to date and return the names of the migrations applied now (none: it was).

    Safe to run twice, by many processes at once, and again after being killed at any instant. Waits at most
    `wait_seconds` for another process that migrates, and as long for busy tables.

    Raises `DatabaseError`, with what to do, if the server cannot be reached, is older than 14, lacks a right
    that is needed, holds tables named like ours that are not ours, lacks the table that `blog` names, or has ids of
    posts in our rows that are none of the blog's kind.
    """
    with _connected(database_url, blog) as connection:
        if not _outstanding(connection, database_url):
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
            require_convertible(connection, _post_ids(connection, database_url))
            if todo:
                schema = _prepare_schema(connection, database_url)
                _require_free_names(connection, database_url, schema, todo)
                connection.add_notice_handler(_log_notice)
                _patiently(connection, database_url, deadline, lambda: upgrade(connection, schema))
            retyped = _post_ids(connection, database_url)
            if retyped:
                require_convertible(connection, retyped)
                statement = retype_sql(retyped[0].wanted).encode()
                _patiently(connection, database_url, deadline, lambda: connection.execute(statement))
            todo += _in_words(retyped)
            for name in todo:
                log.info("migrated: %s", name)
            return todo


def pending(database_url: str, *, blog: BlogNames = OUR_NAMES) -> list[str]:
    """The names of the migrations not applied yet, oldest first; `glad migrate` applies them."""
    with _connected(database_url, blog) as connection:
        return _outstanding(connection, database_url)


def plan(database_url: str, *, blog: BlogNames = OUR_NAMES) -> str:
    """The SQL that `migrate` would run, to be read or run with psql; a comment if there is nothing to do.

    Changes nothing and needs no right but to look. Raises `DatabaseError` where `migrate` would refuse what is there.
    """
    with _connected(database_url, blog) as connection:
        connection.execute("SET default_transaction_read_only = on")
        todo = _pending(connection, database_url)
        retyped = _post_ids(connection, database_url)
        require_convertible(connection, retyped)
        schema = _target_schema(connection, database_url)
        steps = []
        if todo:
            _require_free_names(connection, database_url, schema, todo)
            if not _one(connection, "schema_exists", name=schema):
                steps.append(f"{_creation_of(schema).as_string(connection)};\n")
            steps.append(printed(connection, schema, _version(connection, schema)))
        if retyped:
            steps.append(retype_sql(retyped[0].wanted))
        return "\n".join(steps) or "-- nothing to do\n"


@contextmanager
def _connected(url: str, blog: BlogNames) -> Iterator[Connection]:
    """Raises `DatabaseError` where the table that `blog` names is not there or not to be seen: only `posts` is made."""
    with connect(url, autocommit=True, application_name="glad migrate", blog=blog) as connection:
        if not blog.are_ours and not _has_posts(connection):
            raise MigrationError(
                f"GLAD_POSTS_TABLE names {blog}, and {describe(url)} has no such table on the search path of "
                f"{connection.info.user!r}. Name the blog's table of posts as the database has it, with its schema "
                "if need be; without GLAD_POSTS_TABLE it is `posts`"
            )
        yield connection


# --- what has to be true first ---


def _has_posts(connection: Connection) -> bool:
    try:
        return has_posts(connection)
    except UnavailableError as error:
        raise MigrationError(str(error)) from None


def _outstanding(connection: Connection, url: str) -> list[str]:
    todo = _pending(connection, url)
    return todo + _in_words(_post_ids(connection, url))


def _post_ids(connection: Connection, url: str) -> list[Retyped]:
    return to_retype(connection, _target_schema(connection, url), names_of(connection))


def _in_words(retyped: Sequence[Retyped]) -> list[str]:
    return [f"ids of posts as {retyped[0].wanted}"] if retyped else []


def _pending(connection: Connection, url: str) -> list[str]:
    require_fit(connection)
    names = sorted(path.stem for path in (HERE / "versions").glob("[0-9]*.py"))
    try:
        version = _version(connection, _target_schema(connection, url))
    except pg.InsufficientPrivilege as error:
        raise _refused(connection, url, error) from error
    if version is None:
        return names
    applied = [name for name in names if name.startswith(f"{version}_")]
    if not applied:
        raise MigrationError(
            f"the schema at {describe(url)} is at version {version}, which this release does not know: "
            "it was migrated by a newer one. Upgrade glad-pipeline here"
        )
    return names[names.index(applied[0]) + 1 :]


def _version(connection: Connection, schema: str) -> str | None:
    """The number of the last step that was applied; None where there was none."""
    table = sql.Identifier(schema, VERSION_TABLE)
    if _one(connection, "relation", name=table.as_string(connection)) is None:
        return None
    found: str | None = value(connection, sql.SQL("SELECT version_num FROM {}").format(table))
    return found


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
            connection.execute(_creation_of(schema))
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


def _creation_of(schema: str) -> sql.Composed:
    return sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema))


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


def _patiently(connection: Connection, url: str, deadline: float, step: Callable[[], object]) -> None:
    """`step` again and again until no table that it needs is busy."""
    while True:
        try:
            step()
        except pg.LockNotAvailable as error:
            if time.monotonic() >= deadline:
                raise MigrationError(
                    f"a table at {describe(url)} stayed locked: {first_words(error)}. "
                    "Find the open transaction in pg_stat_activity, end it, and run this again: it resumes"
                ) from error
            log.info("a table is busy; trying again")
            time.sleep(0.5)
        except pg.InsufficientPrivilege as error:
            raise _refused(connection, url, error) from error
        except psycopg.Error as error:
            more = f" ({error.diag.message_detail})" if error.diag.message_detail else ""
            raise MigrationError(
                f"migrating {describe(url)} failed and the step was rolled back: {first_words(error)}{more}. "
                "Mend that and run this again"
            ) from error
        else:
            return


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
