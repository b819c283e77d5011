"""The frames of a plot's panels: their widths, names, ranges and legends.

Panels of bars (`moodal.output.plot_panels`) and of curves (`moodal.output.plot_curves`) share them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from moodal.core.dimensions import DIMENSIONS
from moodal.core.emotions import Value
from moodal.core.guard import plain
from moodal.core.records import ModalityInfo
from moodal.core.timeline import Timeline
from moodal.output.formats import timed
from moodal.output.lettering import wrapped
from moodal.output.style import colours, streams_of

WIDTH, LEFT, RIGHT = 10.0, 1.45, 0.25
"""Inches: the width of the plot, and its left and right margins."""

DIMENSION_COLOURS = ("#0072B2", "#D55E00", "#009E73")
"""The colours of valence, arousal and dominance."""

READABLE = 0.04
"""Inches: narrower bars, of about a millimetre, are not readable."""


def crowded(annotations: Sequence[timed.Annotation], inch: float, bars: int = 1) -> bool:
    """Return whether the bars of most utterances would be too narrow to be readable.

    Args:
        annotations: the utterances or slices.
        inch: inches of a second.
        bars: the number of bars side by side in an utterance.
    """
    widths = [(c.end - c.start) / 1000 * inch / bars for c in annotations]
    return bool(widths) and float(np.median(widths)) < READABLE


def names_of(t: Timeline) -> list[str]:
    """Return the names of the emotions, with a remark on those that are guesses."""
    return [f"{plain(e)} (guess)" if _is_guess(t, e) else plain(e) for e in t.emotions]


def name_emotions(axis: Any, t: Timeline, lane: timed.Lane, names: Sequence[str]) -> None:
    """Write the names of rows to their left, with the colours of the emotions, and the lane's."""
    colour, room = colours(t.emotions), LEFT - 0.27
    rows = ["\n".join(wrapped(axis.figure, name, room, 8, most=2)) for name in names]
    axis.set_yticks(np.arange(len(rows)) + 0.6, rows)
    for i, emotion in enumerate(t.emotions):
        axis.plot(
            -0.01,
            i + 0.6,
            "s",
            color=colour[emotion],
            ms=5,
            clip_on=False,
            transform=axis.get_yaxis_transform(),
        )
    axis.tick_params(axis="y", pad=13)
    axis.spines["left"].set_visible(False)
    if lane.name:
        axis.text(
            0, 0.99, lane.name, transform=axis.transAxes, fontsize=8, va="top", fontweight="bold"
        )


def _is_guess(t: Timeline, emotion: str) -> bool:
    """Return whether no stream that was used has learned the emotion."""
    sources = {p.sources.get(emotion, {}).get(s) for p in t for s in p.streams}
    return "guess" in sources and not sources & {"learned", "synonym", "adapted"}


def middle_of(value: Value) -> float:
    """Return the number from which a value's bars start: 0, or the middle of its range."""
    return 0.0 if value.low < 0 < value.high else (value.low + value.high) / 2


def range_of_value(axis: Any, value: Value, lane: timed.Lane) -> None:
    """Let a panel reach over the range of its value, and name it."""
    room, middle = 0.1 * value.width, middle_of(value)
    axis.axhline(middle, color="#BBBBBB", lw=0.7, zorder=0)
    axis.set_ylim(value.low - room, value.high + room)
    axis.set_yticks([value.low, middle, value.high])
    axis.tick_params(axis="y", length=3, labelsize=7)
    name_panel(axis, plain(value.name), lane=lane.name, pad=0.45)


def range_of_dimensions(axis: Any, lane: timed.Lane) -> None:
    """Let a panel reach from -1 to 1, with room for the legend, and name it."""
    for name, colour in zip(DIMENSIONS, DIMENSION_COLOURS, strict=True):
        axis.plot([], [], color=colour, lw=2, label=name)
    axis.axhline(0, color="#BBBBBB", lw=0.7, zorder=0)
    axis.set_ylim(-1.05, 1.65)
    axis.set_yticks([-1, 0, 1])
    axis.tick_params(axis="y", length=3, labelsize=7)
    axis.legend(loc="upper right", ncols=3, fontsize=7, frameon=False, borderaxespad=0)
    predictions = [c.prediction for c in lane.annotations]
    rows = [p.dimensions[p.headline] for p in predictions if p.headline in p.dimensions]
    lines = ["dimensions"]
    lines += ["(dots: mapped)"] * any(row.known == "mapped" for row in rows)
    lines += ["(grey: intensity)"] * any(p.intensity for p in predictions)
    name_panel(axis, *lines, lane=lane.name, pad=0.45)


def streams_with_shares(t: Timeline, lane: timed.Lane) -> dict[str, ModalityInfo]:
    """Return the streams that have shares in any answer of the lane."""
    of_lane = {stream for c in lane.annotations for stream in c.prediction.shares}
    return {stream: info for stream, info in streams_of(t).items() if stream in of_lane}


def range_of_shares(axis: Any, *name: str, lane: timed.Lane) -> None:
    """Leave room above the shares, add the legend of the streams, and name the panel."""
    axis.axhline(0, color="black", lw=0.7)
    low, high = axis.get_ylim()
    axis.set_ylim(min(low, -0.1) * 1.05, max(high, 0.1) * 1.25)
    axis.tick_params(axis="y", length=3, labelsize=7)
    axis.legend(
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=3,
        fontsize=7,
        frameon=False,
        borderaxespad=0,
    )
    name_panel(axis, *name, f"(nats; {lane.name})" if lane.name else "(nats)", pad=0.45)


def name_panel(axis: Any, *lines: str, lane: str = "", pad: float = 0.12) -> None:
    """Write the name of a panel, and of its lane, to its left, ``pad`` inches from its axis."""
    room = LEFT - pad - 0.03
    lines = (*lines, f"({lane})") if lane else lines
    parts = [part for line in lines for part in wrapped(axis.figure, line, room, 8)]
    inches = axis.get_position().width * WIDTH
    axis.text(
        -pad / inches,
        0.5,
        "\n".join(parts),
        transform=axis.transAxes,
        ha="right",
        va="center",
        fontsize=8,
    )
