"""What every session of ours is like: set by statements once it is connected.

Not by libpq's `options`, which is sent at the start of a connection: PgBouncer refuses it, or drops it in silence.
What a URL gives there is taken out of it and set here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

# What we and psycopg rely on, whatever the server, the database or the role has as its default
OURS = {
    "TimeZone": "UTC",
    "client_encoding": "UTF8",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "default_transaction_isolation": "read committed",
}
# How long a silent peer counts as there, where the URL does not say
LIMITS = {
    "connect_timeout": 10,  # seconds
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds
}
# The server takes these at the start of a connection alone
_AT_THE_START = {
    "ignore_system_indexes",
    "jit_debugging_support",
    "jit_profiling_support",
    "log_connections",
    "log_disconnections",
    "post_auth_delay",
}
_WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)  # as PostgreSQL splits them: a backslash before a space keeps it
_SETTING = re.compile(r"(?:-c|--)([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


def openings(url: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The parameters that libpq is given, and the settings by name that `prepare` makes once it is connected."""
    parameters = conninfo_to_dict(url)
    settings, rest = settings_in(str(parameters.get("options") or os.environ.get("PGOPTIONS") or ""))
    return {**LIMITS, **parameters, "options": rest}, {**settings, **OURS}


def settings_in(options: str) -> tuple[dict[str, str], str]:
    """The settings in libpq's `options` (`-c name=value`, `--name=value`), and what else is in it, as it is.

    That rest, a name of a tenant at some provider say, is sent at the start as ever.
    """
    words = _WORD.findall(options)
    settings: dict[str, str] = {}
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word == "-c" and words:  # its value may stand apart
            word += words.pop(0)
        found = _SETTING.fullmatch(word)
        if found and (name := found[1].replace("-", "_")) not in _AT_THE_START:
            settings[name] = re.sub(r"\\(.)", r"\1", found[2], flags=re.DOTALL)
        else:
            rest.append(word)
    return settings, " ".join(rest)


def prepare(connection: psycopg.Connection[Any], settings: Mapping[str, str]) -> None:
    """Make the settings of a connection that is in autocommit: elsewhere a rollback would take them back."""
    made = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, false)")] * len(settings))
    cursor = connection.cursor(row_factory=psycopg.rows.tuple_row)
    cursor.execute(
        sql.SQL("SELECT pg_backend_pid(), {}").format(made), [part for item in settings.items() for part in item]
    )
    (pid, *_) = cast("tuple[int, ...]", cursor.fetchone())
    if pid != connection.info.backend_pid:  # a pooler is between: a prepared statement may be another client's
        connection.prepare_threshold = None
