"""Fit text into the space of a plot, by the measured width of its letters."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

_PIECES = re.compile(r"[^\s_]*_+|[^\s_]+")
"""A line of a plot may end after a word or, as file names have no spaces, after a "_"."""


def width_of(figure: Any, text: str, size: float, weight: str = "normal") -> float:
    """Return the width of a text in inches.

    Args:
        figure: a matplotlib figure with an Agg canvas.
        size: of the font, in points.
        weight: of the font.
    """
    from matplotlib.font_manager import FontProperties

    font = FontProperties(size=size, weight=weight)
    measured = figure.canvas.get_renderer().get_text_width_height_descent(text, font, ismath=False)
    return float(measured[0]) / float(figure.dpi)


def wrapped(
    figure: Any,
    text: str,
    inches: float,
    size: float,
    weight: str = "normal",
    most: int | None = None,
) -> list[str]:
    """Break a text into lines of at most ``inches``; a word that is longer than a line is cut.

    Args:
        figure, size, weight: see `width_of`.
        most: the largest number of lines; the last one then ends in "…".
    """

    def fits(line: str) -> bool:
        return width_of(figure, line, size, weight) <= inches

    if fits(text):
        return [text]
    lines, end = [""], 0
    for piece in _PIECES.finditer(text):
        if most is not None and len(lines) > most:
            break
        joined = lines[-1] + " " * (bool(lines[-1]) and piece.start() > end) + piece[0]
        end = piece.end()
        if fits(joined):
            lines[-1] = joined
            continue
        lines += [""] * bool(lines[-1])
        rest = piece[0]
        while rest and (most is None or len(lines) <= most):
            count = _longest(rest, fits)
            lines[-1], rest = rest[:count], rest[count:]
            lines += [""] * bool(rest)
    if most is None or len(lines) <= most:
        return lines
    last = lines[most - 1]
    if not fits(last + "…"):
        last = last[: _longest(last, lambda part: fits(part + "…"))]
    return [*lines[: most - 1], last + "…"]


def _longest(text: str, fits: Callable[[str], bool]) -> int:
    """Return the number of letters of a text that fit, at least 1, by bisection."""
    low, high = 1, 2
    while high <= len(text) and fits(text[:high]):
        low, high = high, 2 * high
    high = min(high, len(text) + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle]) else (low, middle)
    return low
