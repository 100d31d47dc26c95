"""`glad psql`: the deployment's database, by PostgreSQL's own terminal or for one statement by ours.

With the role of DATABASE_URL, and read-only unless a person wants to write: a guard against slips, which SQL can lift.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import tuple_row

from glad_pipeline.database import connect, describe, first_words
from glad_pipeline.database.sessions import is_pooled
from glad_pipeline.errors import GladError
from glad_pipeline.local.postgres import locate
from glad_pipeline.urls import parts_of

NAME = "glad psql"  # in pg_stat_activity
READ_ONLY = "default_transaction_read_only"


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What one statement answers."""

    status: str  # PostgreSQL's own word for it: SELECT 3
    headers: Sequence[str]  # empty: it answers no rows
    rows: Sequence[Sequence[Any]]


def session(url: str, *, writes: bool) -> tuple[list[str], dict[str, str]]:
    """The command line of psql, and what it needs beside the environment: other users see the one, but not the other.

    Raises `GladError` where there is no psql, and where a session could not be kept from writing: a pooler drops, or
    refuses, what libpq would ask for at its start.
    """
    with connect(url, application_name=NAME) as connection:
        pooled = is_pooled(connection)
    if pooled and not writes:
        raise GladError(
            f"{describe(url)} is a pooler, through which a session of psql cannot be made read-only. Have DATABASE_URL "
            "name the server itself, ask for one answer with ./glad psql -c 'SELECT …', or use ./glad psql --write"
        )
    given = parts_of(url)
    secrets = {"PGPASSWORD": given.pop("password", None)}
    given.pop("sslpassword", None)  # the key's: psql asks for it
    if not pooled:
        given["options"] = f"{given.get('options') or ''} -c {READ_ONLY}={'off' if writes else 'on'}".strip()
    given["application_name"] = NAME
    return [_program(), "-d", make_conninfo("", **given)], {
        name: str(value) for name, value in secrets.items() if value
    }


def _program() -> str:
    """psql on PATH, else the one that came with the embedded server."""
    found = shutil.which("psql")
    if found is None:
        try:
            found = shutil.which(locate().folder / "psql")
        except GladError:
            found = None
    if found is None:
        raise GladError(
            "there is no psql: none on PATH, and none with the embedded server. Install PostgreSQL's client "
            "(postgresql-client), or ask for one answer with: ./glad psql -c 'SELECT …'"
        )
    return found


def answers(url: str, statements: str, *, writes: bool) -> Iterator[Answer]:
    """What these statements, in one transaction, answer. Raises `GladError` with PostgreSQL's words."""
    with connect(url, autocommit=True, application_name=NAME) as connection:
        if not writes:
            connection.execute(f"SET {READ_ONLY} = on")
        cursor = connection.cursor(row_factory=tuple_row)
        try:
            cursor.execute(statements.encode())
            while True:
                headers = [column.name for column in cursor.description or ()]
                yield Answer(
                    status=cursor.statusmessage or "", headers=headers, rows=cursor.fetchall() if headers else []
                )
                if not cursor.nextset():
                    return
        except psycopg.errors.ReadOnlySqlTransaction as error:
            raise GladError(
                f"{first_words(error)}: this session only reads. To change rows: ./glad psql --write"
            ) from error
        except psycopg.Error as error:
            raise GladError(f"PostgreSQL refuses it: {first_words(error)}") from error
