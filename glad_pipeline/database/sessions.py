"""What every session of ours is like: set by statements once it is connected.

Not by libpq's `options`, which is sent at the start of a connection: PgBouncer refuses it, or drops it in silence.
What a URL gives there is taken out of it and set here.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row

from glad_pipeline.database.watchdog import Watchdog
from glad_pipeline.diagnosis import Diagnosis, Level, require
from glad_pipeline.urls import parts_of

ANSWER = (
    30.0  # seconds that a transaction of `transact` and `read` may take, at least; and the first words of a session
)
ROUNDS = 3  # of four short questions each, to find out whether a pooler gives sessions

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
# Always in transaction mode: Supabase's port, Neon's host
_SHARED_BY_NAME = re.compile(r"\.supabase\.(co|com):6543$|-pooler\..*neon\.")
_with_sessions: set[tuple[str, int, str, str]] = set()  # poolers that have shown to give each client a session
_watchdog = Watchdog()
_WORD = re.compile(r"(?:\\.|[^\s\\])+", re.DOTALL)  # as PostgreSQL splits them: a backslash before a space keeps it
_SETTING = re.compile(r"(?:-c|--)([A-Za-z_][\w.-]*)=(.*)", re.DOTALL)


def openings(url: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The parameters that libpq is given, and the settings by name that `prepare` makes once it is connected."""
    parameters = parts_of(url)
    settings, rest = settings_in(parameters.get("options") or os.environ.get("PGOPTIONS") or "")
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


@contextmanager
def answering_within(connection: psycopg.Connection[Any], seconds: float) -> Iterator[None]:
    """Cut the connection if the block takes longer: the server, or what is between us, says nothing any more.

    The block then raises `psycopg.OperationalError`, as if the connection had been lost.
    """
    with socket.socket(fileno=os.dup(connection.fileno())) as line:
        number = _watchdog.watch(line, seconds)
        try:
            yield
        finally:
            _watchdog.release(number)


def open_session(url: str, application_name: str) -> psycopg.Connection[DictRow]:
    """A connection in autocommit whose settings are made. Raises `psycopg.Error`, and `GladError` for a pooler that
    gives it no session of its own: nothing is set there, where it would be another client's."""
    parameters, settings = openings(url)
    parameters["application_name"] = application_name

    def connected() -> psycopg.Connection[DictRow]:
        # a transaction that is rolled back would take the settings back
        return psycopg.connect(**parameters, autocommit=True, row_factory=dict_row)

    connection = connected()
    try:
        with answering_within(connection, ANSWER):
            if not _set(connection, settings, if_direct=True):
                connection.prepare_threshold = None  # a statement that is prepared may be another client's
                _require_own_session(connection, connected)
                _set(connection, settings)
        return connection
    except BaseException:
        connection.close()
        raise


def _set(connection: psycopg.Connection[DictRow], settings: Mapping[str, str], *, if_direct: bool = False) -> bool:
    """Make the settings; `if_direct`: only where no pooler is between, which tells clients of other process numbers
    than its servers have. Whether they were made."""
    pid = connection.info.backend_pid if if_direct else None
    return connection.execute(*_made(settings, pid)).fetchone() is not None


async def set_async(
    connection: psycopg.AsyncConnection[DictRow],
    settings: Mapping[str, str],
    *,
    if_direct: Mapping[str, str] | None = None,
) -> None:
    """Make the settings for reads in autocommit, which need no session of their own; `if_direct`: further ones.

    Through a pooler only those that it may keep for each client, or that the URL asks for; no statement is prepared.
    """
    made = _made({**(if_direct or {}), **settings}, connection.info.backend_pid)
    if await (await connection.execute(*made)).fetchone() is None:
        connection.prepare_threshold = None
        kept = {name: value for name, value in settings.items() if name != "default_transaction_isolation"}
        await connection.execute(*_made(kept, None))


def _made(settings: Mapping[str, str], pid: int | None) -> tuple[sql.Composed, list[Any]]:
    made = sql.SQL(", ").join([sql.SQL("set_config(%s, %s, false)")] * len(settings))
    values = [*(part for item in settings.items() for part in item), pid]
    return sql.SQL("SELECT {} WHERE pg_backend_pid() = coalesce(%s, pg_backend_pid())").format(made), values


def _require_own_session(
    connection: psycopg.Connection[DictRow], connected: Callable[[], psycopg.Connection[DictRow]]
) -> None:
    """Once in a process for each pooler and database: raises `GladError` where sessions are shared."""
    info = connection.info
    pooler = (info.host, info.port, info.user, info.dbname)
    if pooler not in _with_sessions:
        with connected() as other, answering_within(other, ANSWER):
            if problem := problem_of_pooling(connection, other):
                require([problem])
        _with_sessions.add(pooler)


def is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Whether a connection that `open_session` has made goes through a pooler."""
    return connection.prepare_threshold is None


def problem_of_pooling(one: psycopg.Connection[DictRow], other: psycopg.Connection[DictRow]) -> Diagnosis | None:
    """What is wrong with the pooler through which two connections in autocommit go; None: each has a session.

    In a pool that gives out the server used last, both get the same; in one that takes turns, `one` gets another each
    time. With other clients between, one of the two shows after a few rounds.
    """
    info = one.info
    shared = _SHARED_BY_NAME.search(f"{info.host}:{info.port}") is not None
    one.prepare_threshold = other.prepare_threshold = None
    for _ in range(0 if shared else ROUNDS):
        first, others, *again = (_pid(each) for each in (one, other, one, one))
        shared = shared or first == others or {first} != set(again)
    if not shared:
        return None
    return Diagnosis(
        check="database: pooling",
        level=Level.ERROR,
        text=f"{info.host}:{info.port}/{info.dbname} is a pooler in transaction mode: it gives each transaction "
        "another session of the server, and a run holds its prompts by a lock that belongs to one session",
        cure=_cure_of_pooling(info.host, info.port),
    )


def _pid(connection: psycopg.Connection[DictRow]) -> int:
    row = connection.execute("SELECT pg_backend_pid() AS pid").fetchone()
    assert row is not None  # noqa: S101  one row
    return int(row["pid"])


def _cure_of_pooling(host: str, port: int) -> str:
    if re.search(r"\.supabase\.(co|com)$", host):
        return f"write port 5432 in place of {port} in DATABASE_URL, which is Supabase's session mode"
    if re.search(r"-pooler\..*neon\.", host):
        return "leave -pooler out of the host in DATABASE_URL, which then names Neon's server itself"
    return (
        "have DATABASE_URL name the server itself, or a pool in session mode (PgBouncer: pool_mode = session, which "
        "can be set for one database alone)"
    )
