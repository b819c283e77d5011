"""Moving averages over the utterances of a recording, each of which counts as long as it lasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from moodal.output.formats.timed import Annotation
from moodal.output.time_axis import round_step

_WINDOWS = 40  # in a recording, at most
_POINTS = 401
_LEAST = 5e-4  # seconds of utterances in a window; an utterance has at least twice as many


class Curve(NamedTuple):
    """A number over time: seconds [n], its mean [n] and standard deviation [n].

    Mean and deviation are NaN where the window holds no utterance.
    """

    at: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray


def window(length: float) -> float:
    """Return the seconds that are averaged in a recording of ``length`` seconds, a round time."""
    return round_step(length, _WINDOWS)


def moving_average(
    annotations: Sequence[Annotation], numbers: Sequence[float], length: float
) -> Curve:
    """Average a number of each utterance over time, within a `window` around each point.

    The number is taken as constant during its utterance and as missing between utterances, and
    the mean over the window is exact.

    Args:
        annotations: [N], in the order of time and without overlaps.
        numbers: [N].
        length: seconds of the recording.
    """
    edges = np.array([(c.start / 1000, c.end / 1000) for c in annotations]).reshape(-1, 2)
    long, values = edges[:, 1] - edges[:, 0], np.asarray(numbers, float)
    at = np.linspace(0, length, _POINTS)
    half = window(length) / 2

    def within(density: np.ndarray) -> np.ndarray:
        """Integrate what holds during each utterance over the window around each point."""
        total = np.cumsum(density * long)
        knots = np.stack([total - density * long, total], 1).ravel()
        high, low = (np.interp(at + side, edges.ravel(), knots) for side in (half, -half))
        return high - low

    if not len(values):
        return Curve(at, *np.full((2, _POINTS), np.nan))
    seconds = within(np.ones_like(values))
    seconds[seconds < _LEAST] = np.nan
    mean = within(values) / seconds
    middle = values.mean()  # squares of small numbers lose no digits
    variance = within((values - middle) ** 2) / seconds - (mean - middle) ** 2
    return Curve(at, mean, np.sqrt(np.maximum(variance, 0)))
