"""A long recording has curves and shares of time, in few strokes, and nothing is cut off."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.collections import PolyCollection
from matplotlib.text import Text

from moodal.output import plot as module
from moodal.output.panel_frames import LEFT, READABLE, RIGHT, WIDTH
from moodal.output.plot import plot
from moodal.output.style import numeral, percent

LONG_NAME = "Interview_WITH_A_VERY_LONG_FILE_NAME_THAT_SOMEBODY_MADE_UP_" * 3 + "(final 2).mp4"


@pytest.fixture
def long(made):
    """Return a factory of recordings of many utterances, each of which lasts 70 % of its turn."""

    def make(count, seconds, tracks=1, timeline=None, **more):
        short = timeline or made.timeline()
        turn = seconds / count
        starts = (np.arange(count) // tracks * tracks * turn).round(3)
        predictions = tuple(
            dataclasses.replace(
                short[i // 7 % len(short)],
                id=f"clip.mp4#{i + 1}",
                start=float(start),
                end=float(start + 0.7 * turn * tracks),
                track=1 + i % tracks,
            )
            for i, start in enumerate(starts)
        )
        return dataclasses.replace(short, predictions=predictions, duration=float(seconds), **more)

    return make


def drawn(timeline, path):
    """The figure of a timeline over time, after it was drawn."""
    with module._figure(path) as figure:
        module._over_time(figure, timeline)
    return figure


def texts(figure):
    return [text.get_text() for text in figure.findobj(Text)]


def test_the_foot_names_the_smoothing_and_its_width(long, tmp_path):
    for count, seconds, width in ((800, 3600, "2 min"), (5000, 3 * 3600, "5 min")):
        shown = texts(drawn(long(count, seconds), tmp_path / "a.png"))
        assert any(f"Each curve is a moving average over {width}, in which" in x for x in shown)
        assert "unsure" in shown
        assert "share of time" in shown


def test_the_number_of_strokes_does_not_grow_with_that_of_utterances(made, long, tmp_path):
    for kind in (lambda t: t, made.valued, made.dimensioned):
        few, many = (
            drawn(kind(long(count, 4.5 * count)), tmp_path / "a.png") for count in (800, 5000)
        )
        counts = [len(figure.findobj(lambda x: x.get_visible())) for figure in (few, many)]
        assert abs(counts[0] - counts[1]) < 60  # numbers of ticks may differ
        areas = sum(len(x.get_paths()) for x in many.findobj(PolyCollection))
        assert areas < 600


def test_shares_of_time_are_those_of_the_summary(long, tmp_path):
    timeline = long(800, 3600)
    summary = timeline.summary()
    shown = texts(drawn(timeline, tmp_path / "a.png"))
    shares = [*summary.decided.values(), summary.undecided]
    found = [x for x in shown if x.endswith(" %")]
    assert found == [percent(share) for share in shares]
    assert summary.undecided == pytest.approx(sum(not p.decided for p in timeline) / 800)


def test_each_track_has_curves_and_shares_of_its_own(long, tmp_path):
    shown = texts(drawn(long(1600, 3600, tracks=2), tmp_path / "a.png"))
    assert shown.count("share of time") == 2
    assert {"face 1", "face 2"} <= set(shown)


def test_bars_become_curves_where_they_are_narrower_than_can_be_read(long, tmp_path):
    seconds = 900.0
    inch = (WIDTH - LEFT - RIGHT) / seconds
    for width, curves in ((READABLE * 1.1, False), (READABLE * 0.9, True)):
        count = round(seconds * 0.7 * inch / width)
        shown = texts(drawn(long(count, seconds), tmp_path / "a.png"))
        assert ("share of time" in shown) == curves


def test_short_recordings_have_bars_and_no_smoothing(made, tmp_path):
    for timeline in (made.timeline(), made.valued(made.timeline()), made.sliced(1.0)):
        shown = texts(drawn(timeline, tmp_path / "a.png"))
        assert not [x for x in shown if "moving average" in x]
        assert "share of time" not in shown


def test_values_have_a_band_within_their_range_and_a_mean(made, long, tmp_path):
    timeline = made.valued(long(800, 3600))
    predictions = tuple(  # so far apart that one standard deviation reaches beyond the range
        dataclasses.replace(p, values={v.name: v.high if i % 5 else v.low for v in timeline.values})
        for i, p in enumerate(timeline)
    )
    timeline = dataclasses.replace(timeline, predictions=predictions)
    figure = drawn(timeline, tmp_path / "a.png")
    summary = timeline.summary()
    for axis, value in zip(figure.axes, timeline.values, strict=False):
        assert f"mean\n{numeral(value, summary.values[value.name].mean)}" in texts(axis)
        (line,) = (x for x in axis.lines if len(x.get_xdata()) > 2)
        (band,) = axis.collections
        heights = band.get_paths()[0].vertices[:, 1]
        assert value.low <= heights.min() < line.get_ydata().min()
        assert line.get_ydata().max() < heights.max() <= value.high
    shown = texts(figure)
    assert any("one standard deviation" in x for x in shown)


def test_each_dimension_has_a_curve_of_its_own(made, long, tmp_path):
    short = made.dimensioned(made.timeline())
    shown = texts(drawn(long(800, 3600, timeline=short), tmp_path / "a.png"))
    for name in ("valence", "arousal", "dominance"):
        assert f"{name}\n(dots: mapped)" in shown
    assert "intensity" in shown


def test_learned_and_mapped_dimensions_are_not_averaged_together(made, long, tmp_path):
    from moodal.core.dimensions import Dimensions

    timeline = long(800, 3600)
    predictions = tuple(
        dataclasses.replace(p, dimensions={"text": Dimensions(*row)})
        for p, row in zip(
            timeline,
            [(0.9, 0, 0, "learned"), (-0.5, 0, 0, "mapped")] * 400,
            strict=True,
        )
    )
    figure = drawn(dataclasses.replace(timeline, predictions=predictions), tmp_path / "a.png")
    axis = next(x for x in figure.axes if "valence\n(dots: mapped)" in texts(x))
    curves = [x.get_ydata() for x in axis.lines if len(x.get_xdata()) > 2]
    for curve, number in zip(curves, (0.9, -0.5), strict=True):
        np.testing.assert_allclose(curve[~np.isnan(curve)], number)


def test_the_words_of_the_most_telling_utterances_stand_with_their_times(long, tmp_path):
    timeline = long(800, 3600)
    moment = timeline.summary().telling[0]
    words = next(p.text for p in timeline if p.id == moment.id)
    shown = texts(drawn(timeline, tmp_path / "a.png"))
    (line,) = (x for x in shown if x.startswith(module.clock(moment.start) + ", "))
    assert line.endswith(f"{moment.emotion} {percent(moment.probability)}: {words}")
    silent = tuple(dataclasses.replace(p, text=None) for p in timeline)
    shown = texts(drawn(dataclasses.replace(timeline, predictions=silent), tmp_path / "a.png"))
    assert "most telling\nwords" not in shown
    assert not [x for x in shown if "is room for the words" in x]


def test_words_without_room_are_named_in_the_foot(made, long, tmp_path):
    shown = texts(drawn(made.valued(long(800, 3600)), tmp_path / "a.png"))
    note = "There is room for the words of 0 of 800 utterances; the formats csv and json have all."
    assert note in shown
    assert not [x for x in texts(drawn(long(5, 20), tmp_path / "a.png")) if "is room for" in x]


@pytest.mark.parametrize("count", [5, 80, 800])
@pytest.mark.parametrize("tracks", [1, 2])
def test_nothing_is_cut_off(made, long, tmp_path, count, tracks):
    emotions = ("anger", "embarrassment mixed with pride", "donaudampfschifffahrtsgesellschaft")
    notes = ("漢字の注意書き" * 40, "A note that goes on for ever. " * 12)
    short = made.timeline(path=LONG_NAME, emotions=emotions, notes=notes)
    timeline = long(count, 4.6 * count, tracks, made.dimensioned(short))
    figure = drawn(timeline, tmp_path / "a.png")
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= WIDTH
    assert box.y1 <= figure.get_figheight()


def test_curves_as_svg_are_alike_each_time(long, tmp_path):
    first, second = (plot(long(800, 3600), tmp_path / f"{x}.svg").read_text() for x in "ab")
    assert first == second
    assert ">0:30:00<" in first
