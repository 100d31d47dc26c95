"""What `glad up` keeps running: when it starts again what has ended, and what it says."""

import errno
import os

import pytest

from glad_pipeline.errors import GladError
from glad_pipeline.local.keeping import LONGEST_PAUSE, STEADY, Keeper, Part


class House:
    """A part that lives or not, a clock, and what was told."""

    def __init__(self, folder):
        self.now = 0.0
        self.death = None
        self.refuses = None
        self.tried = []
        self.told = []
        part = Part(name="the server", death=lambda: self.death, start=self.start, place=folder)
        self.keeper = Keeper([part], self.told.append, lambda: self.now)

    def start(self):
        self.tried.append(self.now)
        if self.refuses:
            raise self.refuses
        self.death = None

    def pass_by(self, seconds):
        for _ in range(int(seconds * 2)):
            self.keeper.look()
            self.now += 0.5
        self.keeper.look()


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_what_lives_is_left_alone(house):
    house.pass_by(300)
    assert (house.tried, house.told) == ([], [])


def test_what_has_ended_is_started_again_after_a_second_and_told_with_its_cause(house):
    house.death = "died. Its log: out of memory"
    house.pass_by(10)
    assert house.tried == [1.0]
    assert house.told == [
        "the server died. Its log: out of memory\nIt is started again",
        "the server runs again, after 2 s",
    ]


def test_the_pauses_grow_to_a_minute_while_it_cannot_start_and_it_is_told_once(house):
    house.death, house.refuses = "died", GladError("port 15001 is taken by nginx (pid 7)")
    house.pass_by(300)
    pauses = [after - before for before, after in zip(house.tried, house.tried[1:], strict=False)]
    assert pauses[:7] == [2, 4, 8, 16, 32, LONGEST_PAUSE, LONGEST_PAUSE]
    assert len(house.told) == 2
    assert "cannot be started again: port 15001 is taken by nginx (pid 7)" in house.told[1]


def test_the_same_cause_at_another_time_by_another_process_is_no_news_and_another_cause_is(house):
    house.death, house.refuses = "died", GladError("10:00:01 pid 12: no room")
    house.pass_by(4)
    house.refuses = GladError("10:00:05 pid 345: no room\n  | the log, which has more lines now")
    house.death = "died. Its log: which has more lines now"
    house.pass_by(30)
    assert len(house.told) == 2
    house.refuses = GladError("the port is taken")
    house.pass_by(60)
    assert len(house.told) == 3


def test_what_ends_again_and_again_waits_longer_each_time_and_is_told_once(house):
    house.death = "died"
    for _ in range(40):
        house.pass_by(5)
        house.death = "died"
    pauses = [after - before for before, after in zip(house.tried, house.tried[1:], strict=False)]
    assert max(pauses) >= LONGEST_PAUSE
    assert len(house.told) == 2


def test_after_a_minute_of_life_the_next_end_is_an_outage_of_its_own(house):
    house.death = "died"
    house.pass_by(STEADY + 10)
    house.death = "died"
    house.pass_by(10)
    assert len(house.told) == 4
    assert house.tried[1] - house.tried[0] == pytest.approx(STEADY + 11, abs=2)


def test_a_full_disk_is_named_and_tried_on(house, tmp_path):
    house.death, house.refuses = "died", OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    house.pass_by(10)
    assert f"the disk of {tmp_path} is full (" in house.told[1]
    house.refuses = None
    house.pass_by(20)
    assert house.told[2].startswith("the server runs again")
