"""The panels of what a face does; how they look was judged by eye."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from moodal.output import plot_face
from moodal.output.formats import timed
from moodal.output.plot import plot


def series(timeline, alone=(), average=False):
    [lane] = timed.lanes(timed.annotate(timeline, "a plot"))
    return plot_face.face_series(lane, timed.rows(lane), alone, average)


def test_both_panels_are_drawn_each_time_alike(made, tmp_path):
    timeline = made.acted(made.timeline())
    first, second = (plot(timeline, tmp_path / f"{x}.svg").read_text() for x in "ab")
    assert first == second
    for words in ("head and gaze", "(degrees)", "gaze pitch", "AU12 smile", "AU01 inner brow up"):
        assert f">{words}<" in first, words
    assert "AU04 brow down" not in first  # which does not move


def test_without_actions_nothing_is_drawn(made):
    own = series(made.timeline())
    assert (list(own.actions), list(own.units)) == ([], [])


def test_the_strongest_units_have_a_row_in_their_order(made):
    timeline = made.timeline()
    names = ["browInnerUp", "jawOpen", "mouthFunnel", "mouthPucker", "mouthShrugLower"]
    for pair in ("mouthSmile", "browDown", "eyeWide", "eyeSquint", "mouthPress"):
        names += [f"{pair}Left", f"{pair}Right"]
    shapes = {name: 0.3 + 0.01 * i for i, name in enumerate(names)}
    p = dataclasses.replace(timeline[0], face=(made.face_action(1.0, **shapes),))
    units = series(dataclasses.replace(timeline, predictions=(p,))).units
    assert len(units) == plot_face.MOST
    assert units == sorted(units)
    assert "AU01" not in units  # the weakest
    assert "AU24" in units


def test_slices_are_drawn_as_long_as_they_last(made):
    own = series(made.acted(made.sliced(step=1.0)), alone=(made.face_action(0.0),))
    assert own.at[0] > 0.1  # what lies between utterances has no slice
    assert own.lasting.max() < 1.5
    assert own.lasting.min() > 0.2


@pytest.mark.parametrize("average", [False, True])
def test_spans_are_means_and_empty_ones_are_nan(made, average):
    timeline = dataclasses.replace(made.timeline(), duration=40.0)
    faces = tuple(made.face_action(0.2 * i, yaw=float(i % 2)) for i in range(50))
    p = dataclasses.replace(timeline[0], face=faces)
    own = series(dataclasses.replace(timeline, predictions=(p,)), average=average)
    axis = Figure().add_axes((0, 0, 1, 1))
    axis.set_xlim(0, 40)
    at, means = plot_face._spans(axis, own, np.array([[a.pose.yaw for a in own.actions]]), average)
    assert len(at) == means.shape[1]
    assert np.isnan(means[0, at > 11]).all()
    inside = means[0, (at > 1) & (at < 9)]
    assert not np.isnan(inside).any()
    assert inside.mean() == pytest.approx(0.5, abs=0.05)
    assert (inside.std() < 0.2) == average
