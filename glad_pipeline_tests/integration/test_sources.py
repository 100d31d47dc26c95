"""Fair shares on a real PostgreSQL: turns of sources, more and back, and what has waited for too long."""

import re
import threading
from collections import Counter
from datetime import timedelta

import psycopg
import pytest
from test_queue import add_image

from glad_pipeline import database as database_module
from glad_pipeline.prompts import queue, sources, taking
from glad_pipeline.records import records_of
from glad_pipeline_tests.rows import pages_read
from glad_pipeline_tests.source_rows import HOUR, a_database, add, claim, execute, ids, of_sources

__all__ = ["a_database"]


# --- turns


def test_sources_of_one_priority_take_turns_and_each_is_served_by_id(database):
    flood = add(database, 50, "bulk")
    few = add(database, 3, "news")
    unnamed = add(database, 2)
    with claim(database) as mine:
        taken = mine.take(8)
        assert Counter(of_sources(taken)) == {"bulk": 3, "news": 3, "": 2}
        assert ids(taken) == [unnamed[0], flood[0], few[0], unnamed[1], flood[1], few[1], flood[2], few[2]]
        assert ids(mine.more(2)) == flood[3:5]


def test_priority_goes_before_turns_at_both_ends_of_its_range(database):
    low, high = -(2**31), 2**31 - 1
    last = add(database, 1, "b", low)
    middle = add(database, 2, "a")
    first = add(database, 1, "b", high)
    with claim(database) as mine:
        assert ids(mine.take(10)) == [*first, *middle, *last]
        assert mine.more(10, above=low) == []
        urgent = add(database, 2, "c", high)
        assert mine.more(10, above=high) == []
        assert ids(mine.more(10, above=high - 1)) == urgent


@pytest.mark.parametrize("slice_", [1, 2, 3])
def test_more_sources_than_a_slice_has_room_for_are_all_served_before_one_is_served_again(database, slice_):
    for name in "abcdefg":
        add(database, 5, name)
    served = []
    for run in range(2):  # the turn outlasts the run
        with claim(database, f"run-{run}") as mine:
            while len(served) < 7 * (run + 1):
                served += of_sources(mine.more(min(slice_, 7 * (run + 1) - len(served))))
            mine.reject(dict.fromkeys(ids(mine.held()), "done"))
    assert Counter(served[:7]) == Counter("abcdefg")
    assert Counter(served[7:]) == Counter("abcdefg")


def test_urgent_rows_of_one_source_move_no_turn_of_what_is_less_urgent(database):
    """More sources than half a window, and an urgent row of one of them before each claim; claims of 1 likewise."""
    execute(
        database,
        "INSERT INTO prompts (prompt, source) SELECT 'p', 'k' || lpad(s::text, 3, '0')"
        " FROM generate_series(0, 99) AS s, generate_series(1, 5)",
    )
    served = Counter()
    with claim(database) as mine:
        for _ in range(9):
            add(database, 1, "k050", priority=10)
            assert of_sources(mine.more(32, above=0)) == ["k050"]
            add(database, 1, "k050", priority=9)
            served.update(of_sources(each for each in mine.more(33) if each.priority == 0))
    assert len(served) == 100
    assert set(served.values()) <= {2, 3}


def test_claims_of_one_prompt_serve_all_sources_between_urgent_rows_of_one(database):
    for name in "abc":
        add(database, 10, name)
    served = []
    with claim(database) as mine:
        for _ in range(9):
            add(database, 1, "b", priority=10)
            assert [each.priority for each in mine.more(1)] == [10]
            served += of_sources(mine.more(1))
    assert Counter(served) == {"a": 3, "b": 3, "c": 3}


def test_turns_of_a_hundred_priorities_are_not_remembered_for_good(database):
    with claim(database) as mine:
        for priority in range(105):
            add(database, 1, "a", priority)
            assert of_sources(mine.more(1)) == ["a"]
    [row] = execute(database, "SELECT turns FROM prompt_sources WHERE source = '*'")
    assert len(row["turns"]) == 5


def test_a_flood_of_urgent_rows_of_one_source_leaves_others_of_that_priority_their_share(database):
    add(database, 100_000, "flood", 10)
    other = add(database, 20, "reader", 10)
    with claim(database) as mine:
        assert ids(prompt for prompt in mine.take(40) if prompt.source == "reader") == other


def test_claims_at_the_same_moment_all_get_their_share_and_none_gets_another_s(database):
    for name in ("a", "b", ""):
        add(database, 60, name)
    taken, barrier = [], threading.Barrier(6)

    def work(worker):
        with claim(database, worker) as mine:
            barrier.wait()
            got = ids(mine.more(15)) + ids(mine.more(15))
            taken.append(got)
            barrier.wait()

    threads = [threading.Thread(target=work, args=(f"run-{n}",)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(got) for got in taken] == [30] * 6
    assert len({i for got in taken for i in got}) == 180


def test_a_claim_reads_as_little_whatever_waits(database):
    """Many rows of one source, urgent rows of a paused one, and thousands of sources: pages of the index alone."""
    look = "SELECT * FROM prompts_in_turn(64, NULL, true, '{}')"
    add(database, 200, "bulk", -5)
    few = pages_read(database, look)
    add(database, 60_000, "bulk", -5)
    add(database, 60_000, "paused", 9)
    sources.pause(database, "paused")
    execute(database, "INSERT INTO prompts (prompt, source) SELECT 'p', 's' || n FROM generate_series(1, 10000) AS n")
    assert pages_read(database, look) < few + 64 * 12  # two probes and a row for each of 64 sources
    execute(database, "ANALYZE prompts")
    assert pages_read(database, look) < few + 64 * 12


def test_urgent_rows_of_a_paused_source_with_a_priority_each_do_not_cost_a_probe_each(database):
    execute(
        database,
        "INSERT INTO prompts (prompt, source, priority) SELECT 'p', 'odd', n FROM generate_series(1, 30000) AS n",
    )
    sources.pause(database, "odd")
    add(database, 5)
    assert pages_read(database, "SELECT * FROM prompts_in_turn(5, NULL, true, '{}')") < 1_500


@pytest.mark.parametrize("due", [5, 600])
def test_rows_whose_time_has_not_come_are_not_even_passed(database, due):
    execute(
        database,
        "INSERT INTO prompts (prompt, source, publish_at)"
        " SELECT 'p', 'plan', now() + interval '30 days' FROM generate_series(1, 20000)",
    )
    few = add(database, due // 5, "bulk", -10) + add(database, due - due // 5, "news", -10)
    look = "SELECT * FROM prompts_in_turn(16, NULL, false, '{}')"
    assert pages_read(database, look) < (100 if due == 5 else 300)  # without it: 472
    with claim(database, ahead=False) as mine:
        taken = mine.take(4)
        assert of_sources(taken) == (["bulk", "news", "news", "news"] if due == 5 else ["bulk", "news"] * 2)
        assert set(ids(taken)) <= set(few)
        assert mine.more(4, above=-10) == []


def test_a_claim_looks_up_its_rows_by_id_also_where_nobody_has_analyzed_what_has_just_come(database):
    with database.transaction() as connection:
        connection.execute("SET LOCAL enable_seqscan = off")
        connection.execute("INSERT INTO prompts (prompt) SELECT 'p' FROM generate_series(1, 50000)")
        bound = {"batch": 64, "among": 64, "above": None, "ahead": True, "had": [], "token": 1, "worker": "w"}
        bound |= {"lease": HOUR, "ids": [1, 2], "longest_wait": HOUR}
        for name in ("claim", "claim_named", "claim_overdue"):
            plan = str(connection.execute(f"EXPLAIN {taking.SQL[name]}", bound).fetchall())
            assert "prompts_pkey on prompts" in plan, name
            by_id = {"prompts_pkey", "prompt_sources_paused"} | (
                {"prompts_oldest"} if name == "claim_overdue" else set()
            )
            assert set(re.findall(r"Bitmap Index Scan on (\w+)", plan)) <= by_id, name
            assert "Hash Join" not in plan, name


# --- more, and back


def test_more_returns_what_is_newly_claimed_and_nothing_while_there_is_nothing(database):
    first = add(database, 2)
    with claim(database) as mine:
        assert ids(mine.take(1)) == first[:1]
        assert ids(mine.more(5)) == first[1:]
        assert mine.more(5) == []
        assert mine.more(0) == []
        assert mine.taken == 2


def test_more_reads_what_it_takes_whatever_is_in_hand_and_takes_no_more_when_its_answer_is_lost(database, monkeypatch):
    rows = add(database, 40)
    read, lost = [], []
    monkeypatch.setattr(
        taking, "records_of", lambda kind, found: read.append(found.rowcount) or records_of(kind, found)
    )

    def reached(point):
        if point == "claim.after" and lost:
            raise psycopg.OperationalError(lost.pop())

    database.patience = 10
    with claim(database) as mine:
        mine.take(20)
        monkeypatch.setattr(database_module, "reached", reached)
        assert ids(mine.more(5)) == rows[20:25]
        lost.append("the connection is lost")
        assert ids(mine.more(5)) == rows[25:30]
        assert read == [20, 5, 5, 5]
        assert ids(mine.held()) == rows[:30]


def test_what_is_given_back_waits_as_before_and_no_try_is_counted(database):
    begun, other = add(database, 2)
    with claim(database) as mine:
        mine.take(2)
        mine.begin_drawing([begun])
        mine.give_back([begun, other], reason="paused")
        assert ids(mine.held()) == [begun]
        assert mine.taken == 1
        [row] = execute(database, "SELECT * FROM prompts WHERE id = %s", other)
        assert (row["status"], row["attempts"], row["claim_token"], row["last_error"]) == ("pending", 0, None, "paused")
        assert ids(mine.more(5)) == [other]
        mine.give_back([])


# --- what has waited for too long


def test_one_in_eight_is_overdue_whatever_its_priority(database):
    urgent = add(database, 40, "now", 10)
    old = add(database, 10, "old", -(2**31), age=100)
    older = add(database, 1, "older", -5, age=200)
    with claim(database, longest_wait=timedelta(seconds=50)) as mine:
        taken = ids(mine.take(16))
        assert taken[:2] == [*older, old[0]]
        assert taken[2:] == urgent[:14]
        assert mine.overdue == {*older, old[0]}
        assert [i in mine.overdue for i in ids(mine.more(8))] == [True, *[False] * 7]
        mine.give_back([old[0]])
        assert old[0] not in mine.overdue


def test_runs_of_one_prompt_each_serve_what_is_overdue_too(database):
    add(database, 30, "now", 10)
    [old] = add(database, 1, "old", -10, age=100)
    for run in range(taking.OVERDUE_SHARE):
        with claim(database, f"run-{run}", longest_wait=timedelta(seconds=50)) as mine:
            [taken] = ids(mine.take(1))
            mine.reject({taken: "done"})
        if taken == old:
            return
    pytest.fail("the row that is overdue was not served")


def test_what_is_put_back_or_has_a_time_waits_from_then_on(database):
    [again] = add(database, 1, age=1_000)
    [timed] = add(database, 1, age=1_000)
    execute(database, "UPDATE prompts SET publish_at = now() + interval '1 hour' WHERE id = %s", timed)
    execute(database, "UPDATE prompts SET status = 'cancelled' WHERE id = %s", again)
    execute(database, "UPDATE prompts SET status = 'pending' WHERE id = %s", again)
    urgent = add(database, 8, priority=1)
    with claim(database, longest_wait=timedelta(seconds=500)) as mine:
        assert ids(mine.take(8)) == urgent
        assert mine.overdue == set()
        execute(database, "SET session_replication_role = replica")
        execute(database, "UPDATE prompts SET put_back_at = now() - interval '600 seconds' WHERE id = %s", again)
        execute(database, "SET session_replication_role = DEFAULT")
        mine._look_for_overdue = 0.0
        assert mine.more(2)[0].id == again


def test_what_is_edited_or_drawn_again_waits_from_then_on(database):
    edited, again = add(database, 2, age=1_000)
    with claim(database) as mine:
        mine.take(2)
        execute(database, "UPDATE prompts SET prompt = 'another' WHERE id = %s", edited)
        image = add_image(database)
        database.transact("catalogue", lambda c: mine.generated(c, {again: image}))
        execute(
            database,
            "UPDATE prompts SET status = 'pending', claim_token = NULL, claimed_by = NULL, lease_expires_at = NULL"
            " WHERE id = %s",
            again,
        )
    found = execute(database, "SELECT status, put_back_at IS NOT NULL AS noted FROM prompts")
    assert [(row["status"], row["noted"]) for row in found] == [("pending", True)] * 2
    urgent = add(database, 8, priority=1)
    with claim(database, "run-2", longest_wait=timedelta(seconds=500)) as mine:
        assert ids(mine.take(8)) == urgent


def test_what_is_overdue_is_found_with_as_little_however_many_sources_wait(database):
    bound = {"longest_wait": timedelta(seconds=50), "batch": 2, "had": [], "token": 1, "worker": "x", "lease": HOUR}
    execute(
        database,
        "INSERT INTO prompts (prompt, source, created_at)"
        " SELECT 'p', 's' || n, now() - interval '1 hour' FROM generate_series(1, 5000) AS n",
    )
    assert pages_read(database, queue.SQL["claim_overdue"], **bound) < 1_000
    execute(database, "ANALYZE prompts")
    assert pages_read(database, queue.SQL["claim_overdue"], **bound) < 1_000


def test_a_paused_source_is_not_overdue_and_hides_nobody_who_is(database):
    add(database, 500, "paused", age=900)
    [old] = add(database, 1, "old", -5, age=100)
    add(database, 10)
    sources.pause(database, "paused")
    with claim(database, longest_wait=timedelta(seconds=50)) as mine:
        mine.take(8)
        assert mine.overdue == {old}
