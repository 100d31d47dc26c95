"""Connections to a real PostgreSQL: what the server refuses, the clock, the URL's own options."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from glad_pipeline.database import Database, DatabaseError, connect


def test_a_wrong_password_is_refused_without_repeating_it(database_url: str) -> None:
    parts = urlsplit(database_url)
    wrong = urlunsplit(parts._replace(netloc=f"{parts.username}:hunter2-secret@{parts.hostname}:{parts.port}"))
    with pytest.raises(DatabaseError, match="password authentication failed") as refused:
        connect(wrong)
    assert f"{parts.hostname}:{parts.port}" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_database_that_does_not_exist_is_named(database_url: str) -> None:
    parts = urlsplit(database_url)
    with pytest.raises(DatabaseError, match='"no_such_blog" does not exist') as refused:
        connect(urlunsplit(parts._replace(path="/no_such_blog")))
    assert f"{parts.hostname}:{parts.port}" in str(refused.value)
    assert str(parts.password) not in str(refused.value)


def test_a_session_s_clock_is_utc_and_the_url_s_options_are_kept(database_url: str) -> None:
    with connect(database_url + "?options=-csearch_path%3Dpg_catalog") as connection:
        row = connection.execute("SELECT current_setting('TimeZone') AS zone, current_schema() AS schema").fetchone()
    assert row == {"zone": "UTC", "schema": "pg_catalog"}


def test_a_transaction_is_rolled_back_when_anything_is_raised(database_url: str) -> None:
    with Database(database_url) as database:
        with database.transaction() as connection:
            connection.execute("CREATE TABLE t (n integer)")
        with pytest.raises(psycopg.errors.DivisionByZero), database.transaction() as connection:
            connection.execute("INSERT INTO t VALUES (1); SELECT 1 / 0")
        with database.transaction() as connection:
            assert connection.execute("SELECT count(*) FROM t").fetchone() == {"count": 0}
