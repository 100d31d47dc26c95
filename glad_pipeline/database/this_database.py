"""Which database this is: the same for every client, another for a copy or a restored dump."""

from __future__ import annotations

import psycopg

from glad_pipeline.database import Connection, named_queries

SQL = named_queries(__package__, "this_database.sql")


def database_mark(connection: Connection) -> str:
    """`<number of the server>/<number of the database>`; the database's alone where the server's may not be read."""
    try:
        with connection.transaction():
            row = connection.execute(SQL["this_database"]).fetchone()
    except psycopg.ProgrammingError:  # no right to it, or no such function
        row = connection.execute(SQL["this_database_without_its_server"]).fetchone()
    assert row is not None  # noqa: S101  we are in it
    return str(row["mark"])
