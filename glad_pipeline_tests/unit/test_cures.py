"""What is said to do, by the words of servers and poolers. No server."""

from __future__ import annotations

import psycopg
import pytest

from glad_pipeline.database import first_words
from glad_pipeline.database.cures import CHECK, cure_at_connecting, is_refusal

WORDS = {
    "connection failed: FATAL:  sorry, too many clients already": "max_connections",
    "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute": "max_connections",
    'FATAL:  too many connections for database "blog"': "CONNECTION LIMIT",
    "FATAL:  no more connections allowed (max_client_conn)": "the size of the pool",
    "FATAL:  MaxClientsInSessionMode: max clients reached": "the size of the pool",
    "FATAL:  Tenant or user not found": "postgres.PROJECT",
    'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", no encryption': "sslmode=require",
    'FATAL:  no pg_hba.conf entry for host "1.2.3.4", user "u", database "d", SSL encryption': "pg_hba.conf",
    "FATAL:  the database system is starting up": "Wait until",
    "FATAL:  the database system is in recovery mode": "Wait until",
    "server does not support SSL, but SSL was required": "sslmode=disable",
    'root certificate file "/home/blog/.postgresql/root.crt" does not exist': "sslrootcert",
    "FATAL:  unsupported startup parameter: extra_float_digits": "ignore_startup_parameters",
    "FATAL:  query_wait_timeout": "pool",
    'FATAL:  role "me" does not exist': "Correct the name",
    "FATAL:  no such database: blog_dagster": "a pooler has to know it too",
    "could not translate host name": CHECK,
}


@pytest.mark.parametrize(("words", "cure"), WORDS.items())
def test_each_refusal_has_its_cure(words, cure):
    assert cure in cure_at_connecting(psycopg.OperationalError(words), "h")


def test_a_host_of_supabase_that_has_no_ipv4_address_is_told_the_session_pooler():
    unreachable = psycopg.OperationalError("connection failed: Network is unreachable")
    assert "session pooler" in cure_at_connecting(unreachable, "db.abc.supabase.co")
    assert cure_at_connecting(unreachable, "db.example.com") == CHECK


def test_a_question_of_libpq_s_is_not_the_reason():
    error = psycopg.OperationalError(
        'connection to server at "::1", port 1 failed: Connection refused\n\tIs the server running on that host?'
    )
    assert first_words(error) == 'connection to server at "::1", port 1 failed: Connection refused'


@pytest.mark.parametrize(
    ("words", "refuses"),
    [
        ('connection failed: FATAL:  password authentication failed for user "glad"', True),
        ('FATAL:  role "me" does not exist', True),
        ('FATAL:  database "blog" does not exist', True),
        ("FATAL:  the database system is starting up", False),
        ("connection failed: Connection refused", False),
        ('root certificate file "/home/blog/.postgresql/root.crt" does not exist', False),
    ],
)
def test_the_log_of_an_embedded_server_is_told_only_where_the_server_is_in_trouble(words, refuses):
    assert is_refusal(psycopg.OperationalError(words)) is refuses
