"""Ticks stand at round times, and their labels have room."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from moodal.output.panel_frames import LEFT, RIGHT, WIDTH
from moodal.output.plot_curves import SIDE
from moodal.output.time_axis import in_words, round_step, set_ticks, unit


def ticks(length, right=RIGHT):
    """The drawn ticks of a recording's axis: seconds, labels, and whether labels collide."""
    figure = Figure(figsize=(WIDTH, 1))
    canvas = FigureCanvasAgg(figure)
    axis = figure.add_axes((LEFT / WIDTH, 0.5, (WIDTH - LEFT - right) / WIDTH, 0.3))
    axis.set_xlim(0, length)
    set_ticks(axis, length)
    canvas.draw()
    drawn = [t for t in axis.xaxis.get_major_ticks() if 0 <= t.get_loc() <= length * (1 + 1e-9)]
    boxes = [t.label1.get_window_extent() for t in drawn]
    collide = any(a.x1 > b.x0 for a, b in itertools.pairwise(boxes))
    return [t.get_loc() for t in drawn], [t.label1.get_text() for t in drawn], collide


@pytest.mark.parametrize(
    ("length", "step", "labels"),
    [
        (10, 1, ["0", "1", "2"]),
        (20.02, 2, ["0", "2", "4"]),
        (85, 10, ["0", "10", "20"]),
        (95, 10, ["0:00", "0:10", "0:20"]),
        (300, 30, ["0:00", "0:30", "1:00"]),
        (700, 120, ["0:00", "2:00", "4:00"]),
        (3599, 600, ["0:00", "10:00", "20:00"]),
        (3600, 600, ["0:00:00", "0:10:00", "0:20:00"]),
        (3 * 3600, 1800, ["0:00:00", "0:30:00", "1:00:00"]),
        (50 * 3600, 12 * 3600, ["0:00:00", "12:00:00", "24:00:00"]),
    ],
)
def test_ticks_stand_at_round_times(length, step, labels):
    places, texts, _ = ticks(length)
    np.testing.assert_allclose(places, np.arange(0, length + 1e-6, step))
    assert texts[:3] == labels


@pytest.mark.parametrize("right", [RIGHT, SIDE])
def test_labels_have_room_whatever_the_length(right):
    for length in np.geomspace(0.05, 2e6, 60):
        places, _, collide = ticks(length, right)
        assert 3 <= len(places) <= 13, length
        assert not collide, length


def test_a_round_step_is_the_smallest_that_suffices():
    assert [round_step(x, 40) for x in (10, 300, 3600, 3 * 3600)] == [0.5, 10, 120, 300]
    assert round_step(40 * 86400 * 3.2, 40) == 4 * 86400


def test_times_in_words():
    assert [in_words(x) for x in (0.2, 15, 900, 3600)] == ["0.2 s", "15 s", "15 min", "1 h"]
    assert [unit(x) for x in (89, 90, 3600)] == [
        "seconds",
        "time (minutes and seconds)",
        "time (hours, minutes and seconds)",
    ]
