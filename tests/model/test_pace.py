"""Provisional answers come each half second, and more rarely where the session is busy."""

from __future__ import annotations

import itertools

import pytest

from moodal.model.pace import BEHIND, EVERY, SHARE, Pace


class Work:
    """A clock that work moves, and the seconds of a recording that is given."""

    def __init__(self):
        self.now = self.given = 0.0

    def times(self, cost, per_block=0.0, seconds=60.0, block=0.02):
        """Return the seconds of the provisional answers, each of which takes ``cost`` seconds."""
        pace, answered = Pace(lambda: self.now), []
        while self.given < seconds:
            with pace.working(lambda: self.given):
                self.given += block
                self.now += per_block
                if pace.is_due(self.given):
                    with pace.answering(self.given):
                        self.now += cost
                    answered.append(self.given)
        return answered


def gaps(times):
    return [after - before for before, after in itertools.pairwise(times)]


def test_they_come_each_half_second():
    times = Work().times(cost=0.01)
    assert len(times) == pytest.approx(60 / EVERY, rel=0.05)
    assert min(gaps(times)) >= EVERY - 1e-9


def test_slow_ones_take_no_more_than_their_share():
    times = Work().times(cost=0.2)
    assert len(times) * 0.2 == pytest.approx(SHARE * 60, rel=0.15)


def test_the_first_one_may_be_slow():
    work = Work()
    pace = Pace(lambda: work.now)
    with pace.answering(1.0):
        work.now += 5.0
    assert pace.is_due(1.0 + EVERY)


def test_a_session_that_cannot_keep_up_gives_none():
    times = Work().times(cost=0.01, per_block=0.03)
    assert max(times) < 1.0  # until it is behind


def test_after_long_work_it_catches_up_first():
    work = Work()
    pace = Pace(lambda: work.now)
    with pace.working(lambda: work.given):
        work.now += 2.0 + BEHIND  # a transcription
    for seconds, due in ((1.0, False), (1.9, False), (2.05, True)):
        with pace.working(lambda: work.given):
            work.given = seconds
        assert pace.is_due(work.given) is due
