"""Pausing and resuming the queue, or one source, on a real PostgreSQL."""

from glad_pipeline.prompts import sources
from glad_pipeline.prompts.queue_state import readiness
from glad_pipeline_tests.source_rows import a_database, add, claim, execute, glad, ids, of_sources

__all__ = ["a_database"]


def test_nothing_is_claimed_while_all_is_paused_and_all_of_it_after(database):
    waiting = add(database, 3)
    [named] = add(database, 1)
    execute(database, "UPDATE prompts SET status = 'cancelled' WHERE id = %s", named)
    with claim(database) as mine:
        assert not mine.paused()
        assert sources.pause(database, reason="the printer is on fire") is None
        assert "the printer is on fire" in mine.paused().all
        assert mine.take(5) == []
        assert mine.more(5) == []
        assert mine.take(5, ids=[named, waiting[0]]) == []
        assert [row["status"] for row in execute(database, "SELECT status FROM prompts WHERE id = %s", named)] == [
            "cancelled"
        ]
        assert sources.resume(database) is not None
        assert ids(mine.take(5)) == waiting


def test_a_paused_source_waits_and_the_others_go_on(database):
    add(database, 3, "bulk", 5)
    other = add(database, 2, "news")
    sources.pause(database, "bulk")
    with claim(database) as mine:
        assert mine.paused().all is None
        assert list(mine.paused().sources) == ["bulk"]
        assert ids(mine.take(5)) == other
        sources.resume(database, "bulk")
        assert of_sources(mine.more(5)) == ["bulk"] * 3


def test_the_rows_of_a_run_that_dies_while_it_is_paused_wait_like_the_others(database):
    waiting = add(database, 3)
    dead = claim(database, "dead")
    dead.take(2)
    dead.begin_drawing([waiting[0]])
    sources.pause(database)
    dead._stop.set()
    dead._heart.join()
    with claim(database) as mine:
        assert mine.take(5) == []
        assert {row["status"] for row in execute(database, "SELECT status FROM prompts")} == {"pending"}
        sources.resume(database)
        assert sorted(ids(mine.take(5))) == waiting


def test_the_sensor_sees_a_pause_and_not_that_anything_waits(database):
    def ready(ahead=True):
        with database.transaction() as connection:
            return readiness(connection, ahead=ahead)

    add(database, 2, "bulk")
    sources.pause(database, "bulk", reason="too many hills")
    assert not ready()
    assert "too many hills" in ready().paused
    assert "too many hills" in ready(ahead=False).paused
    add(database, 1, "news")
    assert ready().pending
    assert ready().paused is None
    sources.pause(database)
    assert not ready()
    sources.resume(database)
    sources.resume(database, "bulk")
    assert ready().pending


def test_pausing_and_resuming_twice_is_told(database, capsys):
    assert "batches in hand" in glad(capsys, "pause", "--reason", "maintenance")[1]
    code, said = glad(capsys, "pause")
    assert (code, "was paused already, since" in said) == (0, True)
    assert "maintenance" in glad(capsys, "list")[1]
    assert glad(capsys, "pause", "--source", "bulk")[0] == 0
    code, said = glad(capsys, "resume")
    assert (code, "goes on" in said, "still paused: the source 'bulk'" in said) == (0, True, True)
    assert "goes on" in glad(capsys, "resume", "--source", "bulk")[1]
    code, said = glad(capsys, "resume", "--source", "bulk")
    assert (code, "was not paused" in said) == (0, True)
    assert "no source has prompts" in glad(capsys, "sources")[1]
