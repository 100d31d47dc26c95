"""Works that outlast a request: waited for a little, bounded in number and time, ended with the gateway."""

import asyncio
import threading
from concurrent.futures import CancelledError

import pytest

from glad_pipeline.errors import UsageError
from glad_pipeline.gateway import jobs as module
from glad_pipeline.gateway.jobs import Jobs
from glad_pipeline.gateway.problems import Problem


def on_a_loop(test):
    asyncio.run(test())


def test_one_that_is_soon_over_is_waited_for_and_one_that_is_not_is_followed():
    async def scenario():
        jobs, go_on = Jobs(), threading.Event()
        short = await jobs.begin("audit", "me", lambda tell: 5)
        assert (short.state, short.result) == ("done", 5)

        def work(tell):
            tell(lambda: "half")
            assert go_on.wait(20)
            return 6

        long = await jobs.begin("audit", "me", work, wait=0.05)
        assert (long.state, long.progress, long.ended_at) == ("running", "half", None)
        with pytest.raises(Problem, match="under way already, begun by me") as alone:
            await jobs.begin("audit", "you", lambda tell: 7, alone=True)
        assert (alone.value.status, alone.value.more) == (409, {"job": long.path})
        go_on.set()
        await jobs.end()
        assert (long.state, long.result) == ("done", 6)
        assert [each.id for each in await jobs.newest()] == [long.id, short.id]
        assert (
            [each.id for each in await jobs.newest("doctor")] == [each.id for each in await jobs.newest(by="you")] == []
        )
        assert [each.result for each in await jobs.newest("audit", "me")] == [None, None]
        assert (await jobs.get(short.id)).result == 5

    on_a_loop(scenario)


def test_a_failure_is_told_as_a_request_would_be(caplog):
    def wrong(tell):
        raise UsageError("that cannot be right")

    def broken(tell):
        raise RuntimeError("a secret of the server's")

    def leaves(tell):
        raise SystemExit("a library gives up")

    def is_cancelled(tell):
        raise asyncio.CancelledError

    def is_given_up(tell):
        raise CancelledError  # which asyncio would make its own of

    async def scenario():
        jobs = Jobs()
        for work, status, words in (
            (wrong, 422, "cannot be right"),
            (broken, 500, "a fault of the server"),
            (leaves, 500, "a fault of the server"),
            (is_cancelled, 500, "a fault of the server"),
            (is_given_up, 500, "a fault of the server"),
        ):
            job = await jobs.begin("audit", "me", work)
            with pytest.raises(Problem, match=words) as problem:
                job.require()
            assert (problem.value.status, job.state) == (status, "failed")

    on_a_loop(scenario)
    assert "gateway.job_failed" in caplog.text


def test_only_so_many_go_on_at_once_and_only_the_newest_are_kept(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 1)
    monkeypatch.setattr(module, "KEPT", 2)

    async def scenario():
        jobs, go_on = Jobs(), threading.Event()
        done = [await jobs.begin("audit", "me", lambda tell: 1) for _ in range(3)]
        running = await jobs.begin("audit", "me", lambda tell: go_on.wait(20), wait=0.0)
        with pytest.raises(Problem, match="long works are under way") as busy:
            await jobs.begin("redraw", "me", lambda tell: 1)
        assert (busy.value.status, busy.value.headers) == (503, {"Retry-After": "5"})
        assert await jobs.get(done[0].id) is None
        assert await jobs.get(running.id) is running
        assert len(await jobs.newest()) <= 3
        go_on.set()
        await jobs.end()

    on_a_loop(scenario)


def test_takedowns_are_told_beside_whatever_else_is_under_way(monkeypatch):
    monkeypatch.setattr(module, "AT_ONCE", 1)
    monkeypatch.setattr(module, "TAKEDOWNS", 2)

    async def scenario():
        jobs, go_on = Jobs(), threading.Event()
        for kind in ("audit", "takedown", "takedown"):
            await jobs.begin(kind, "me", lambda tell: go_on.wait(20), wait=0.0)
        for kind in ("audit", "takedown"):
            with pytest.raises(Problem, match="long works are under way"):
                await jobs.begin(kind, "me", lambda tell: 1)
        go_on.set()
        await jobs.end()

    on_a_loop(scenario)


@pytest.mark.parametrize("result", ["half a \ud800 character", 2**70])
def test_a_result_that_cannot_be_kept_is_shown_by_the_gateway_that_has_it(database, caplog, result):
    async def scenario():
        jobs = Jobs(database)
        job = await jobs.begin("audit", "me", lambda tell: result)
        assert (job.state, (await jobs.get(job.id)).result) == ("done", result)

    on_a_loop(scenario)
    assert "kept in memory alone" in caplog.text


@pytest.mark.parametrize("way", ["the gateway ends", "its time is over"])
def test_a_work_is_ended_at_its_next_word(way):
    def work(tell):
        while True:
            tell(lambda: "still")

    async def scenario():
        jobs = Jobs()
        job = await jobs.begin("audit", "me", work, wait=0.05, seconds=0.2 if "time" in way else 60)
        if "time" in way:
            await asyncio.wait(jobs._tasks, timeout=20)
        else:
            await jobs.end()
        assert job.state == "failed"
        assert ("not over after" if "time" in way else "stopped") in job.problem

    on_a_loop(scenario)
