"""The servers that are ours, started for the doctor as for any command; where one does not start, the other is."""

from __future__ import annotations

import os

from glad_pipeline.database.migrations import migrate
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.local import stack
from glad_pipeline.local.home import Home
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.redaction import redact
from glad_pipeline.settings import Settings, load_settings

DATABASE, STORE, DAGSTER, MIGRATIONS = "database", "store", "dagster", "migrations"


def started(given: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings with the servers that are ours, and what kept some from running: by DATABASE, STORE, DAGSTER (its
    own database) and MIGRATIONS.

    Raises `UsageError` where a setting cannot be.
    """
    trouble: dict[str, str] = {}
    try:
        os.environ.update(stack.ensure(given))
    except Exception as error:  # noqa: BLE001  every one is a line
        trouble = _what_there_is(given, why := _words_of(error))
        if not trouble and not _is_half_given(given):  # which is said of the settings
            trouble[DAGSTER] = why
    if given.database_url is None and DATABASE not in trouble:
        try:
            migrate(os.environ["DATABASE_URL"], blog=given.blog)
        except Exception as error:  # noqa: BLE001  a line too
            trouble[MIGRATIONS] = _words_of(error)
    return load_settings(), trouble


def _words_of(error: Exception) -> str:
    return redact(str(error) or type(error).__name__)


def _is_half_given(given: Settings) -> bool:
    try:
        stack.check(given)
    except UsageError:
        return True
    return False


def _what_there_is(given: Settings, why: str) -> dict[str, str]:
    """Put what runs all the same into the environment; the rest with the reason."""
    trouble: dict[str, str] = {}
    try:
        home = Home(given.home).prepare()
        with home.lock():
            if given.database_url is None:
                server = Postgres(home)
                if server.running():
                    os.environ["DATABASE_URL"] = server.url(stack.DATABASE)
                else:
                    trouble[DATABASE] = why
            os.environ.update(stack.start_store(given, home))
    except (GladError, OSError) as error:
        missing = {DATABASE: given.database_url is None, STORE: not given.names_store}
        trouble |= {part: redact(str(error)) for part, ours in missing.items() if ours and part not in trouble}
        if "DATABASE_URL" in os.environ:
            trouble.pop(DATABASE, None)
    return trouble
