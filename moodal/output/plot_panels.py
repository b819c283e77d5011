"""The panels of a plot over time: each draws onto axes whose x is seconds of the recording."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any
from unicodedata import east_asian_width

import numpy as np

from moodal.core.dimensions import DIMENSIONS
from moodal.core.emotions import Value
from moodal.core.guard import plain
from moodal.core.timeline import Timeline
from moodal.output.formats import timed
from moodal.output.style import (
    GREY,
    HATCHES,
    UNSURE,
    colours,
    ink,
    label,
    numeral,
    percent,
    shown_emotion,
    streams_of,
)

WIDTH, LEFT, RIGHT = 10.0, 1.45, 0.25
"""Inches: the width of the plot, and its left and right margins."""

FACE = 0.6
"""Inches: the height of a thumbnail with the line to its time."""

DIMENSION_COLOURS = ("#0072B2", "#D55E00", "#009E73")
"""The colours of valence, arousal and dominance."""

_SIGNS = 16.5  # characters of 7 points in an inch; a cautious estimate


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
    names = [f"{plain(e)} (guess)" if _is_guess(t, e) else plain(e) for e in t.emotions]
    axis.set_yticks(np.arange(n) + 0.6, [textwrap.shorten(x, 22, placeholder="…") for x in names])
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


def _value(axis: Any, t: Timeline, content: tuple[timed.Lane, Value], inch: float) -> None:
    """Draw a value as a line over its range: level during an utterance, dotted between them."""
    lane, value = content
    colour = colours([v.name for v in t.values])[value.name]
    start = np.array([c.start / 1000 for c in lane.annotations])
    end = np.array([c.end / 1000 for c in lane.annotations])
    numbers = np.array([c.prediction.values[value.name] for c in lane.annotations])
    middle = 0.0 if value.low < 0 < value.high else (value.low + value.high) / 2
    axis.axhline(middle, color="#BBBBBB", lw=0.7, zorder=0)
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
    axis.set_ylim(value.low - room, value.high + room)
    axis.set_yticks([value.low, middle, value.high])
    axis.tick_params(axis="y", length=3, labelsize=7)
    name = plain(value.name)
    _name(axis, f"{name}\n({lane.name})" if lane.name else name, pad=0.45)


def _dimensions(axis: Any, t: Timeline, lane: timed.Lane, inch: float) -> None:
    """Draw the headline's dimensions as lines from -1 to 1, dotted where they are mapped.

    The intensity of the voice is a pale area from 0 to 1.
    """
    rows = [(c, c.prediction.dimensions.get(c.prediction.headline)) for c in lane.annotations]
    axis.axhline(0, color="#BBBBBB", lw=0.7, zorder=0)
    for annotation in lane.annotations:
        for number in annotation.prediction.intensity.values():
            span = np.array([annotation.start / 1000]), np.array([annotation.end / 1000])
            _boxes(axis, *span, np.array([number]), 0.0, facecolor="#DDDDDD", linewidth=0, zorder=0)
    for i, name in enumerate(DIMENSIONS):
        colour = DIMENSION_COLOURS[i]
        for known, style in (("learned", "-"), ("mapped", (0, (1, 0.6)))):
            kept = [
                (c.start / 1000, c.end / 1000, row.numbers[i])
                for c, row in rows
                if row and row.known == known
            ]
            if kept:
                start, end, numbers = map(np.array, zip(*kept, strict=True))
                axis.hlines(numbers, start, end, color=colour, lw=2, ls=style)
        axis.plot([], [], color=colour, lw=2, label=name)
    axis.set_ylim(-1.05, 1.65)
    axis.set_yticks([-1, 0, 1])
    axis.tick_params(axis="y", length=3, labelsize=7)
    axis.legend(loc="upper right", ncols=3, fontsize=7, frameon=False, borderaxespad=0)
    mapped = any(row and row.known == "mapped" for _, row in rows)
    head = "dimensions" + ("\n(dots: mapped)" if mapped else "")
    grey = "\n(grey: intensity)" if any(c.prediction.intensity for c in lane.annotations) else ""
    _name(axis, f"{head}{grey}" + (f"\n({lane.name})" if lane.name else ""), pad=0.45)


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
    emotion = label(annotation.prediction)
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


def _is_guess(t: Timeline, emotion: str) -> bool:
    """Return whether no stream that was used has learned the emotion."""
    sources = {p.sources.get(emotion, {}).get(s) for p in t for s in p.streams}
    return "guess" in sources and not sources & {"learned", "synonym", "adapted"}


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
    _name(axis, "faces")


def place_faces(t: Timeline, inch: float) -> list[tuple[float, float, np.ndarray]]:
    """Choose as many faces as fit side by side: (second seen, second drawn, picture)."""
    placed: list[tuple[float, float, np.ndarray]] = []
    half, end = FACE / 2 / inch, (WIDTH - LEFT - RIGHT) / inch
    for seen, picture in sorted(t.thumbnails, key=lambda x: x[0]):
        drawn = min(max(seen, half), max(half, end - half))
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
    _name(axis, "sound")


def words_of(lane: timed.Lane, length: float) -> Iterator[tuple[float, str]]:
    """Yield (second, at most four lines) per utterance, cut to the space before the next one."""
    inch = (WIDTH - LEFT - RIGHT) / length
    for i, annotation in enumerate(lane.annotations):
        next_start = (
            lane.annotations[i + 1].start / 1000 if i + 1 < len(lane.annotations) else length
        )
        columns = int(((next_start - annotation.start / 1000) * inch - 0.06) * _SIGNS)
        text = plain(annotation.prediction.text or "")
        if 2 * sum(east_asian_width(c) in "WF" for c in text) > len(text):
            columns //= 2
        lines = textwrap.wrap(text, columns, max_lines=4, placeholder="…") if columns >= 4 else []
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
    _name(axis, f"words\n({name})" if name else "words")


def _shares(axis: Any, t: Timeline, lane: timed.Lane, inch: float) -> None:
    """Draw each stream's share in the logit of the decided (or most probable) emotion."""
    shown = streams_of(t)
    streams = [s for s in shown if any(s in c.prediction.shares for c in lane.annotations)]
    axis.axhline(0, color="black", lw=0.7)
    crowded = min(c.end - c.start for c in lane.annotations) / 1000 * inch < 0.04
    for j, stream in enumerate(streams):
        annotations = [c for c in lane.annotations if stream in c.prediction.shares]
        middle = np.array([(c.start + c.end) / 2000 for c in annotations])
        values = np.array(
            [c.prediction.shares[stream].get(shown_emotion(c.prediction), 0.0) for c in annotations]
        )
        style = {"color": shown[stream].colour, "label": shown[stream].label}
        if crowded:
            steps, means = _means(middle, values, axis.get_xlim()[1])
            axis.plot(steps, means, lw=1.2, ls=("-", "--", ":")[j % 3], **style)
            continue
        wide = np.array(
            [min((c.end - c.start) / 1000 * 0.9 / len(streams), 0.3 / inch) for c in annotations]
        )
        bars = axis.bar(
            middle + (j - (len(streams) - 1) / 2) * wide,
            values,
            wide,
            hatch=HATCHES.get(shown[stream].mark, "xxxx"),
            edgecolor="white",
            linewidth=0.3,
            **style,
        )
        for bar, annotation in zip(bars, annotations, strict=True):
            bar.set_alpha(1.0 if annotation.prediction.decided else 0.4)
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
    name = (
        "mean shares\nin the logits of\nwhat was decided"
        if crowded
        else "shares in\nthe logit of what\nwas decided"
    )
    _name(axis, f"{name}\n(nats; {lane.name})" if lane.name else f"{name}\n(nats)", pad=0.45)


def _means(at: np.ndarray, values: np.ndarray, length: float) -> tuple[np.ndarray, np.ndarray]:
    """Average many values over sixtieths of the length: times [60] and means [60], NaN if none."""
    place = np.minimum((at / length * 60).astype(int), 59)
    count = np.bincount(place, minlength=60)
    total = np.bincount(place, values, minlength=60)
    means = np.divide(total, count, out=np.full(60, np.nan), where=count > 0)
    return (np.arange(60) + 0.5) * length / 60, means


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


def _name(axis: Any, name: str, pad: float = 0.12) -> None:
    """Write the name of a panel to its left."""
    inches = axis.get_position().width * WIDTH
    axis.text(
        -pad / inches, 0.5, name, transform=axis.transAxes, ha="right", va="center", fontsize=8
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
