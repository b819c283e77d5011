"""Time stamps that cannot be true are not believed, and gaps are counted."""

import pytest

from moodal.media.clock import Clock, Tally


def clock(begin=0.0, end=None):
    return Clock(1000, begin, Tally(), end)


def test_a_time_stamp_off_by_a_little_is_the_end_of_the_last_piece():
    placed = clock(end=500)
    assert placed.place(0.509, 100) == 500
    assert placed.place(None, 100) == 600
    assert (placed.end, placed.tally) == (700, Tally())


def test_a_gap_is_kept_and_counted():
    placed = clock(end=500)
    assert placed.place(2.5, 100) == 2500
    assert placed.tally.gaps == 2.0


@pytest.mark.parametrize("stamp", [-2.0, 1e6])
def test_a_leap_moves_all_that_follows(stamp):
    placed = clock(end=500)
    assert placed.place(stamp, 100) == 500
    assert placed.place(stamp + 0.1, 100) == 600
    assert placed.tally.leaps == 1


def test_the_first_piece_may_lie_far_into_a_recording():
    placed = clock(begin=5000.0)
    assert placed.place(4999.5, 100) == 4999500
    assert (placed.tally.leaps, placed.tally.gaps) == (0, 0)
