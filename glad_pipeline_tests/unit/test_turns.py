"""When a worker is sent its next batch, and which one gets it."""

import math
import time

import pytest

from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.workers import turns
from glad_pipeline.workers.jobs import Job
from glad_pipeline.workers.members import LEADS, Member
from glad_pipeline.workers.worker import Done, shape_name


def recipe(width=64):
    values = {"num_inference_steps": 1, "guidance_scale": 3.0, "scheduler": "euler", "model": "demo"}
    return Recipe(prompt="a hill", seed=1, width=width, height=64, model_revision="1", **values)


HILL = shape_name(recipe())


def member(*, jobs=0, begun=0.0, seconds=None, ready=True, shape=HILL):
    """One that draws for `begun` seconds what takes `seconds`."""
    made = Member(name="worker-0", handle=None, ready=ready, begun_at=time.monotonic() - begun, shapes={shape: seconds})
    made.jobs.extend(Job([recipe()]) for _ in range(jobs))
    return made


def test_one_that_has_nothing_gets_a_batch_at_once():
    idle = member(jobs=0)
    assert turns.free([idle, member(jobs=0, ready=False)]) == [idle]


@pytest.mark.parametrize(("begun", "is_due"), [(0.0, False), (2.8, False), (3.1, True), (5.0, True)])
def test_the_next_batch_comes_shortly_before_the_one_that_is_drawn_ends(begun, is_due):
    """3.2 s, less 0.15 and the 0.01 to spare of such a batch: at 3.04 s."""
    at_work = member(jobs=1, begun=begun, seconds=3.2)
    assert turns.free([at_work]) == ([at_work] if is_due else [])


def test_it_comes_at_once_where_nobody_knows_how_long_a_batch_takes_or_it_takes_no_time():
    for seconds in (None, 0.0, 0.15):
        at_work = member(jobs=1, seconds=seconds)
        assert turns.free([at_work]) == [at_work]


def drew(worker, *, early, lead):
    """It has drawn a batch that was sent so long before the end of the one ahead, and was there so long before it."""
    worker.jobs.append(job := Job([recipe()], lead=lead))
    worker.has_drawn(job, Done(pictures=[], warm=0.0, seconds=3.2, early=early))


def lead_of(worker):
    return turns.lead(worker) - turns.SPARE / 3.2


def test_it_comes_as_early_as_the_last_ones_had_to_come():
    worker = member(jobs=1, seconds=3.2)
    assert lead_of(worker) == pytest.approx(turns.FIRST_LEAD)
    for early in (0.125, 0.12):  # of 0.15 s: so the handover took 0.025 and 0.03
        drew(worker, early=early, lead=0.15)
    assert lead_of(worker) == pytest.approx(0.025)
    for _ in range(2):  # and now 0.08: the worker waited
        drew(worker, early=-0.05, lead=0.03)
    assert lead_of(worker) == pytest.approx(0.08)
    for _ in range(LEADS):  # it was quick again
        drew(worker, early=0.05, lead=0.08)
    assert lead_of(worker) == pytest.approx(0.03)


def test_one_handover_that_took_long_makes_no_later_row_wait():
    worker = member(jobs=1, seconds=3.2)
    for early in (0.13, 0.13, -2.0, 0.13):
        drew(worker, early=early, lead=0.15)
    assert lead_of(worker) == pytest.approx(0.02)


def test_what_followed_nothing_says_nothing_of_the_handover_and_what_waited_for_longer_needed_no_lead():
    worker = member(jobs=1, seconds=3.2)
    drew(worker, early=-7.0, lead=None)
    assert lead_of(worker) == pytest.approx(turns.FIRST_LEAD)
    drew(worker, early=3.0, lead=0.15)
    assert lead_of(worker) == 0.0


def test_what_took_longer_than_any_handover_makes_the_next_come_no_earlier_than_it_may():
    worker = member(jobs=1, seconds=3.2)
    for _ in range(LEADS):  # the spool was full
        drew(worker, early=-9.0, lead=0.15)
    assert lead_of(worker) == pytest.approx(turns.MOST_LEAD)
    worker.begun_at = time.monotonic() - 1.6
    assert turns.free([worker]) == []


def test_it_is_looked_once_for_each_batch_while_the_workers_draw():
    idle, at_work, ending = member(), member(jobs=1, seconds=3.2), member(jobs=1, begun=3.1, seconds=3.2)
    assert turns.is_worth_a_look([ending])
    assert not turns.is_worth_a_look([idle])
    assert not turns.is_worth_a_look([])
    turns.nothing_was_there([at_work, ending])
    assert (at_work.starved, ending.starved) == (False, True)
    assert not turns.is_worth_a_look([ending])
    assert turns.is_worth_a_look([at_work, ending])
    ending.sent(Job([recipe()]))
    assert turns.is_worth_a_look([ending])


def test_a_short_batch_has_more_time_to_spare():
    short, long = member(jobs=1, seconds=0.8), member(jobs=1, seconds=8.0)
    assert turns.lead(short) - turns.FIRST_LEAD == pytest.approx(0.05)
    assert turns.lead(long) - turns.FIRST_LEAD == pytest.approx(0.005)


def test_nobody_has_more_than_two():
    assert turns.free([member(jobs=2, begun=100.0, seconds=1.0)]) == []


def test_the_idle_come_before_those_at_work():
    idle, at_work = member(jobs=0), member(jobs=1)
    assert turns.free([at_work, idle]) == [idle]


def test_while_another_loads_only_what_is_known_to_end_soon_is_followed_by_more():
    loading, unknown, ending = member(ready=False), member(jobs=1), member(jobs=1, begun=3.1, seconds=3.2)
    assert turns.free([loading, unknown, ending]) == [ending]
    loading.refused = "it has no such model"
    assert turns.free([loading, unknown, ending]) == [unknown, ending]


def test_how_long_to_wait_for_the_next_turn():
    assert turns.seconds_until_one_is_due([member(jobs=1, seconds=3.2)], most=10) == pytest.approx(3.04, abs=0.1)
    assert turns.seconds_until_one_is_due([member(jobs=1, seconds=3.2)], most=1.0) == 1.0
    assert turns.seconds_until_one_is_due([member(jobs=1, begun=9, seconds=3.2)], most=1.0) == 0.0
    assert turns.seconds_until_one_is_due([], most=1.0) == 1.0
    assert turns.due_at(member(jobs=0, ready=False)) == math.inf


def test_a_shape_goes_where_it_was_drawn_before():
    other, same = member(shape="another"), member()
    assert {turns.fittest([other, same], recipe()).shapes.keys() == same.shapes.keys() for _ in range(20)} == {True}
    assert turns.fits([other, same], recipe())
    assert not turns.fits([other], recipe())
    assert turns.fittest([other], recipe()) is other
