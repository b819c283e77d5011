"""Fit text into the space of a plot, by the measured width of its letters."""

from __future__ import annotations

import re
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
        joined = lines[-1] + " " * (bool(lines[-1]) and piece.start() > end) + piece[0]
        end = piece.end()
        if fits(joined):
            lines[-1] = joined
            continue
        lines += [""] * bool(lines[-1])
        for letter in piece[0]:
            if lines[-1] and not fits(lines[-1] + letter):
                lines.append("")
            lines[-1] += letter
    if most is None or len(lines) <= most:
        return lines
    last = lines[most - 1]
    while last and not fits(last + "…"):
        last = last[:-1]
    return [*lines[: most - 1], last + "…"]
