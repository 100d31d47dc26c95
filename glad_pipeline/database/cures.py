"""What to do about a server that refuses us, by its words and states. Repeats nothing that is secret."""

from __future__ import annotations

import re

import psycopg

from glad_pipeline.diagnosis import Diagnosis, Level

MINIMUM_SERVER = 14
CHECK = "Check DATABASE_URL (host, port, user, password, database) and that the server runs"

_REFUSALS = r"authentication failed|no password supplied|not permitted to log in|(database|role) .* does not exist"

# By SQLSTATE, of a statement
_OF_STATES = {
    "53100": "its disk is full: make room there",
    "25006": "it is read-only: a standby, default_transaction_read_only, or a provider's answer to a full disk. "
    "DATABASE_URL has to name the primary, and its user has to be allowed to write (for one whose default it is: "
    "ALTER ROLE … RESET default_transaction_read_only)",
}
# At connecting libpq has words alone: PostgreSQL's, PgBouncer's, Supavisor's
_OF_WORDS = {
    r"too many (clients|connections)|connection slots|no more connections allowed|[Mm]ax client|MaxClients": (
        "It has no connection left for us: end sessions that nobody needs (SELECT * FROM pg_stat_activity), or raise "
        "what limits them: max_connections, the CONNECTION LIMIT of the role or the database, or the size of the pool"
    ),
    r"[Tt]enant or user not found": (
        "In the user of DATABASE_URL the pooler expects the project too: postgres.PROJECT, as the provider's page "
        "shows it"
    ),
    r"authentication failed|no password supplied|no such user": (
        "Check the user and password in DATABASE_URL; a password that has expired (VALID UNTIL) is refused in the same "
        "words, and ALTER ROLE … VALID UNTIL 'infinity' mends that"
    ),
    r"not permitted to log in": ("Have its administrator run ALTER ROLE … LOGIN, or name another user in DATABASE_URL"),
    r"pg_hba\.conf.*no encryption": (
        "Add ?sslmode=require to DATABASE_URL, or have the server let this machine in without TLS (pg_hba.conf)"
    ),
    r"pg_hba\.conf": (
        "Have the server let this machine, user and database in: by its pg_hba.conf, or the provider's list of allowed "
        "addresses"
    ),
    r"permission denied for database": "Have its owner run GRANT CONNECT ON DATABASE … TO …",
    r"is not currently accepting connections": (
        "Have its owner run ALTER DATABASE … ALLOW_CONNECTIONS true, or name another in DATABASE_URL"
    ),
    r"the database system is|not yet accepting": "Wait until it has started, or see its log",
    r"(database|role) .* does not exist|no such database": (
        "Correct the name in DATABASE_URL, or have it made; a pooler has to know it too"
    ),
    r"does not support SSL": "It has no TLS: set sslmode=disable in DATABASE_URL, or have the server offer TLS",
    r"certificate|root\.crt|SSL error": (
        "Check sslmode and sslrootcert in DATABASE_URL (sslrootcert=system: the authorities that this machine trusts)"
    ),
    r"unsupported startup parameter": (
        "A pooler refuses that parameter: take it out of DATABASE_URL, or list it in PgBouncer's "
        "ignore_startup_parameters"
    ),
    r"query_wait_timeout|consuming input failed|SSL SYSCALL": (
        "It took the connection and gave no answer; a pooler does so when its pool is used up: make the pool larger, "
        "or have DATABASE_URL name the server itself"
    ),
}
_OF_SETTINGS = "See `options`, `schema` and the time-outs in DATABASE_URL, which are set in each session"


def is_refusal(error: psycopg.Error) -> bool:
    """Whether a server that could not be connected to is well, and does not let this user in: its log tells nothing."""
    return re.search(_REFUSALS, str(error)) is not None


def cure_at_connecting(error: psycopg.Error, host: str) -> str:
    """What to do where a connection could not be made; `host`: of the URL."""
    words = str(error)
    if error.sqlstate and error.sqlstate.startswith(("22", "42", "55")):
        return _OF_SETTINGS
    if re.search(r"\.supabase\.co$", host) and re.search(r"unreachable|Cannot assign|translate host|No route", words):
        return (
            "Supabase's direct host has an IPv6 address alone, which this machine does not reach: take the URL of the "
            "session pooler (port 5432) from its page"
        )
    return next((cure for pattern, cure in _OF_WORDS.items() if re.search(pattern, words)), CHECK)


def cure_of_statement(error: psycopg.Error) -> str:
    """What to do where a server that was connected did not do what it was asked."""
    return _OF_STATES.get(error.sqlstate or "", "it went away: see that the server runs, and its log")


def problems_of_server(connection: psycopg.Connection[object]) -> list[Diagnosis]:
    """What makes a server or database unfit, by what it told when the connection was made: nothing is asked."""
    info = connection.info
    where = f"{info.host}:{info.port}/{info.dbname}"
    found: list[Diagnosis] = []
    if info.server_version < MINIMUM_SERVER * 10_000:
        found.append(
            Diagnosis(
                check="database: version",
                level=Level.ERROR,
                text=f"PostgreSQL at {where} is version {info.server_version // 10_000}; {MINIMUM_SERVER} or newer is "
                "needed",
                cure="upgrade the server, or name another one in DATABASE_URL",
            )
        )
    encoding = info.parameter_status("server_encoding")
    if encoding != "UTF8":
        found.append(
            Diagnosis(
                check="database: encoding",
                level=Level.ERROR,
                text=f"the database {where} is encoded in {encoding}, which lacks most of the world's letters",
                cure="make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, restore a dump into it, and "
                "name it in DATABASE_URL",
            )
        )
    return found


def problem_of_writing(connection: psycopg.Connection[object]) -> Diagnosis | None:
    """What keeps this session from changing rows: a standby, or a default. One statement."""
    info = connection.info
    row = (
        connection.cursor(row_factory=psycopg.rows.tuple_row)
        .execute("SELECT pg_is_in_recovery(), current_setting('transaction_read_only')::boolean")
        .fetchone()
    )
    standby, read_only = row or (False, False)
    if not standby and not read_only:
        return None
    where = f"{info.host}:{info.port}/{info.dbname}"
    if standby:
        text, cure = f"{where} is a standby, which takes no changes", "name the primary in DATABASE_URL"
    else:
        text = f"sessions of {info.user} at {where} are read-only (default_transaction_read_only)"
        cure = (
            f'ALTER ROLE "{info.user}" RESET default_transaction_read_only, or the same for the database or the '
            "server; a provider sets it where the disk is full: make room there"
        )
    return Diagnosis(check="database: writable", level=Level.ERROR, text=text, cure=cure)
