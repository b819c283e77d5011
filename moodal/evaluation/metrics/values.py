"""Metrics of numeric values such as valence, and of sentiment from -3 to 3."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from moodal.evaluation.metrics.decisions import binary_accuracy, weighted_f1
from moodal.evaluation.metrics.rows import Array, pair, share


def mae(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute the mean of |prediction - truth|."""
    t, v = pair(targets, values)
    return share(np.abs(t - v), weights)


def rmse(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute the root of the mean of (prediction - truth) squared."""
    t, v = pair(targets, values)
    return np.sqrt(share((t - v) ** 2, weights))


def acc7(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute the share of predictions that round to the same integer as the truth, -3 to 3.

    Both are clipped to -3 .. 3 first; halves round to the even integer.
    """
    t, v = pair(targets, values)
    return share(np.round(np.clip(t, -3, 3)) == np.round(np.clip(v, -3, 3)), weights)


def acc5(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute `acc7` after truth and prediction are clipped to -2 .. 2."""
    t, v = pair(targets, values)
    return share(np.round(np.clip(t, -2, 2)) == np.round(np.clip(v, -2, 2)), weights)


def acc2(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute the share of predictions with the truth's sign; zero counts as not positive."""
    t, v = pair(targets, values)
    return binary_accuracy(t > 0, v > 0, weights)


def acc2_nonzero(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute `acc2` over the rows whose truth is not 0."""
    return _nonzero(binary_accuracy, targets, values, weights)


def sign_f1(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute `weighted_f1` of being positive; EEA's code swaps truth and prediction here."""
    t, v = pair(targets, values)
    return weighted_f1(t > 0, v > 0, weights)


def sign_f1_nonzero(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute `sign_f1` over the rows whose truth is not 0."""
    return _nonzero(weighted_f1, targets, values, weights)


def pearson(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute Pearson's correlation, "Corr"; undefined if truth or prediction is constant."""
    var_t, var_v, covariance, _ = _moments(targets, values, weights)
    varies = (var_t > 1e-12) & (var_v > 1e-12)
    spread = np.sqrt(np.where(varies, var_t * var_v, np.nan))
    return covariance / spread


def ccc(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute the concordance correlation; it is undefined if the truth is constant.

    Lin, "A concordance correlation coefficient to evaluate reproducibility", Biometrics 1989:
    2 s_tv / (s_t^2 + s_v^2 + (mean_t - mean_v)^2), with variances over N rows, not N - 1. It is 1
    only where every prediction equals the truth, and 0 for a constant prediction.

    >>> truth = np.array([1.0, 2.0, 3.0])
    >>> ccc(truth, truth).item(), ccc(truth, 2 * truth).item(), ccc(truth, truth * 0).item()
    (1.0, 0.36363636363636365, 0.0)
    """
    var_t, var_v, covariance, difference = _moments(targets, values, weights)
    total = np.where(var_t > 1e-12, var_t + var_v + difference**2, np.nan)
    return 2 * covariance / total


def calibration_slope(targets: Array, values: Array, weights: Array | None = None) -> Array:
    """Compute the slope s_tv / s_v^2 of truth over prediction; undefined for constant predictions.

    It is 1 where predictions are as far apart as the truth that they announce.

    >>> truth = np.array([1.0, 2.0, 3.0])
    >>> calibration_slope(truth, 2 * truth).item(), calibration_slope(truth, truth - 5).item()
    (0.5, 1.0)
    """
    _, var_v, covariance, _ = _moments(targets, values, weights)
    return covariance / np.where(var_v > 1e-12, var_v, np.nan)


def _moments(targets: Array, values: Array, weights: Array | None) -> tuple[Array, ...]:
    """Compute the variances of truth and prediction, their covariance, and the means' difference.

    The variances are never negative, and stay precise for numbers far from 0.
    """
    t, v = pair(targets, values)
    difference = v.mean(0) - t.mean(0)
    t, v = t - t.mean(0), v - v.mean(0)  # the squares below then lose no digits
    mean_t, mean_v = share(t, weights), share(v, weights)
    var_t = np.maximum(share(t * t, weights) - mean_t**2, 0)
    var_v = np.maximum(share(v * v, weights) - mean_v**2, 0)
    covariance = share(t * v, weights) - mean_t * mean_v
    return var_t, var_v, covariance, difference + mean_v - mean_t


def _nonzero(
    metric: Callable[[Array, Array, Array | None], Array],
    targets: Array,
    values: Array,
    weights: Array | None,
) -> Array:
    """Compute ``metric`` of being positive over the rows whose truth is not 0, for each column."""
    t, v = pair(targets, values)
    w = np.ones(len(t)) if weights is None else np.asarray(weights, np.float64)
    if t.ndim == 1:
        return metric(t > 0, v > 0, w * (t != 0))
    return np.stack([_nonzero(metric, t[:, c], v[:, c], w) for c in range(t.shape[1])], -1)
