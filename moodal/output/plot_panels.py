"""Panels of a plot over time with a bar or a line for each utterance, faces, sound and words.

Each draws onto axes whose x is seconds of the recording.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any
from unicodedata import east_asian_width

import numpy as np

from moodal.core.emotions import Value
from moodal.core.guard import plain
from moodal.core.timeline import UNSURE, Timeline
from moodal.output.formats import timed
from moodal.output.panel_frames import (
    DIMENSION_COLOURS,
    middle_of,
    name_emotions,
    name_panel,
    names_of,
    range_of_dimensions,
    range_of_shares,
    range_of_value,
    streams_with_shares,
)
from moodal.output.style import (
    GREY,
    HATCHES,
    colours,
    ink,
    numeral,
    percent,
)

FACE = 0.6
"""Inches: the height of a thumbnail with the line to its time."""

_SIGNS = 16.5  # characters of 7 points in an inch; a cautious estimate
_COLUMNS = 8  # a narrower column cuts most words into pieces


def _emotions(axis: Any, t: Timeline, lane: timed.Lane, inch: float) -> None:
    """Draw a row per emotion, with a bar over each utterance (slice) as high as its probability."""
    n, colour = len(t.emotions), colours(t.emotions)
    axis.set_ylim(n, -0.5 - 0.6 * bool(lane.name))
    start = np.array([c.start / 1000 for c in lane.annotations])
    end = np.array([c.end / 1000 for c in lane.annotations])
    unsure = np.array([not c.prediction.decided for c in lane.annotations], bool)
    _boxes(
        axis,
        start[unsure],
        end[unsure],
        np.full(unsure.sum(), float(n)),
        -0.5,
        facecolor="#F0F0F0",
        edgecolor="#C4C4C4",
        hatch="///",
        linewidth=0,
        zorder=0,
    )
    for a, b in zip(start[unsure], end[unsure], strict=True):
        if (b - a) * inch > 0.45:
            axis.text(
                (a + b) / 2, -0.22, UNSURE, ha="center", va="center", fontsize=7, color="#444444"
            )
    edge = np.where((end - start) * inch > 0.05, 0.5, 0.0)
    for i, emotion in enumerate(t.emotions):
        axis.axhline(i + 0.95, color="#DDDDDD", lw=0.6, zorder=0)
        high = np.array([0.86 * c.prediction.probabilities[emotion] for c in lane.annotations])
        decided = np.array([emotion in c.prediction.decided for c in lane.annotations], bool)
        for which, alpha in ((decided, 1.0), (~decided, 0.45)):
            _boxes(
                axis,
                start[which],
                end[which],
                i + 0.95 - high[which],
                i + 0.95,
                facecolor=colour[emotion],
                edgecolor="white",
                linewidths=edge[which],
                alpha=alpha,
            )
    for annotation in lane.annotations:
        _figure_on_bar(axis, t, annotation, inch, colour)
    name_emotions(axis, t, lane, names_of(t))


def _value(axis: Any, t: Timeline, content: tuple[timed.Lane, Value], inch: float) -> None:
    """Draw a value as a line over its range: level during an utterance, dotted between them."""
    lane, value = content
    colour = colours([v.name for v in t.values])[value.name]
    start = np.array([c.start / 1000 for c in lane.annotations])
    end = np.array([c.end / 1000 for c in lane.annotations])
    numbers = np.array([c.prediction.values[value.name] for c in lane.annotations])
    middle = middle_of(value)
    axis.plot(np.stack([start, end], 1).ravel(), numbers.repeat(2), color=colour, lw=0.8, ls=":")
    bases = np.full(len(numbers), middle)
    low, high = np.minimum(numbers, bases), np.maximum(numbers, bases)
    _boxes(axis, start, end, high, low, facecolor=colour, alpha=0.25, linewidth=0)
    axis.hlines(numbers, start, end, color=colour, lw=2.2)
    room = 0.1 * value.width
    for a, b, number in zip(start, end, numbers, strict=True):
        if (b - a) * inch > 0.34:
            above = number >= middle  # beyond the end of the bar, or within it where that is far
            if not value.low + 3 * room < number < value.high - 3 * room:
                above = not above
            axis.text(
                (a + b) / 2,
                number + (room if above else -room),
                numeral(value, number),
                ha="center",
                va="bottom" if above else "top",
                fontsize=7,
            )
    range_of_value(axis, value, lane)


def _dimensions(axis: Any, t: Timeline, lane: timed.Lane, inch: float) -> None:
    """Draw the headline's dimensions as lines from -1 to 1, dotted where they are mapped.

    The intensity of the voice is a pale area from 0 to 1.
    """
    rows = [(c, c.prediction.dimensions.get(c.prediction.headline)) for c in lane.annotations]
    for annotation in lane.annotations:
        for number in annotation.prediction.intensity.values():
            span = np.array([annotation.start / 1000]), np.array([annotation.end / 1000])
            _boxes(axis, *span, np.array([number]), 0.0, facecolor="#DDDDDD", linewidth=0, zorder=0)
    for i, colour in enumerate(DIMENSION_COLOURS):
        for known, style in (("learned", "-"), ("mapped", (0, (1, 0.6)))):
            kept = [
                (c.start / 1000, c.end / 1000, row.numbers[i])
                for c, row in rows
                if row and row.known == known
            ]
            if kept:
                start, end, numbers = map(np.array, zip(*kept, strict=True))
                axis.hlines(numbers, start, end, color=colour, lw=2, ls=style)
    range_of_dimensions(axis, lane)


def _boxes(
    axis: Any,
    left: np.ndarray,
    right: np.ndarray,
    high: np.ndarray,
    low: np.ndarray | float,
    **style: Any,
) -> None:
    """Draw n rectangles from left [n] to right [n] and from ``low`` to high [n]."""
    from matplotlib.collections import PolyCollection

    foot = np.full(len(left), low)
    corners = np.stack([left, foot, left, high, right, high, right, foot], 1)
    axis.add_collection(PolyCollection(list(corners.reshape(-1, 4, 2)), **style), autolim=False)


def _figure_on_bar(
    axis: Any, t: Timeline, annotation: timed.Annotation, inch: float, colour: dict[str, str]
) -> None:
    """Write the decided emotion's percentage into its bar or, where the bar is low, above it."""
    emotion = annotation.prediction.label
    if emotion not in t.emotions or (annotation.end - annotation.start) / 1000 * inch < 0.34:
        return
    probability, row = annotation.prediction.probabilities[emotion], t.emotions.index(emotion)
    inside = probability > 0.5
    y = row + 0.95 - 0.86 * probability * (0.5 if inside else 1) - (0 if inside else 0.2)
    axis.text(
        (annotation.start + annotation.end) / 2000,
        y,
        percent(probability),
        ha="center",
        va="center",
        fontsize=7,
        color=ink(colour[emotion]) if inside else "black",
    )


def _faces(axis: Any, t: Timeline, faces: Sequence[tuple[float, float, Any]], inch: float) -> None:
    high = 0.9  # of the panel; the rest is for the lines to their times
    half, limits = FACE * high / 2 / inch, axis.get_xlim()
    for at, drawn, picture in faces:
        axis.imshow(
            picture,
            cmap="gray",
            vmin=0,
            vmax=255,
            aspect="auto",
            zorder=2,
            extent=(drawn - half, drawn + half, 0, high),
        )
        axis.plot([at, drawn], [1.1, high], color=GREY, lw=0.7, clip_on=False)
    axis.set(xlim=limits, ylim=(0, 1))
    axis.axis("off")
    name_panel(axis, "faces")


def place_faces(t: Timeline, length: float, inch: float) -> list[tuple[float, float, np.ndarray]]:
    """Choose as many faces as fit side by side: (second seen, second drawn, picture)."""
    placed: list[tuple[float, float, np.ndarray]] = []
    half = FACE / 2 / inch
    for seen, picture in sorted(t.thumbnails, key=lambda x: x[0]):
        drawn = min(max(seen, half), max(half, length - half))
        if not placed or drawn - placed[-1][1] >= 2 * half:
            placed.append((seen, drawn, picture))
    return placed


def _sound(axis: Any, t: Timeline, _: Any, inch: float) -> None:
    """Draw the waveform in the colour of the decided emotion."""
    wave = np.asarray(t.waveform, float)
    edges = np.linspace(0, t.duration or axis.get_xlim()[1], len(wave) + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    peak = max(1e-6, float(np.abs(wave).max()))
    axis.fill_between(middle, wave[:, 0], wave[:, 1], color="#BBBBBB", lw=0.3)
    colour = colours(t.emotions)
    for emotion in t.emotions:
        inside = np.zeros(len(middle), bool)
        for p in t.rows:
            if emotion in p.decided and p.start is not None and p.end is not None:
                inside |= (middle >= p.start) & (middle <= p.end)
        if inside.any():
            axis.fill_between(
                middle, wave[:, 0], wave[:, 1], where=inside, color=colour[emotion], lw=0.3
            )
    axis.set_ylim(-1.05 * peak, 1.05 * peak)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    name_panel(axis, "sound")


def words_of(lane: timed.Lane, length: float, inch: float) -> Iterator[tuple[float, str]]:
    """Yield (second, at most four lines) per utterance, cut to the space before the next one."""
    for i, annotation in enumerate(lane.annotations):
        next_start = (
            lane.annotations[i + 1].start / 1000 if i + 1 < len(lane.annotations) else length
        )
        columns = int(((next_start - annotation.start / 1000) * inch - 0.06) * _SIGNS)
        text = plain(annotation.prediction.turn)
        if 2 * sum(east_asian_width(c) in "WF" for c in text) > len(text):
            columns //= 2
        room = text and columns >= min(_COLUMNS, len(text))
        lines = textwrap.wrap(text, columns, max_lines=4, placeholder="…") if room else []
        yield annotation.start / 1000, "\n".join(lines)


def _transcript(
    axis: Any, _: Timeline, content: tuple[str, Sequence[tuple[float, str]]], inch: float
) -> None:
    name, words = content
    axis.set_ylim(0, 1)
    axis.set_yticks([])  # the time axis stays: no panel may follow
    axis.spines["left"].set_visible(False)
    for start, text in words:
        axis.text(start, 1, text, fontsize=7, va="top", linespacing=1.15)
    name_panel(axis, "words", lane=name)


def _shares(axis: Any, t: Timeline, lane: timed.Lane, inch: float) -> None:
    """Draw each stream's share in the logit of the decided (or most probable) emotion."""
    streams = streams_with_shares(t, lane)
    for j, (stream, info) in enumerate(streams.items()):
        annotations = [c for c in lane.annotations if stream in c.prediction.shares]
        middle = np.array([(c.start + c.end) / 2000 for c in annotations])
        values = np.array(
            [c.prediction.shares[stream].get(c.prediction.shown_emotion, 0.0) for c in annotations]
        )
        wide = np.array(
            [min((c.end - c.start) / 1000 * 0.9 / len(streams), 0.3 / inch) for c in annotations]
        )
        bars = axis.bar(
            middle + (j - (len(streams) - 1) / 2) * wide,
            values,
            wide,
            hatch=HATCHES.get(info.mark, "xxxx"),
            edgecolor="white",
            linewidth=0.3,
            color=info.colour,
            label=info.label,
        )
        for bar, annotation in zip(bars, annotations, strict=True):
            bar.set_alpha(1.0 if annotation.prediction.decided else 0.4)
    range_of_shares(axis, "shares in", "the logit of what", "was decided", lane=lane)


def _nothing(axis: Any, t: Timeline, _: Any, inch: float) -> None:
    axis.set_yticks([])
    axis.text(
        0.5,
        0.5,
        "nothing to predict a value from" if t.values else "nothing to recognise an emotion from",
        transform=axis.transAxes,
        ha="center",
        va="center",
        color=GREY,
    )


DRAW = {
    "emotions": _emotions,
    "value": _value,
    "dimensions": _dimensions,
    "faces": _faces,
    "sound": _sound,
    "words": _transcript,
    "shares": _shares,
    "nothing": _nothing,
}
