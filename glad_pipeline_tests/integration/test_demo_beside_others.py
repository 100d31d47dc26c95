"""`glad demo` beside another run that has the prompts."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from glad_pipeline.database import Database, DatabaseError
from glad_pipeline.operations.demo import demo
from glad_pipeline.prompts.queue import Claim

LONG = timedelta(hours=1)  # a lease that nobody waits for


@pytest.fixture
def database(migrated_url):
    with Database(migrated_url) as database:
        with database.transaction() as connection:
            connection.execute("INSERT INTO prompts (prompt) VALUES ('a moor')")
        yield database


def claim(database):
    claim = Claim(database, worker="another run", lease=LONG, max_attempts=5).open()
    assert len(claim.take(10)) == 1
    return claim


def test_nothing_is_waited_for_where_nobody_holds_anything(database):
    assert demo._is_work_left(database, datetime.now(UTC), ahead=True)  # it is pending
    with database.transaction() as connection:
        connection.execute("UPDATE prompts SET status = 'cancelled'")
    assert not demo._is_work_left(database, datetime.now(UTC), ahead=True)


@pytest.mark.parametrize("end", ["killed", "ended"])
def test_what_another_run_has_left_is_taken_over_without_waiting_for_its_lease(database, end):
    holder = claim(database)
    since = datetime.now(UTC)
    with database.transaction() as connection:
        (before,) = connection.execute("SELECT status, lease_expires_at > now() + '50 min' AS leased FROM prompts")
        assert before == {"status": "claimed", "leased": True}

    def over():
        if end == "ended":
            holder.close()
        else:
            holder._stop.set()  # its connection, and with it the lock, is gone; the row still names it
            holder._heart.join()

    timer = threading.Timer(1, over)
    timer.start()
    try:
        assert demo._is_work_left(database, since, ahead=True)
        with Claim(database, worker="ours", lease=LONG, max_attempts=5).open() as ours:
            assert len(ours.take(10)) == 1
    finally:
        timer.join()
        holder.close()


def test_a_database_that_is_lost_meanwhile_is_a_sentence_and_no_stack_trace(database):
    lost = pytest.raises(DatabaseError, match="did not do what it was asked")
    with lost, demo._explained(database), database.transaction() as connection:
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
