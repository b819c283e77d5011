"""Plot a timeline without times sentence by sentence, its words marked by their shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from moodal.core.guard import plain
from moodal.core.scripts import is_right_to_left
from moodal.core.timeline import UNSURE, Prediction, Timeline
from moodal.output.lettering import width_of, wrapped
from moodal.output.style import (
    GREY,
    colours,
    dimension_texts,
    numeral,
    percent,
    position,
    streams_of,
)

_MOST = 40
_WORDS, _LINE, _BAR = 6.1, 0.24, 0.17  # inches: width of the text, height of a line, of a bar
_LEFT, _BARS = 0.2, 6.75  # inches from the left
_SIZE = 9


def draw(figure: Any, timeline: Timeline, title: str, foot: Sequence[str], width: float) -> None:
    """Draw a timeline onto an empty figure, and set the figure's height.

    Args:
        foot: lines of text below the sentences.
        width: inches.
    """
    shown = list(timeline)[:_MOST]
    if len(shown) < len(timeline):
        title += f": the first {len(shown)} of {len(timeline)} sentences"
    figure.set_size_inches(width, 1)
    heading = wrapped(figure, title, width - 2 * _LEFT, 11, "bold")
    start = 0.3 + 0.2 * len(heading)
    pictures = [x for _, x in timeline.thumbnails]
    faces = pictures if len(pictures) == len(shown) else pictures[:1]
    flows = [_flow(figure, p, _silent(timeline, p)) for p in shown]
    rows = [_height(p, flows[i], i < len(faces)) for i, p in enumerate(shown)]
    marked = any(w.shares for p in shown for w in p.words)
    end = (0.3 if marked else 0.0) + 0.16 * len(foot) + 0.15
    height = start + sum(rows) + end
    figure.set_size_inches(width, height)
    page = figure.add_axes((0, 0, 1, 1))
    page.set(xlim=(0, width), ylim=(height, 0))  # inches from the top left
    page.axis("off")
    for i, line in enumerate(heading):
        page.text(_LEFT, 0.27 + 0.2 * i, line, fontsize=11, fontweight="bold", va="center")
    word_shares = [abs(w.shares.get(p.shown_emotion, 0.0)) for p in shown for w in p.words]
    strongest = (
        float(np.quantile(word_shares, 0.95)) if word_shares else 0.0
    )  # one loud word hides no other
    labels = {s: info.label for s, info in streams_of(timeline).items()}
    top = start
    for i, (p, flow, high) in enumerate(zip(shown, flows, rows, strict=True)):
        if i:
            page.plot([_LEFT, width - _LEFT], [top - 0.02] * 2, color="#DDDDDD", lw=0.6)
        indent = _face(page, faces[i], top) if i < len(faces) else 0.0
        colour = colours([*dict.fromkeys([*timeline.emotions, p.shown_emotion])])
        lines = _sentence(page, p, flow, top, indent, colour[p.shown_emotion], strongest)
        if len(p.shares) > 1:
            _share_line(page, p, labels, top + _LINE * (lines + 0.5), _LEFT + indent)
            lines += 1
        if texts := dimension_texts(p):
            y = top + _LINE * (lines + 0.5)
            page.text(_LEFT + indent, y, ", ".join(texts), fontsize=7, color="#444444", va="center")
        if timeline.values:
            _scales(page, timeline, p, top, width)
        else:
            _bars(page, p, top, width, colour)
        top += high
    if marked:
        _legend(page, top + 0.12)
    for i, line in enumerate(reversed(foot)):
        page.text(_LEFT, height - 0.12 - 0.16 * i, line, fontsize=7, color="#444444")


def _silent(timeline: Timeline, p: Prediction) -> str:
    """Return what stands in place of words: in a picture of several people, who it is."""
    if timeline.kind != "image":
        return "(no words)"
    return p.who if timeline.persons else ""


Flow = list[tuple[float, int, float, str, float | None]]
"""A word's inches from the left, line number, width in inches, text and share (None: none)."""


def _flow(figure: Any, p: Prediction, silent: str) -> Flow:
    """Break the words of an utterance into lines; ``silent`` is shown if nothing was said."""
    pairs = [(plain(w.text), w.shares.get(p.shown_emotion)) for w in p.words]
    if not pairs:
        pairs = [(w, None) for w in plain(p.text or silent).split()]
    flow: Flow = []
    x, line = 0.0, 0
    for word, share in (piece for pair in pairs for piece in _pieces(*pair)):
        wide = width_of(figure, word, _SIZE)
        if x and x + wide > _WORDS:
            x, line = 0.0, line + 1
        flow.append((x, line, wide, word, share))
        x += wide + 0.07
    return flow


def _pieces(word: str, share: float | None) -> Iterator[tuple[str, float | None]]:
    """Cut a word of over 30 characters into pieces, since some scripts have no spaces."""
    for i in range(0, max(1, len(word)), 30):
        yield word[i : i + 30], share


def _height(p: Prediction, flow: Flow, face: bool) -> float:
    lines = (flow[-1][1] + 1 if flow else 1) + (len(p.shares) > 1)
    lines += bool(p.dimensions or p.intensity)
    bars = len(p.values) or min(3, len(p.probabilities))
    return max(_LINE * lines, _BAR * bars, 0.6 if face else 0.0) + 0.2


def _sentence(
    page: Any, p: Prediction, flow: Flow, top: float, indent: float, colour: str, strongest: float
) -> int:
    """Write the words, marked by their shares, and return the number of their lines."""
    from matplotlib.patches import Rectangle

    left, lines = _LEFT + indent, 0
    mirrored = is_right_to_left(p.text or "")
    for begin, line, wide, word, share in flow:
        x = _WORDS - begin - wide if mirrored else begin
        y = top + _LINE * (line + 0.5)
        if share is not None and strongest:
            strength = min(1.0, abs(share) / strongest)
            box = (left + x - 0.03, y - 0.1), wide + 0.06, 0.2
            if share > 0:
                page.add_patch(Rectangle(*box, facecolor=colour, alpha=0.7 * strength, lw=0))
            elif strength > 0.08:
                page.add_patch(
                    Rectangle(
                        *box,
                        facecolor="none",
                        edgecolor="#555555",
                        lw=0,
                        hatch="////",
                        alpha=0.15 + 0.6 * strength,
                    )
                )
        page.text(left + x, y, word, fontsize=_SIZE, va="center_baseline")
        lines = line + 1
    return lines


def _share_line(page: Any, p: Prediction, labels: Mapping[str, str], y: float, left: float) -> None:
    """Write the share of each stream in the emotion."""
    emotion = p.shown_emotion
    shares = ", ".join(f"{labels[s]} {v.get(emotion, 0.0):+.1f}" for s, v in p.shares.items())
    text = f"shares of {emotion}: {shares} nats"
    (line,) = wrapped(page.figure, text, _BARS - left - 0.1, 7, most=1)
    page.text(left, y, line, fontsize=7, color="#444444", va="center")


def _bars(page: Any, p: Prediction, top: float, width: float, colour: dict[str, str]) -> None:
    """Draw bars for the three most probable emotions; they are grey if none was decided."""
    order = sorted(p.probabilities, key=lambda e: -p.probabilities[e])[:3]
    full_width = width - _BARS - 1.5
    for i, emotion in enumerate(order):
        probability, y = p.probabilities[emotion], top + _BAR * (i + 0.6)
        decided = emotion in p.decided
        fill = colour.get(emotion, GREY) if p.decided else "#BBBBBB"
        page.barh(
            y,
            probability * full_width,
            0.11,
            _BARS,
            color=fill,
            lw=0,
            alpha=1.0 if decided or not p.decided else 0.5,
        )
        name = f"{plain(emotion)} {percent(probability)}"
        if i == 0 and not p.decided:
            name = f"{UNSURE} ({name})"
        left, weight = _BARS + probability * full_width + 0.06, "bold" if decided else "normal"
        (line,) = wrapped(page.figure, name, width - left, 7.5, weight, most=1)
        page.text(left, y, line, fontsize=7.5, va="center", fontweight=weight)


def _scales(page: Any, t: Timeline, p: Prediction, top: float, width: float) -> None:
    """Draw each value as a bar from the middle of its range, which is a grey line."""
    full_width = width - _BARS - 1.5
    colour = colours([value.name for value in t.values])
    for i, value in enumerate(t.values):
        number, y = p.values[value.name], top + _BAR * (i + 0.6)
        middle = position(value, 0.0) if value.low < 0 < value.high else 0.5
        end = position(value, number)
        page.plot([_BARS, _BARS + full_width], [y, y], color="#DDDDDD", lw=0.8, zorder=0)
        page.plot([_BARS + middle * full_width] * 2, [y - 0.06, y + 0.06], color=GREY, lw=0.8)
        left = _BARS + min(middle, end) * full_width
        page.barh(y, abs(end - middle) * full_width, 0.11, left, color=colour[value.name], lw=0)
        name = f"{plain(value.name)} {numeral(value, number)}"
        place = _BARS + full_width + 0.06
        (line,) = wrapped(page.figure, name, width - place, 7.5, most=1)
        page.text(place, y, line, fontsize=7.5, va="center")


def _face(page: Any, picture: np.ndarray, top: float) -> float:
    """Draw a thumbnail and return the width that it takes, in inches."""
    limits = page.get_xlim(), page.get_ylim()
    page.imshow(
        picture,
        cmap="gray",
        vmin=0,
        vmax=255,
        aspect="auto",
        extent=(_LEFT, _LEFT + 0.6, top + 0.6, top),
    )
    page.set(xlim=limits[0], ylim=limits[1])
    return 0.75


def _legend(page: Any, y: float) -> None:
    from matplotlib.patches import Rectangle

    x = _LEFT
    marks: tuple[tuple[str, dict[str, Any]], ...] = (
        ("raises logit", {"facecolor": GREY, "alpha": 0.7, "lw": 0}),
        ("lowers logit", {"facecolor": "none", "edgecolor": "#555555", "hatch": "////", "lw": 0}),
    )
    for text, style in marks:
        page.add_patch(Rectangle((x, y - 0.07), 0.28, 0.14, **style))
        page.text(x + 0.35, y, text, fontsize=7.5, va="center")
        x += 1.25
    page.text(
        x,
        y,
        "the stronger the mark, the larger the word's part of the share in the most "
        "probable emotion",
        fontsize=7.5,
        va="center",
    )
