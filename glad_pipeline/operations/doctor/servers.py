"""The servers that are ours, started for the doctor as for any command; where one does not start, the other is."""

from __future__ import annotations

import os

from glad_pipeline.database.migrations import migrate
from glad_pipeline.errors import GladError
from glad_pipeline.local import stack
from glad_pipeline.local.home import Home
from glad_pipeline.local.object_store import S3Server
from glad_pipeline.local.postgres import Postgres
from glad_pipeline.redaction import redact
from glad_pipeline.settings import Settings, load_settings

DATABASE, STORE = "database", "store"


def started(given: Settings) -> tuple[Settings, dict[str, str]]:
    """The settings with the servers that are ours, and why those do not run that do not: by DATABASE and STORE.

    Raises `UsageError` where a setting cannot be.
    """
    try:
        environment = stack.ensure(given)
        if given.database_url is None:
            migrate(environment["DATABASE_URL"])
        os.environ.update(environment)
        return load_settings(), {}
    except Exception as error:  # noqa: BLE001  every one is a line
        trouble = _what_there_is(given, redact(str(error) or type(error).__name__))
    return load_settings(), trouble


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
            if given.s3_bucket is None:
                store = S3Server(home)
                store.start()
                os.environ.update(store.environment())
    except (GladError, OSError) as error:
        missing = {DATABASE: given.database_url is None, STORE: given.s3_bucket is None}
        trouble |= {part: redact(str(error)) for part, ours in missing.items() if ours and part not in trouble}
        if "DATABASE_URL" in os.environ:
            trouble.pop(DATABASE, None)
    return trouble
