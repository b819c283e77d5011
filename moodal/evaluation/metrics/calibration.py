"""Calibration: whether what is told with probability p is true in a share p of the cases.

Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning",
AAAI 2015; Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

BINS = 15
"""Bins of equal width, as Guo et al. take them."""


class Bin(NamedTuple):
    """Cases whose confidence lies above ``low`` and up to ``high``.

    ``confidence`` is their mean confidence, ``accuracy`` the share that is true; both NaN where
    there are none (``cases`` 0).
    """

    low: float
    high: float
    cases: int
    confidence: float
    accuracy: float


def reliability(probabilities: np.ndarray, targets: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The bins of a reliability diagram, of each row's most probable emotion.

    Args:
        probabilities: [N, C], 0 to 1; of equally probable ones the first counts.
        targets: [N, C] 0/1.

    >>> [b[2:] for b in reliability(np.array([[0.6, 0.4], [0.2, 0.8]]), np.eye(2), 2)][1]
    (2, 0.7, 1.0)
    """
    best = np.asarray(probabilities).argmax(1)
    rows = np.arange(len(best))
    return binned(np.asarray(probabilities)[rows, best], np.asarray(targets)[rows, best] > 0, bins)


def binned(confidence: np.ndarray, true: np.ndarray, bins: int = BINS) -> list[Bin]:
    """The same of any cases: confidence [n], 0 to 1, and whether each is true [n].

    A confidence of 0 is in the first bin.
    """
    edges = np.linspace(0, 1, bins + 1)
    confidence = np.asarray(confidence, np.float64)
    place = bin_numbers(confidence, bins)
    found = []
    for i in range(bins):
        inside = place == i
        cases = int(inside.sum())
        means = (float(v[inside].mean()) if cases else np.nan for v in (confidence, true))
        found.append(Bin(float(edges[i]), float(edges[i + 1]), cases, *means))
    return found


def bin_numbers(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The number of each confidence's bin, of any shape."""
    edges = np.linspace(0, 1, bins + 1)
    return np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)


def expected_calibration_error(
    probabilities: np.ndarray, targets: np.ndarray, bins: int = BINS
) -> float:
    """Mean |accuracy - confidence| of the most probable emotion over bins, weighed by their rows.

    0 to 1; NaN without rows. Probabilities and targets as in `reliability`.
    """
    return calibration_error(reliability(probabilities, targets, bins))


def calibration_error(found: list[Bin]) -> float:
    """The same of bins that were made already."""
    total = sum(b.cases for b in found)
    if not total:
        return float("nan")
    return sum(b.cases / total * abs(b.accuracy - b.confidence) for b in found if b.cases)
