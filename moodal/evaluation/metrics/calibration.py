"""Calibration: how often predictions of probability p are true.

Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
AAAI 2015; Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BINS = 15
"""Number of bins of equal width, as in Guo et al."""


class Bin(NamedTuple):
    """The cases whose confidence is above ``low`` and at most ``high``.

    ``confidence`` is their mean confidence, ``accuracy`` the share that is true; both are NaN if
    the bin is empty (``cases`` 0).
    """

    low: float
    high: float
    cases: int
    confidence: float
    accuracy: float


def binned(confidence: np.ndarray, true: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Sort cases into bins by their confidence.

    Args:
        confidence: [n], 0 to 1; a confidence of 0 belongs to the first bin.
        true: [n], whether each case is true.
        bins: number of bins.

    >>> [b[2:] for b in binned(np.array([0.6, 0.8]), np.array([True, True]), 2)][1]
    (2, 0.7, 1.0)
    """
    edges = np.linspace(0, 1, bins + 1)
    confidence = np.asarray(confidence, np.float64)
    place = bin_numbers(confidence, bins)
    result = []
    for i in range(bins):
        inside = place == i
        cases = int(inside.sum())
        means = (float(v[inside].mean()) if cases else np.nan for v in (confidence, true))
        result.append(Bin(float(edges[i]), float(edges[i + 1]), cases, *means))
    return result


def bin_numbers(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """Return the number of the bin of each confidence, in the shape of the input."""
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)


def calibration_error(bins: list[Bin]) -> float:
    """Compute the expected calibration error from the bins of `binned`.

    It is the mean of |accuracy - confidence| over bins, weighted by their cases: 0 to 1, NaN
    without cases.
    """
    total = sum(b.cases for b in bins)
    if not total:
        return float("nan")
    return sum(b.cases / total * abs(b.accuracy - b.confidence) for b in bins if b.cases)
