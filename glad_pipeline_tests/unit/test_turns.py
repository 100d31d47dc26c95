"""When a worker is sent its next batch, and which one gets it."""

import math
import time

import pytest

from glad_pipeline.generation.recipe import Recipe
from glad_pipeline.workers import turns
from glad_pipeline.workers.jobs import Job
from glad_pipeline.workers.members import Member
from glad_pipeline.workers.worker import shape_name


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


@pytest.mark.parametrize(("begun", "is_due"), [(0.0, False), (2.7, False), (3.0, True), (5.0, True)])
def test_the_next_batch_comes_shortly_before_the_one_that_is_drawn_ends(begun, is_due):
    """3.2 s, less a twentieth of them and 0.15 s: at 2.89 s."""
    at_work = member(jobs=1, begun=begun, seconds=3.2)
    assert turns.free([at_work]) == ([at_work] if is_due else [])


def test_it_comes_at_once_where_nobody_knows_how_long_a_batch_takes_or_it_takes_no_time():
    for seconds in (None, 0.0, 0.15):
        at_work = member(jobs=1, seconds=seconds)
        assert turns.free([at_work]) == [at_work]


def test_nobody_has_more_than_two():
    assert turns.free([member(jobs=2, begun=100.0, seconds=1.0)]) == []


def test_the_idle_come_before_those_at_work():
    idle, at_work = member(jobs=0), member(jobs=1)
    assert turns.free([at_work, idle]) == [idle]


def test_while_another_loads_only_what_is_known_to_end_soon_is_followed_by_more():
    loading, unknown, ending = member(ready=False), member(jobs=1), member(jobs=1, begun=3.0, seconds=3.2)
    assert turns.free([loading, unknown, ending]) == [ending]
    loading.refused = "it has no such model"
    assert turns.free([loading, unknown, ending]) == [unknown, ending]


def test_how_long_to_wait_for_the_next_turn():
    assert turns.seconds_until_one_is_due([member(jobs=1, seconds=3.2)], most=10) == pytest.approx(2.89, abs=0.1)
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
