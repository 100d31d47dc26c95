"""The queue on a real PostgreSQL: who may take what, how a claim ends, and what the sensor sees."""

import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest

from glad_pipeline.database import Database
from glad_pipeline.errors import GladError, UsageError
from glad_pipeline.prompts import hold, queue
from glad_pipeline.prompts.queue import Claim, ClaimLost, NothingLeft
from glad_pipeline.prompts.queue_state import live_workers, overdue, readiness
from glad_pipeline_tests.rows import pages_read


@pytest.fixture
def database(migrated_url, monkeypatch):
    monkeypatch.setattr(hold, "PING", 0.1)
    monkeypatch.setattr(hold, "GRACE", 2.0)
    with Database(migrated_url) as database:
        yield database


def claim(database, worker="run-1", lease=60.0, max_attempts=3):
    return Claim(database, worker=worker, lease=timedelta(seconds=lease), max_attempts=max_attempts).open()


def execute(database, statement, *values):
    with database.transaction() as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def add(database, count=1, **columns):
    names = ["prompt", *columns]
    marks = ", ".join(["%s"] * len(names))
    return [
        execute(
            database,
            f"INSERT INTO prompts ({', '.join(names)}) VALUES ({marks}) RETURNING id",
            f"prompt {i}",
            *columns.values(),
        )[0]["id"]
        for i in range(count)
    ]


def rows(database):
    return {row["id"]: row for row in execute(database, "SELECT * FROM prompts ORDER BY id")}


def add_image(database, recipe_hash="a" * 64):
    return execute(
        database,
        "INSERT INTO images (key, recipe_hash, url, sha256, bytes, width, height, content_type, recipe, model,"
        " model_revision, verified_at) VALUES (%s, %s, 'https://x/y.png', %s, 1, 8, 8, 'image/png', '{}', 'm', 'r', now())"
        " RETURNING id",
        f"generated/{recipe_hash}",
        recipe_hash,
        "0" * 64,
    )[0]["id"]


def test_the_most_urgent_and_then_the_oldest_are_claimed_first(database):
    first, second = add(database, 2)
    (urgent,) = add(database, priority=5)
    with claim(database) as mine:
        assert [prompt.id for prompt in mine.take(2)] == [urgent, first]
        assert [prompt.id for prompt in mine.take(2)] == [urgent, first, second]


def test_two_holds_never_take_the_same_row(database):
    add(database, 200)
    taken = []

    def work(worker):
        with claim(database, worker) as mine:
            for _ in range(5):
                mine.take(10)
            taken.extend(prompt.id for prompt in mine.held())
            barrier.wait()

    barrier = threading.Barrier(4)
    threads = [threading.Thread(target=work, args=(f"run-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == 200
    assert max(Counter(taken).values()) == 1


def test_an_ended_hold_gives_back_what_it_did_not_finish(database):
    (prompt,) = add(database)
    with claim(database) as mine:
        mine.take(1)
        assert rows(database)[prompt]["status"] == "claimed"
    row = rows(database)[prompt]
    assert (row["status"], row["attempts"], row["claim_token"], row["claimed_by"]) == ("pending", 0, None, None)


def test_a_try_counts_from_when_drawing_begins_and_not_if_something_else_was_at_fault(database):
    begun, other = add(database, 2)
    with claim(database) as mine:
        mine.take(2)
        mine.begin_drawing([begun])
        assert mine.drew(begun)
        assert not mine.drew(other)
    assert [row["attempts"] for row in rows(database).values()] == [1, 0]
    with claim(database) as mine:
        mine.take(2)
        mine.begin_drawing([begun, other])
        mine.refund()
    assert [row["attempts"] for row in rows(database).values()] == [1, 0]


def test_the_rows_of_a_killed_process_are_taken_over_by_the_next_claim(database, database_url):
    prompt, neighbour = add(database, 2)
    script = (
        "import sys, time; from datetime import timedelta; from glad_pipeline.database import Database;"
        "from glad_pipeline.prompts.queue import Claim;"
        "h = Claim(Database(sys.argv[1]), worker='dead', lease=timedelta(hours=1), max_attempts=3).open();"
        "n = len(h.take(5)); h.begin_drawing([int(sys.argv[2])]); print(n, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, database_url, str(prompt)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline().strip() == "2"
    with claim(database) as mine:
        assert mine.take(5) == []  # the holder lives
        assert live(database) == {"dead", "run-1"}
    process.kill()
    process.wait()
    deadline = time.monotonic() + 10
    while not readiness_of(database).abandoned:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert live(database) == set()
    with claim(database) as mine:
        assert [prompt.id for prompt in mine.take(5)] == [prompt, neighbour]
    after = rows(database)
    assert after[prompt]["attempts"] == 1  # a process that dies may have died of what it drew
    assert after[neighbour]["attempts"] == 0
    assert "dead" in after[prompt]["last_error"]


def live(database):
    with database.transaction() as connection:
        return live_workers(connection)


def readiness_of(database):
    with database.transaction() as connection:
        return readiness(connection)


def test_a_silent_holder_loses_its_rows_when_the_lease_is_over_and_can_no_longer_settle_them(database):
    (prompt,) = add(database)
    silent, other = claim(database, "silent"), claim(database, "other")
    silent.take(1)
    silent._stop.set()  # its heart stops, its connection and lock stay
    silent._heart.join()
    execute(database, "UPDATE prompts SET lease_expires_at = now() - interval '1 second'")
    with database.transaction() as connection:
        assert overdue(connection) == [prompt]
    assert [prompt.id for prompt in other.take(1)] == [prompt]
    image = add_image(database)
    with database.transaction() as connection:
        assert silent.generated(connection, {prompt: image}) == {}
    silent.reject({prompt: "late"})
    silent.fail({prompt: "late"})
    with pytest.raises(ClaimLost, match="lease of 60 s"):  # or it would draw what another draws
        silent.begin_drawing([prompt])
    silent.close()
    row = rows(database)[prompt]
    assert (row["status"], row["claimed_by"], row["last_error"] == "late") == ("claimed", "other", False)
    other.close()


def test_prompts_that_are_cancelled_while_a_run_holds_them_do_not_end_it(database):
    one, two = add(database, 2)
    with claim(database) as mine:
        mine.take(2)
        cancel = (
            "UPDATE prompts SET status = 'cancelled', claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL"
        )
        execute(database, f"{cancel} WHERE id = %s", one)
        mine.begin_drawing([one])
        mine.begin_drawing([two])
        execute(database, f"{cancel} WHERE id = %s", two)
        with pytest.raises(NothingLeft, match="cancelled"):
            mine.begin_drawing([two])


def test_the_heartbeat_renews_the_lease(database):
    (prompt,) = add(database)
    with claim(database, lease=0.6) as mine:
        mine.take(1)
        before = rows(database)[prompt]["lease_expires_at"]
        time.sleep(1.0)
        assert rows(database)[prompt]["lease_expires_at"] > before
        with claim(database, "other") as other:
            assert other.take(1) == []


def test_a_holder_that_loses_its_connection_keeps_its_rows(database):
    (prompt,) = add(database)
    with claim(database) as mine, claim(database, "rival") as rival:
        mine.take(1)
        execute(
            database,
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN prompts p ON l.objid::bigint = p.claim_token"
            " WHERE l.locktype = 'advisory'",
        )
        assert rival.take(1) == []
        assert [prompt.id for prompt in mine.held()] == [prompt]
        assert live(database) == {"run-1", "rival"}


def test_a_hold_that_cannot_be_locked_is_none(database, monkeypatch):
    add(database)
    mine = Claim(database, worker="run-1", lease=timedelta(seconds=60), max_attempts=3)
    monkeypatch.setattr(Claim, "_lock", lambda self, connection, token: False)
    with pytest.raises(GladError, match="locked already"):
        mine.open()
    assert mine._heart is None
    assert live(database) == set()


def test_a_prompt_whose_attempts_are_spent_is_failed_with_the_last_reason(database):
    (prompt,) = add(database)
    for attempt in range(1, 4):
        with claim(database) as mine:
            mine.take(1)
            mine.fail({prompt: f"NaN {attempt}"})
    row = rows(database)[prompt]
    assert (row["status"], row["attempts"], row["last_error"]) == ("failed", 3, "NaN 3")
    with claim(database) as mine:
        assert mine.take(1) == []


def test_a_prompt_that_kills_every_run_ends_as_failed_and_its_neighbours_do_not(database, monkeypatch):
    monkeypatch.setattr(hold, "GRACE", 0.0)
    poison, neighbour = add(database, 2)
    for n in range(3):
        with claim(database, f"run-{n}") as mine:
            assert len(mine.take(2)) == 2
            mine.begin_drawing([poison])
            execute(database, "UPDATE prompts SET claim_token = -1 WHERE status = 'claimed'")  # as if it were gone
    with claim(database, "last") as mine:
        assert [prompt.id for prompt in mine.take(2)] == [neighbour]
    assert rows(database)[poison]["status"] == "failed"
    assert "begun 3 times" in rows(database)[poison]["last_error"]


def test_a_prompt_that_makes_every_run_be_stopped_ends_as_failed(database):
    (slow,) = add(database)
    for _ in range(3):
        with claim(database) as mine:
            mine.take(1)
            mine.begin_drawing([slow])
    assert rows(database)[slow]["status"] == "failed"
    assert "stopped" in rows(database)[slow]["last_error"]


def test_named_prompts_are_worked_again_and_unknown_ones_are_an_error(database):
    done, other = add(database, 2)
    with claim(database) as mine:
        mine.take(1)
        mine.reject({done: "no"})
    with claim(database) as mine:
        assert [prompt.id for prompt in mine.take(10, ids=[done])] == [done]
        with pytest.raises(UsageError, match="no prompt has the id 999"):
            mine.take(10, ids=[999])
    assert rows(database)[other]["status"] == "pending"


def test_approval_holds_a_picture_back_and_publish_at_its_post(database):
    now, later, asked = (
        add(database)[0],
        add(database, publish_at="2999-01-01")[0],
        add(database, needs_approval=True)[0],
    )
    image = add_image(database)
    with claim(database) as mine:
        mine.take(10)
        with database.transaction() as connection:
            moved = mine.generated(connection, dict.fromkeys([now, later, asked], image))
            assert moved == {now: "generated", later: "generated", asked: "awaiting_approval"}
        with database.transaction() as connection:
            assert [prompt.id for prompt in mine.publishable(connection, 10)] == [now]
    assert {i: row["status"] for i, row in rows(database).items()} == {
        now: "generated",
        later: "generated",
        asked: "awaiting_approval",
    }


@pytest.mark.parametrize("columns", [{"publish": "picture"}, {"needs_approval": True}, {}])
def test_a_settlement_that_is_repeated_since_its_answer_was_lost_says_the_same(database, columns):
    (prompt,) = add(database, **columns)
    image, another = add_image(database), add_image(database, recipe_hash="b" * 64)

    def settle(holder, picture):
        with database.transaction() as connection:
            return holder.generated(connection, {prompt: picture})

    with claim(database) as mine:
        mine.take(1)
        first = settle(mine, image)
        assert first.keys() == {prompt}
        assert settle(mine, image) == first
        assert columns == {} or settle(mine, another) == {}  # that is another's doing


def test_another_run_publishes_what_a_dead_run_had_drawn_but_not_what_a_living_one_has(database):
    (prompt,) = add(database)
    image = add_image(database)
    first, second = claim(database, "first"), claim(database, "second")
    first.take(1)
    second.take(1)
    with database.transaction() as connection:
        first.generated(connection, {prompt: image})
    with database.transaction() as connection:
        assert second.publishable(connection, 10) == []
    execute(database, "UPDATE prompts SET claim_token = -1")
    assert readiness_of(database).due
    with database.transaction() as connection:
        assert [prompt.id for prompt in second.publishable(connection, 10)] == [prompt]
    first.close()
    second.close()


def test_the_sensor_sees_pending_due_and_abandoned_and_nothing_else(database):
    assert not readiness_of(database)
    (prompt,) = add(database)
    assert readiness_of(database).pending
    with claim(database) as mine:
        mine.take(1)
        assert not readiness_of(database)
        with database.transaction() as connection:
            mine.generated(connection, {prompt: add_image(database)})
        assert not readiness_of(database)  # the living run will publish it
    assert readiness_of(database).due


@pytest.mark.parametrize(("state", "ahead"), [("cancelled", True), ("waiting for its time", False)])
def test_the_sensors_look_and_the_claim_read_only_what_is_ready(database, state, ahead):
    execute(database, "INSERT INTO prompts (prompt) SELECT 'p' FROM generate_series(1, 20000)")
    if state == "cancelled":
        execute(database, "UPDATE prompts SET status = 'cancelled' WHERE id > 10")
    else:
        image = add_image(database)
        execute(
            database,
            "UPDATE prompts SET status = 'claimed', claim_token = -1, claimed_by = 'x', lease_expires_at = now() WHERE id > 10",
        )
        execute(
            database,
            "UPDATE prompts SET status = 'generated', claim_token = NULL, publish_at = '2999-01-01', image_id = %s WHERE id > 10",
            image,
        )
    execute(database, "ANALYZE prompts")
    bound = {
        "batch": 10,
        "ids": None,
        "had": [],
        "token": 1,
        "worker": "x",
        "lease": timedelta(seconds=5),
        "ahead": ahead,
        "above": None,
        "among": 10,
    }
    with database.transaction() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        look = str(connection.execute("EXPLAIN " + queue.SQL["ready"], bound).fetchall())
    with database.transaction() as connection:
        claim = str(connection.execute("EXPLAIN " + queue.SQL["claim"], bound).fetchall())
    assert "Seq Scan on prompts" not in look
    assert "prompts_due" in look
    waiting = ("pending", "pending_due", "waiting", "oldest") if ahead else ("pending_due",)  # any has a row that waits
    assert any(f"using prompts_{index} on prompts" in look for index in waiting)
    assert "prompts_leases" in look
    assert "prompts_in_turn" in claim
    assert "Seq Scan on prompts" not in claim
    assert pages_read(database, "SELECT * FROM prompts_in_turn(10, NULL, %(ahead)s, '{}')", ahead=ahead) < 100
