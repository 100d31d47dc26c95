"""The decision to ask for a run, and that the code location loads at once."""

import subprocess
import sys

import pytest

from glad_pipeline.pipeline.run_requests import LONGEST_PAUSE, RecentRuns, skip_reason
from glad_pipeline.prompts.queue_state import Readiness

NOTHING = Readiness(pending=False, due=False, abandoned=False)
WORK = Readiness(pending=True, due=False, abandoned=False)
CALM = RecentRuns(in_flight=0, starting=0, failures_in_a_row=0, seconds_since_last=1e9)


def lately(**changes):
    return RecentRuns(**{**{name: getattr(CALM, name) for name in RecentRuns.__slots__}, **changes})


@pytest.mark.parametrize("what", ["pending", "due", "abandoned"])
def test_anything_that_is_ready_is_a_reason_to_run(what):
    ready = Readiness(**{"pending": False, "due": False, "abandoned": False, what: True})
    assert skip_reason(ready, CALM, 1) is None


def test_nothing_ready_is_said_so():
    assert "no prompt is pending" in skip_reason(NOTHING, CALM, 1)


def test_while_prompts_are_pending_one_run_more_than_may_draw_is_asked_for():
    assert skip_reason(WORK, lately(in_flight=1), 1) is None
    assert "2 of at most 2" in skip_reason(WORK, lately(in_flight=2), 1)
    assert skip_reason(WORK, lately(in_flight=2), 2) is None
    assert "3 of at most 3" in skip_reason(WORK, lately(in_flight=3), 2)


@pytest.mark.parametrize("what", ["due", "abandoned"])
def test_what_needs_no_drawing_is_left_to_the_runs_under_way(what):
    ready = Readiness(**{"pending": False, "due": False, "abandoned": False, what: True})
    assert "1 of at most 1" in skip_reason(ready, lately(in_flight=1), 1)
    assert skip_reason(ready, lately(in_flight=1), 2) is None


def test_of_any_number_of_runs_that_are_asked_for_there_are_never_more_than_one_beyond_those_that_may_draw():
    for drawing in (1, 2, 8):
        runs = 0
        while skip_reason(WORK, lately(in_flight=runs), drawing) is None:
            runs += 1
        assert runs == drawing + 1


def test_no_second_run_before_the_first_has_claimed_what_it_takes():
    assert "about to begin" in skip_reason(WORK, lately(in_flight=1, starting=1), 2)


def test_failing_runs_are_asked_for_less_and_less_often_but_never_given_up():
    pauses = []
    for failures in range(1, 12):
        pause = next(
            s
            for s in range(10_000)
            if skip_reason(WORK, lately(failures_in_a_row=failures, seconds_since_last=s), 1) is None
        )
        pauses.append(pause)
    assert pauses == sorted(pauses)
    assert pauses[0] == 10
    assert pauses[-1] == LONGEST_PAUSE
    assert "failed" in skip_reason(WORK, lately(failures_in_a_row=3, seconds_since_last=1), 1)


def test_the_code_location_loads_in_a_fresh_interpreter_without_the_heavy_libraries():
    code = (
        "import sys, glad_pipeline.definitions as d; d.defs.resolve_job_def('publish_prompts');"
        "print(sorted({'torch', 'diffusers', 'transformers', 'pandas', 'boto3', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
