"""Rank metrics: they depend only on the order of the scores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moodal.evaluation.metrics.rows import Array, pair, ratio


def auc(targets: Array, scores: Array, weights: Array | None = None) -> Array:
    """Compute the area under the ROC curve of each emotion; a tie counts one half.

    It is the probability that a row with the emotion has a higher score than a row without it.

    >>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.1, 0.0, 0.5])).item()
    0.875
    """

    def wins(positive: Array, rows: Array) -> Array:
        """Sum the pairs in which the positive row has the higher score."""
        negative = rows - positive
        return (positive * (np.cumsum(negative, axis=0) - negative / 2)).sum(0)

    p, n = _totals(targets, weights)
    return ratio(_by_rank(wins, targets, scores, weights), p * n)


def average_precision(targets: Array, scores: Array, weights: Array | None = None) -> Array:
    """Compute the average precision of each emotion, without interpolation.

    It is the sum over thresholds of (increase of recall) x (precision at the threshold).
    """

    def gains(positive: Array, rows: Array) -> Array:
        """Sum the precision at each level, weighted by its positive rows."""
        hits, taken = (np.cumsum(x[::-1], axis=0)[::-1] for x in (positive, rows))
        return (positive * np.nan_to_num(ratio(hits, taken))).sum(0)

    p, _ = _totals(targets, weights)
    return ratio(_by_rank(gains, targets, scores, weights), p)


def _totals(targets: Array, weights: Array | None) -> tuple[Array, Array]:
    """Return the total weight of the rows with each emotion and of the rows without it."""
    t = np.asarray(targets, np.float64)
    w = np.ones(len(t)) if weights is None else np.asarray(weights, np.float64)
    return w @ t, w @ (1 - t)


def _by_rank(
    area: Callable[[Array, Array], Array], targets: Array, scores: Array, weights: Array | None
) -> Array:
    """Apply ``area`` to each column, with its levels of score in ascending order.

    ``area`` takes the weight of the positive rows and of all rows at each level, both [K, R], and
    returns [R]. Neighbouring scores without a positive row between them form one level: they are
    equivalent for both metrics, and rare emotions then have few levels.
    """
    t, s = pair(targets, scores)
    n = len(t)
    w = np.ones(n) if weights is None else np.asarray(weights, np.float64)
    by_row = np.ascontiguousarray(np.atleast_2d(w).T)
    columns = []
    for target, score in zip(t.reshape(n, -1).T, s.reshape(n, -1).T, strict=True):
        order = np.argsort(score, kind="stable")
        ordered, hit = score[order], target[order] > 0
        ties = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        with_hit = np.add.reduceat(hit, ties) > 0
        # a level starts at each tie that holds a positive row, and at the one after it
        starts = ties[with_hit | np.append(True, with_hit[:-1])]
        rows = np.add.reduceat(by_row[order], starts, axis=0)
        positive = np.zeros_like(rows)
        level = np.searchsorted(starts, np.flatnonzero(hit), side="right") - 1
        held, first = np.unique(level, return_index=True)
        if len(held):
            positive[held] = np.add.reduceat(by_row[order[hit]], first, axis=0)
        columns.append(area(positive, rows))
    return np.stack(columns, -1).reshape(w.shape[:-1] + t.shape[1:])
