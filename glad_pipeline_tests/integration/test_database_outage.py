"""A database that goes away, refuses, or says nothing any more: what is asked again, what is not, and what is told."""

import logging
import threading
import time
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest

from glad_pipeline import database as database_room
from glad_pipeline import failpoints
from glad_pipeline.database import Database, DatabaseError, answering_within
from glad_pipeline.operations.checks import no_blank_picture, no_dead_message, no_expired_lease, urls_are_public
from glad_pipeline.prompts import hold
from glad_pipeline.prompts.queue import Claim
from glad_pipeline.prompts.queue_state import live_workers


@pytest.fixture
def database(migrated_url):
    with Database(migrated_url, patience=30) as database:
        yield database


@pytest.fixture
def admin(stack):
    with psycopg.connect(stack["DATABASE_URL"], autocommit=True) as connection:
        yield connection


def name_of(database):
    return database.url.rpartition("/")[2]


@contextmanager
def away(admin, name):
    """The database takes no connection and has lost those it had."""
    admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false")
    admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
    try:
        yield
    finally:
        admin.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


def one(connection):
    return connection.execute("SELECT 1 AS one").fetchone()["one"]


def sql(database, statement, *values):
    with database.transaction() as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def claim(database, worker="run-1", max_attempts=3):
    return Claim(database, worker=worker, lease=timedelta(seconds=60), max_attempts=max_attempts).open()


def add(database, count=1):
    for n in range(count):
        sql(database, "INSERT INTO prompts (prompt) VALUES (%s)", f"prompt {n}")
    return [row["id"] for row in sql(database, "SELECT id FROM prompts ORDER BY id")]


def rows(database):
    names = "id, status, attempts, claimed_by, last_error"
    return {row["id"]: row for row in sql(database, f"SELECT {names} FROM prompts ORDER BY id")}


def soon(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return answer


# ---- asked again


def test_what_was_asked_while_the_database_was_away_is_done_when_it_is_back(database, admin, caplog):
    assert database.read(one) == 1
    answers = []
    with away(admin, name_of(database)):
        asking = threading.Thread(target=lambda: answers.append(database.transact("claim", one)))
        asking.start()
        soon(lambda: "asked again" in caplog.text)
    asking.join()
    assert answers == [1]


def test_when_the_patience_is_over_it_is_said_who_did_not_answer(database, admin):
    assert database.read(one) == 1
    name = name_of(database)
    with away(admin, name), pytest.raises(DatabaseError, match=name):
        database.transact("claim", one, patience=0.3)


def test_an_outage_is_waited_for_once_and_not_by_each_who_asks_after_that(database, admin, caplog):
    assert database.read(one) == 1
    database.patience = 0.3
    with away(admin, name_of(database)):
        with pytest.raises(DatabaseError):
            database.transact("claim", one)
        assert "asked again" in caplog.text
        caplog.clear()
        with pytest.raises(DatabaseError):
            database.transact("refund", one)
        assert "asked again" not in caplog.text
    assert database.read(one) == 1  # it is back, and the next outage is waited for again
    with away(admin, name_of(database)), pytest.raises(DatabaseError):
        database.transact("claim", one)
    assert "asked again" in caplog.text


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("wrong password", "password authentication failed"),
        ("no such database", "does not exist"),
        ("mysql://glad@localhost/blog", "not a PostgreSQL URL"),
    ],
)
def test_what_waiting_does_not_mend_is_told_at_once(stack, caplog, url, words):
    known = stack["DATABASE_URL"]
    url = {
        "wrong password": known.replace("://glad:", "://glad:x"),
        "no such database": known + "_nowhere",
    }.get(url, url)
    with Database(url, patience=600) as database, pytest.raises(DatabaseError, match=words):
        database.transact("claim", one)
    assert "asked again" not in caplog.text


@pytest.mark.parametrize("state", ["25006", "25P03", "25P04", "40001", "40P01", "53100", "53200", "53300", "57P01"])
def test_what_passes_is_asked_again(database, state):
    tries = []

    def work(connection):
        tries.append(1)
        if len(tries) == 1:
            connection.execute(f"DO $$ BEGIN RAISE 'a passing fault' USING ERRCODE = '{state}'; END $$")
        return one(connection)

    assert database.transact("claim", work) == 1
    assert len(tries) == 2


@pytest.mark.parametrize("state", ["42P01", "23505", "22001", "42501"])
def test_what_does_not_pass_comes_through_as_it_is(database, state):
    with pytest.raises(psycopg.Error) as raised:
        database.transact(
            "claim", lambda connection: connection.execute(f"DO $$ BEGIN RAISE 'x' USING ERRCODE = '{state}'; END $$")
        )
    assert raised.value.sqlstate == state


def test_a_full_disk_is_called_one(database):
    with pytest.raises(DatabaseError, match="disk is full: make room"):
        database.transact(
            "claim",
            lambda connection: connection.execute("DO $$ BEGIN RAISE 'no space' USING ERRCODE = '53100'; END $$"),
            patience=0,
        )


def test_a_standby_is_called_one_and_the_primary_is_found_by_a_new_connection(database, admin, caplog):
    name = name_of(database)
    admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(DatabaseError, match="read-only"):
        database.transact("claim", lambda c: c.execute("UPDATE prompts SET prompt = prompt"), patience=0)
    admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    database.transact("claim", lambda c: c.execute("UPDATE prompts SET prompt = prompt"), patience=0)


def test_a_server_that_says_nothing_any_more_is_given_up_and_asked_anew(database, monkeypatch):
    monkeypatch.setattr(database_room, "ANSWER", 0.5)
    impatient = Database(database.url, patience=0)
    with impatient, pytest.raises(DatabaseError):
        impatient.read(lambda connection: connection.execute("SELECT pg_sleep(60)"))
    with impatient, impatient.transaction() as connection:
        assert one(connection) == 1


def test_a_connection_that_is_cut_raises_what_a_lost_one_does(database):
    with database.connect() as connection:
        with pytest.raises(psycopg.OperationalError), answering_within(connection, 0.2):
            connection.execute("SELECT pg_sleep(60)")
        assert connection.closed


def test_too_many_transactions_at_once_are_told_so(database, monkeypatch):
    monkeypatch.setattr(database_room, "BUSY", 0.1)
    with (
        Database(database.url, max_connections=1) as narrow,
        narrow.transaction(),
        pytest.raises(DatabaseError, match="all 1 connections"),
        narrow.transaction(),
    ):
        pass


# ---- a commit whose answer was lost


@contextmanager
def lost_once(*points):
    """At the first passing of each of these points the connection is lost."""
    left = set(points)

    def lose(point):
        if point in left:
            left.discard(point)
            raise psycopg.OperationalError("the connection is lost")

    failpoints.arm(lose)
    try:
        yield left
    finally:
        failpoints.arm(None)


def a_life(database):
    """Five prompts through every state that a hold moves them to; what is left of each."""
    for n in range(2):
        with claim(database, f"run-{n}", max_attempts=2) as mine:
            assert len(mine.take(2)) == 2
            assert len(mine.take(1)) == 3
            one, two, three = (prompt.id for prompt in mine.held())
            mine.begin_drawing([one, two])
            mine.refund()
            mine.begin_drawing([one])
            mine.begin_drawing([two])
            mine.fail({one: "NaN", three: "no model"})
            if n:
                mine.reject({two: "blank"})
    return {i: tuple(row.values())[1:] for i, row in rows(database).items()}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_whose_answer_was_lost_is_not_made_twice(database, monkeypatch, when):
    monkeypatch.setattr(hold, "GRACE", 0.0)
    add(database, 5)
    points = {f"{name}.{when}" for name in ("claim", "begin_drawing", "refund", "reject", "fail", "release")}
    told = a_life(database)
    sql(database, "DELETE FROM prompts")
    sql(database, "ALTER TABLE prompts ALTER id RESTART")
    add(database, 5)
    for point in sorted(points):  # each alone, then all in one life
        with lost_once(point) as left:
            assert (a_life(database), left) == (told, set()), point
        sql(database, "DELETE FROM prompts")
        sql(database, "ALTER TABLE prompts ALTER id RESTART")
        add(database, 5)
    with lost_once(*points) as left:
        assert (a_life(database), left) == (told, set())


def test_a_try_that_was_counted_and_whose_answer_was_lost_for_good_is_given_back(database):
    (prompt,) = add(database)
    with claim(database) as mine:
        mine.take(1)
        database.patience = 0
        with lost_once("begin_drawing.after"), pytest.raises(DatabaseError):
            mine.begin_drawing([prompt])
        assert rows(database)[prompt]["attempts"] == 1
        mine.refund()
        assert rows(database)[prompt]["attempts"] == 0


def test_where_no_try_was_begun_nothing_is_asked_to_give_it_back(database, admin):
    add(database)
    with claim(database) as mine:
        mine.take(1)
        with away(admin, name_of(database)):
            database.patience = 0
            mine.refund()


# ---- checks


@pytest.mark.few(2)
@pytest.mark.parametrize("check", [no_expired_lease, no_blank_picture, urls_are_public, no_dead_message])
def test_a_check_waits_for_the_database_as_the_assets_do(database, admin, caplog, check):
    looked = []
    with away(admin, name_of(database)):
        looking = threading.Thread(target=lambda: looked.append(check(database)))
        looking.start()
        soon(lambda: "asked again" in caplog.text or not looking.is_alive())
    looking.join()
    assert [result.passed for result in looked] == [True]


# ---- the hold


def live(database):
    with database.transaction() as connection:
        return live_workers(connection)


def test_a_hold_outlives_an_outage_with_its_rows(database, admin, monkeypatch, caplog):
    monkeypatch.setattr(hold, "PING", 0.1)
    monkeypatch.setattr(hold, "GRACE", 1.0)
    (prompt,) = add(database)
    with claim(database) as mine:
        mine.take(1)
        with away(admin, name_of(database)):
            soon(lambda: "lost its connection" in caplog.text)
            time.sleep(0.5)
        with claim(database, "rival") as rival:
            assert rival.take(1) == []
        assert "has a connection again" in caplog.text
        mine.reject({prompt: "late, and still ours"})
    assert rows(database)[prompt]["status"] == "rejected"
    assert sum("lost its connection" in record.message for record in caplog.records) == 1


def test_a_hold_that_ends_while_the_database_is_away_ends_and_its_rows_are_taken_over(database, admin, monkeypatch):
    monkeypatch.setattr(hold, "GRACE", 0.0)
    (prompt,) = add(database)
    mine = claim(database)
    mine.take(1)
    with away(admin, name_of(database)):
        mine.close()
        database.close()
    assert rows(database)[prompt]["status"] == "claimed"
    with claim(database, "next") as following:
        assert [prompt.id for prompt in following.take(1)] == [prompt]


def test_a_holder_that_came_back_after_it_was_found_gone_keeps_its_rows(database, monkeypatch):
    add(database)
    with claim(database) as mine, claim(database, "rival") as rival:
        mine.take(1)
        monkeypatch.setattr(Claim, "_gone", lambda self: [mine._token])  # as seen before its connection was back
        assert rival.take(1) == []


def test_a_hold_is_opened_although_the_server_hangs_up_on_the_first_statement(migrated_url, monkeypatch):
    real = Claim._locked_token
    refused = []

    def hangs_up(self, connection):
        if not refused:
            refused.append(connection)
            connection.close()
        return real(self, connection)

    monkeypatch.setattr(Claim, "_locked_token", hangs_up)
    with Database(migrated_url, patience=10) as patient, claim(patient):
        assert live(patient) == {"run-1"}
    assert refused


def test_a_pooler_that_changes_the_session_under_a_lock_is_named(database, monkeypatch, caplog):
    monkeypatch.setattr(hold, "PING", 0.1)
    opened = []
    connect = Database.connect_patiently
    monkeypatch.setattr(
        Database, "connect_patiently", lambda *args, **kwargs: opened.append(connect(*args, **kwargs)) or opened[-1]
    )
    with caplog.at_level(logging.ERROR), claim(database):
        opened[0][0].execute("SELECT pg_advisory_unlock_all()")  # as a pooler would: the session is another's
        soon(lambda: "a pooler gives each statement another session" in caplog.text)
        soon(lambda: live(database) == {"run-1"})
    assert caplog.text.count("a pooler gives each") == 1
