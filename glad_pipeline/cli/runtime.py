"""What a command may need, made ready when it asks: settings, GLAD_HOME, the database, the store.

A command declares its needs by what it asks of its `Runtime`: `settings` starts nothing, `with_home` prepares
GLAD_HOME, `with_database` starts the embedded servers and migrates where the settings name none of a person's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.redaction import redact

if TYPE_CHECKING:
    from glad_pipeline.database import Database
    from glad_pipeline.operations.removal import Removal
    from glad_pipeline.settings import Settings
    from glad_pipeline.storage.protocol import ObjectStore


class Runtime:
    """One command's surroundings. Given settings are taken as they are, and no server is started for them."""

    def __init__(self, settings: Settings | None = None) -> None:
        self._given = settings

    @staticmethod
    def of(context: click.Context) -> Runtime:
        """The one that `app.invoke` has given the command."""
        runtime = context.obj
        assert isinstance(runtime, Runtime)  # noqa: S101
        return runtime

    @cached_property
    def settings(self) -> Settings:
        """The settings, as environment and files have them."""
        if self._given is not None:
            return self._given
        from glad_pipeline.settings import load_settings, warnings_of

        take_environment()
        for warning in warnings_of(os.environ):
            print(f"glad: warning: {warning}", file=sys.stderr)
        return load_settings()

    def settings_as_far_as_right(self) -> tuple[Settings, str | None]:
        """As `settings`, for what works while some are wrong: these are left out and said; None: all are right."""
        if self._given is not None:
            return self._given, None
        from glad_pipeline.settings import settings_as_far_as_right

        take_environment()
        found, problem = settings_as_far_as_right(os.environ)
        if problem:
            print(f"glad: {redact(problem)}. This goes on without what is wrong", file=sys.stderr)
        return found, problem

    @property
    def is_given(self) -> bool:
        """Whether the settings are a caller's, for which no server is started."""
        return self._given is not None

    def with_home(self) -> Settings:
        """The settings, and GLAD_HOME is there: models need it for the hashes they remember, and no server."""
        from glad_pipeline.local.home import Home

        Home(self.settings.home).prepare()
        return self.settings

    def environment(self) -> dict[str, str]:
        """The environment of a command that uses the servers, which run.

        The embedded database is migrated too; a person's own only when they say so. Raises `GladError`.
        """
        from glad_pipeline.local import stack

        require_migrated(self.settings)
        environment = stack.ensure(self.settings)
        if self.settings.database_url is None:
            from glad_pipeline.database.migrations import migrate

            migrate(environment["DATABASE_URL"], blog=self.settings.blog)
        return environment

    def with_database(self) -> Settings:
        """The settings that name the database and the bucket, which are up and migrated."""
        if self._given is None:
            from glad_pipeline.settings import load_settings

            os.environ.update(self.environment())
            self._given = self.settings = load_settings()
        return self._given

    @contextmanager
    def database(self, *, name: str = "glad", patient: bool = False) -> Iterator[Database]:
        """The database, under this name in its list of sessions; what goes wrong with it is said in a sentence.

        `patient`: as a run, it waits for a database that is unreachable.
        """
        import psycopg

        from glad_pipeline.database import Database, DatabaseError, describe, first_words

        settings = self.with_database()
        if settings.database_url is None:
            raise UsageError("DATABASE_URL is not set: use `./glad …`, which starts the embedded server, or set it")
        url = settings.database_url.get_secret_value()
        patience = settings.database_patience_seconds if patient else 0.0
        try:
            with Database(url, application_name=name, patience=patience, blog=settings.blog) as database:
                yield database
        except psycopg.errors.UndefinedTable as error:
            raise DatabaseError(
                f"{describe(url)} lacks a table of ours ({first_words(error)}): run ./glad migrate first"
            ) from error
        except psycopg.Error as error:
            raise DatabaseError(f"{describe(url)} refused: {first_words(error)}. Nothing is half done") from error

    def store(self) -> ObjectStore:
        """The object store of the settings."""
        return store_of(self.settings)

    def removal(self, database: Database) -> Removal:
        """What removes the objects of pictures that are taken down."""
        from glad_pipeline.operations.removal import removal_of

        return removal_of(self.settings, database)


def take_environment() -> None:
    """Put the repository's `.env` into the environment (a variable that is set wins) and make GLAD_HOME absolute.

    What `glad run` or a shell that has read GLAD_HOME/.env hands on of our own is no setting of the person's.
    """
    from glad_pipeline.local import stack

    root = stack.project_root()
    stack.forget_ours(os.environ)
    for name, value in stack.lasting_settings().items():
        if not os.environ.get(name):
            os.environ[name] = str(root / value) if name == "GLAD_HOME" else value
    os.environ["GLAD_HOME"] = str(Path(os.environ.get("GLAD_HOME") or root / ".glad").expanduser().absolute())


def require_migrated(settings: Settings) -> None:
    """Raises `GladError` if a person's own database is not up to date: only `glad migrate` changes it."""
    if settings.database_url is None:
        return
    from glad_pipeline.database import describe
    from glad_pipeline.database.migrations import pending

    url = settings.database_url.get_secret_value()
    if missing := pending(url, blog=settings.blog):
        raise GladError(f"{describe(url)} is not up to date, it lacks {', '.join(missing)}. Run ./glad migrate first")


def require_store(settings: Settings) -> None:
    """A person's own bucket or folder has to answer before anything is promised. Raises `StoreError`, with the cure.

    The embedded one has to be wanted for a database of their own.
    """
    if not settings.names_store:
        from glad_pipeline.local.stack import check_embedded_store

        check_embedded_store(settings)
    store = _own_store(settings)
    if store is not None:
        store.check()
    if store is not None and settings.volume is not None:
        store.probe()  # that it can be written: a file, which takes a millisecond


def require_together(url: str, settings: Settings) -> None:
    """A person's own bucket or folder has to be this database's. Raises `GladError` with both names where it is
    another's, or a volume that is not mounted."""
    store = _own_store(settings)
    if store is None:  # a run finds out
        return
    from glad_pipeline.database import Database
    from glad_pipeline.pipeline.identity import check

    with Database(url, application_name="glad", blog=settings.blog) as database:
        check(database, store)


def _own_store(settings: Settings) -> ObjectStore | None:
    """The store that the settings name; None: one that is started here. A folder is theirs whoever shows it."""
    if settings.names_store:
        return store_of(settings)
    if settings.volume is None:
        return None
    return store_of(settings.model_copy(update={"public_base_url": "http://127.0.0.1"}))


def warn_of_volume(settings: Settings, database: Database) -> None:
    """Say while prompts are taken in why no run could store their pictures: in a folder that is a look of a moment."""
    from glad_pipeline.pipeline import store_check

    if settings.store_kind != "volume":
        return
    try:
        store_check.look(database, store_of(settings))
    except GladError as error:
        print(f"glad: warning: a run could not store pictures: {redact(str(error))}", file=sys.stderr)


def store_of(settings: Settings) -> ObjectStore:
    """The store that the settings name."""
    from glad_pipeline.storage.opening import open_store

    return open_store(settings)


def belonging(database: Database, store: ObjectStore, *, writes: bool) -> ObjectStore:
    """`store_check.belonging`, with what is to be known of the store said."""
    from glad_pipeline.pipeline import store_check

    return store_check.belonging(database, store, writes=writes, tell=say)


def say(text: str) -> None:
    """What a person should know beside the answer."""
    print(f"glad: {text}", file=sys.stderr)
