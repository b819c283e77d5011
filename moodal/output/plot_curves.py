"""Panels of a long recording, whose utterances are too short to be drawn: curves over time.

Each curve is a moving average, see `moodal.output.moving_average`. Beside the curves stand the
figures of the recording as a whole, as in `moodal.core.summary`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set
from typing import Any

import numpy as np

from moodal.core.dimensions import DIMENSIONS, INTENSITY
from moodal.core.emotions import Value
from moodal.core.guard import plain
from moodal.core.summary import RecordingSummary, summarise
from moodal.core.timeline import UNSURE, Timeline
from moodal.output.formats import timed
from moodal.output.lettering import wrapped
from moodal.output.moving_average import moving_average, window
from moodal.output.panel_frames import (
    DIMENSION_COLOURS,
    WIDTH,
    name_emotions,
    name_panel,
    names_of,
    range_of_shares,
    range_of_value,
    streams_with_shares,
)
from moodal.output.style import (
    GREY,
    clock,
    colours,
    numeral,
    percent,
)
from moodal.output.time_axis import in_words

SIDE = 1.2
"""Inches: the right margin of a plot of curves, which holds figures of the whole recording."""

_ROW = 0.86  # of a row's height is the probability 1, as in the panel of bars
_BAR, _GAP = 0.5, 0.12  # inches: a share of all time, and its distance from the axis


def _emotions(axis: Any, t: Timeline, lane: timed.Lane, _: float) -> None:
    """Draw the mean probability of each emotion over time, and the share of time undecided.

    At the right, a bar for each shows the share of the judged time in which it is decided.
    """
    predictions = [c.prediction for c in lane.annotations]
    colour = colours(t.emotions)
    axis.set_ylim(len(t.emotions) + 1, -0.5 - 0.6 * bool(lane.name))
    for row, emotion in enumerate(t.emotions):
        numbers = [p.probabilities[emotion] for p in predictions]
        style = {"facecolor": colour[emotion], "alpha": 0.45}
        _curve_of_row(axis, lane, row, numbers, colour[emotion], **style)
    undecided = [float(not p.decided) for p in predictions]
    style = {"facecolor": "#F0F0F0", "edgecolor": "#C4C4C4", "hatch": "///"}
    _curve_of_row(axis, lane, len(t.emotions), undecided, GREY, **style)
    name_emotions(axis, t, lane, [*names_of(t), UNSURE])
    _shares_of_time(axis, t, summarise(predictions, t.emotions))


def _curve_of_row(
    axis: Any,
    lane: timed.Lane,
    row: int,
    numbers: Sequence[float],
    colour: str,
    **style: Any,
) -> None:
    """Draw the moving average of numbers from 0 to 1 onto a row."""
    base = row + 0.95
    curve = moving_average(lane.annotations, numbers, axis.get_xlim()[1])
    axis.axhline(base, color="#DDDDDD", lw=0.6, zorder=0)
    axis.fill_between(curve.at, base - _ROW * curve.mean, base, linewidth=0, **style)
    axis.plot(curve.at, base - _ROW * curve.mean, color=colour, lw=1)


def _shares_of_time(axis: Any, t: Timeline, summary: RecordingSummary) -> None:
    """Draw the share of time in which each emotion is decided as a bar, and write it."""
    from matplotlib.patches import Rectangle

    beside = {"transform": axis.get_yaxis_transform(), "clip_on": False}
    wide = axis.get_position().width * WIDTH
    left, full = 1 + _GAP / wide, _BAR / wide
    colour = {**colours(t.emotions), UNSURE: "#C4C4C4"}
    shares = {**summary.decided, UNSURE: summary.undecided or 0.0}
    for row, (name, share) in enumerate(shares.items()):
        axis.add_patch(
            Rectangle((left, row + 0.45), full, 0.3, facecolor="#F0F0F0", lw=0, **beside)
        )
        axis.add_patch(
            Rectangle((left, row + 0.45), full * share, 0.3, facecolor=colour[name], lw=0, **beside)
        )
        axis.text(left + full + 0.06 / wide, row + 0.6, percent(share), va="center", **beside)
    axis.text(left, -0.05, "share of time", fontsize=7, color="#444444", va="center", **beside)


def _value(axis: Any, t: Timeline, content: tuple[timed.Lane, Value], _: float) -> None:
    """Draw a value over its range, with a band of one standard deviation, and write its mean."""
    lane, value = content
    predictions = [c.prediction for c in lane.annotations]
    colour = colours([v.name for v in t.values])[value.name]
    numbers = [p.values[value.name] for p in predictions]
    _band(axis, lane.annotations, numbers, colour, (value.low, value.high))
    range_of_value(axis, value, lane)
    _beside(axis, "mean", numeral(value, summarise(predictions, ()).values[value.name].mean))


def _dimension(axis: Any, t: Timeline, content: tuple[timed.Lane, str], _: float) -> None:
    """Draw a dimension of the headline from -1 to 1, dotted where it is mapped, and its mean."""
    lane, name = content
    place = DIMENSIONS.index(name)
    rows = [(c, c.prediction.dimensions.get(c.prediction.headline)) for c in lane.annotations]
    for known, dashes in (("learned", "-"), ("mapped", (0, (1, 0.6)))):
        kept = [(c, row.numbers[place]) for c, row in rows if row and row.known == known]
        annotations, numbers = [c for c, _ in kept], [number for _, number in kept]
        _band(axis, annotations, numbers, DIMENSION_COLOURS[place], (-1, 1), dashes)
    axis.axhline(0, color="#BBBBBB", lw=0.7, zorder=0)
    axis.set_ylim(-1.2, 1.2)
    axis.set_yticks([-1, 0, 1])
    axis.tick_params(axis="y", length=3, labelsize=7)
    mapped = any(row and row.known == "mapped" for _, row in rows)
    name_panel(axis, name, *["(dots: mapped)"] * mapped, lane=lane.name, pad=0.45)
    predictions = [c.prediction for c in lane.annotations]
    headlines = {p.headline for p in predictions}
    means = summarise(predictions, t.emotions).dimensions.get(headlines.pop())
    if means and not headlines:
        _beside(axis, "mean", numeral(Value.of(name), means.numbers[place]))


def _intensity(axis: Any, _: Timeline, lane: timed.Lane, __: float) -> None:
    """Draw the intensity from 0 to 1; of several streams, the greatest."""
    strong = [c for c in lane.annotations if c.prediction.intensity]
    numbers = [max(c.prediction.intensity.values()) for c in strong]
    _band(axis, strong, numbers, GREY, (0, 1))
    axis.set_ylim(0, 1.1)
    axis.set_yticks([0, 1])
    axis.tick_params(axis="y", length=3, labelsize=7)
    name_panel(axis, INTENSITY, lane=lane.name, pad=0.45)


def _band(
    axis: Any,
    annotations: Sequence[timed.Annotation],
    numbers: Sequence[float],
    colour: str,
    ends: tuple[float, float],
    dashes: Any = "-",
) -> None:
    """Draw a moving average, and a band of one standard deviation within the ends of the range."""
    curve = moving_average(annotations, numbers, axis.get_xlim()[1])
    low, high = (curve.mean + side * curve.deviation for side in (-1, 1))
    axis.fill_between(curve.at, *np.clip((low, high), *ends), color=colour, alpha=0.18, lw=0)
    axis.plot(curve.at, curve.mean, color=colour, lw=1.5, ls=dashes)


def _shares(axis: Any, t: Timeline, lane: timed.Lane, _: float) -> None:
    """Draw the mean share of each stream in the logit of the decided or most probable emotion."""
    for j, (stream, info) in enumerate(streams_with_shares(t, lane).items()):
        annotations = [c for c in lane.annotations if stream in c.prediction.shares]
        numbers = [
            c.prediction.shares[stream].get(c.prediction.shown_emotion, 0.0) for c in annotations
        ]
        curve = moving_average(annotations, numbers, axis.get_xlim()[1])
        dashes = ("-", "--", ":")[j % 3]
        axis.plot(curve.at, curve.mean, lw=1.2, ls=dashes, color=info.colour, label=info.label)
    range_of_shares(axis, "mean shares", "in the logit of", "what was", "decided", lane=lane)


def telling_words(t: Timeline) -> list[tuple[str, str]]:
    """Return the recording's most telling utterances in the order of time: (answer, words).

    An utterance whose words are not known is left out.
    """
    texts = {p.id: plain(p.turn) for p in t if p.text}
    texts |= {s.id: plain(p.turn) for p in t for s in p.slices if p.text}
    moments = sorted(t.summary().telling, key=lambda m: m.start or 0.0)
    return [
        (f"{clock(m.start or 0.0)}, {plain(m.emotion)} {percent(m.probability)}:", texts[m.id])
        for m in moments
        if m.id in texts
    ]


def _telling(axis: Any, _: Timeline, moments: Sequence[tuple[str, str]], inch: float) -> None:
    """Write the words of the most telling utterances, one below the other."""
    room = axis.get_xlim()[1] * inch
    axis.set_ylim(len(moments), 0)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.grid(False)
    for row, moment in enumerate(moments):
        (line,) = wrapped(axis.figure, " ".join(moment), room, 7, most=1)
        axis.text(0, row + 0.5, line, fontsize=7, va="center", clip_on=False)
    name_panel(axis, "most telling", "words")


def _beside(axis: Any, *lines: str) -> None:
    """Write lines to the right of a panel."""
    place = 1 + _GAP / (axis.get_position().width * WIDTH)
    axis.text(place, 0.5, "\n".join(lines), transform=axis.transAxes, fontsize=8, va="center")


DRAW = {
    "emotion curves": _emotions,
    "value curve": _value,
    "dimension curve": _dimension,
    "intensity curve": _intensity,
    "share curves": _shares,
    "telling": _telling,
}


def curve_notes(names: Set[str], length: float) -> Iterator[str]:
    """Yield sentences for the foot of a plot: what the curves of these panels show.

    Args:
        names: of the panels, as in `DRAW`; others have no sentence.
        length: seconds of the recording.
    """
    if not names & set(DRAW):
        return
    over = f"moving average over {in_words(window(length))}"
    yield f"Each curve is a {over}, in which an utterance counts as long as it lasts."
    if "emotion curves" in names:
        yield (
            f"Curves of emotions: their probability (a full row is 1); of “{UNSURE}”: the share of "
            "time without a decision. At the right: the share of the judged time in which each is "
            "decided."
        )
    if {"value curve", "dimension curve", "intensity curve"} & names:
        yield "Bands reach one standard deviation of the utterances to both sides of the curve."
