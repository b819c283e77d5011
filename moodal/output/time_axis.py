"""The time axis of a plot: round times, between which ticks and moving averages lie."""

from __future__ import annotations

from typing import Any

from moodal.output.style import clock

MINUTES_FROM = 90
"""A recording of so many seconds has ticks in minutes and seconds, a shorter one in seconds."""

_UNITS = (1, 2, 5, 10, 15, 30)
_ROUND = (
    *(digit * 10.0**power for power in range(-6, 0) for digit in (1, 2, 5)),
    *map(float, _UNITS),
    *(60.0 * n for n in _UNITS),
    *(3600.0 * n for n in (1, 2, 3, 6, 12)),
)
_DAY = 86400.0

_MOST_STEPS = ((90, 12), (3600, 10), (float("inf"), 8))
"""Below so many seconds, at most so many steps between ticks: longer labels need more room."""


def round_step(length: float, most: int) -> float:
    """Return the smallest round time that divides a length into at most ``most`` steps.

    Round times are 1, 2, 5, 10, 15 and 30 seconds or minutes, 1, 2, 3, 6 and 12 hours, and days;
    below a second, 1, 2 or 5 of a decimal place.

    >>> round_step(300, 9), round_step(3600, 9), round_step(0.9, 9)
    (60.0, 600.0, 0.1)
    """
    enough = length / most * (1 - 1e-9)
    step = next((step for step in _ROUND if step >= enough), None)
    return step or _DAY * -(-enough // _DAY)


def in_words(seconds: float) -> str:
    """Name a round time.

    >>> in_words(0.5), in_words(30), in_words(120), in_words(7200)
    ('0.5 s', '30 s', '2 min', '2 h')
    """
    if seconds < 60:
        return f"{seconds:g} s"
    return f"{seconds / 60:g} min" if seconds < 3600 else f"{seconds / 3600:g} h"


def set_ticks(axis: Any, length: float) -> None:
    """Place the ticks of an x-axis in seconds at round times."""
    from matplotlib.ticker import MultipleLocator

    most = next(most for below, most in _MOST_STEPS if length < below)
    axis.xaxis.set_major_locator(MultipleLocator(round_step(length, most)))
    if length >= MINUTES_FROM:
        axis.xaxis.set_major_formatter(lambda x, _: clock(x, hours=length >= 3600))


def unit(length: float) -> str:
    """Return the label of the time axis of a recording."""
    if length < MINUTES_FROM:
        return "seconds"
    return f"time ({'hours, ' if length >= 3600 else ''}minutes and seconds)"
