"""Connecting fails clearly and keeps the password to itself; named SQL and JSON rows. No server needed."""

from __future__ import annotations

import datetime as dt
import socket
import uuid
from dataclasses import make_dataclass

import pytest

from glad_pipeline.database import Database, DatabaseError, connect, describe, jsonable, named_queries

PASSWORD = "hunter2-secret"


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_a_port_where_nothing_listens_is_named_and_the_password_is_not() -> None:
    port = closed_port()
    with pytest.raises(DatabaseError) as refused:
        connect(f"postgresql://glad:{PASSWORD}@127.0.0.1:{port}/blog")
    assert f"127.0.0.1:{port}/blog" in str(refused.value)
    assert "Check DATABASE_URL" in str(refused.value)
    assert PASSWORD not in str(refused.value)


def test_a_host_that_does_not_exist_is_named() -> None:
    with pytest.raises(DatabaseError, match=r"no-such-host\.invalid"):
        connect(f"postgresql://glad:{PASSWORD}@no-such-host.invalid/blog")


NOT_URLS = [
    f"mysql://glad:{PASSWORD}@127.0.0.1/blog",
    f"jdbc:postgresql://glad:{PASSWORD}@127.0.0.1/blog",
    f"glad:{PASSWORD}@127.0.0.1",
    f"postgresql://glad:{PASSWORD}%zz@127.0.0.1/blog",
]


@pytest.mark.parametrize("url", [*NOT_URLS, "postgresql://127.0.0.1/blog?no_such_option=1"])
def test_what_is_no_postgresql_url_is_refused_with_an_example_of_one(url: str) -> None:
    with pytest.raises(DatabaseError, match="DATABASE_URL is not a PostgreSQL URL") as refused:
        connect(url)
    assert "postgresql://user:password@host:5432/database" in str(refused.value)


@pytest.mark.parametrize("url", NOT_URLS)
def test_what_is_no_postgresql_url_is_not_repeated(url: str) -> None:
    with pytest.raises(DatabaseError) as refused:
        connect(url)
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("url", NOT_URLS)
def test_what_is_no_postgresql_url_is_described_without_its_password(url: str) -> None:
    assert PASSWORD not in describe(url)


def test_a_port_that_is_no_number_is_refused_without_the_password() -> None:
    with pytest.raises(DatabaseError) as refused:
        connect(f"postgresql://glad:{PASSWORD}@127.0.0.1:many/blog")
    assert PASSWORD not in str(refused.value)


def test_a_pool_says_at_once_why_it_cannot_connect() -> None:
    port = closed_port()
    with (
        Database(f"postgresql://glad:{PASSWORD}@127.0.0.1:{port}/blog") as database,
        pytest.raises(DatabaseError, match=f"127.0.0.1:{port}"),
        database.transaction(),
    ):
        pass


def test_a_url_is_described_by_host_port_and_database() -> None:
    assert (
        describe(f"postgres://glad:{PASSWORD}@db.example.com:6543/blog?sslmode=require") == "db.example.com:6543/blog"
    )
    assert describe(f"postgresql://glad:{PASSWORD}@db.example.com/blog") == "db.example.com:5432/blog"


def test_named_queries_are_read_by_name() -> None:
    queries = named_queries("glad_pipeline.database.migrations", "checks.sql")
    assert queries["try_lock"].startswith("SELECT pg_try_advisory_lock")
    assert all("-- name:" not in query for query in queries.values())


def test_a_row_becomes_json_with_its_dates_and_ids_as_text() -> None:
    record = make_dataclass("Record", ("id", "at", "n", "none", "list"))
    row = record(id=uuid.UUID(int=1), at=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), n=1, none=None, list=[1])
    assert jsonable(row) == {
        "id": "00000000-0000-0000-0000-000000000001",
        "at": "2026-01-01 00:00:00+00:00",
        "n": 1,
        "none": None,
        "list": [1],
    }
