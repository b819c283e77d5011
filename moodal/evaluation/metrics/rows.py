"""Helpers of all metrics: they check, weight and count rows."""

from __future__ import annotations

import numpy as np

from moodal.core.errors import DataError

Array = np.ndarray


def pair(targets: Array, predictions: Array) -> tuple[Array, Array]:
    """Return targets and predictions as float64, both [N] or both [N, C].

    Raises:
        DataError: their shapes differ, there are no rows, or a number is NaN or infinite.
    """
    t, p = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    if t.shape != p.shape or t.ndim not in (1, 2) or not len(t):
        raise DataError(
            f"Targets and predictions of a metric must have one shape, [N] or [N, C], with at "
            f"least one row; got {t.shape} and {p.shape}."
        )
    if not (np.isfinite(t).all() and np.isfinite(p).all()):
        which = "predictions" if np.isfinite(t).all() else "targets"
        raise DataError(f"The {which} contain NaN or infinity; a metric needs finite numbers.")
    return t, p


def cells(
    targets: Array, decisions: Array, weights: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Count TP, FP, FN and TN of each column, weighted."""
    t, d = pair(targets, decisions)
    w = np.ones(len(t)) if weights is None else np.asarray(weights, np.float64)
    # four sums, not differences: an empty cell must be exactly 0
    return w @ (t * d), w @ ((1 - t) * d), w @ (t * (1 - d)), w @ ((1 - t) * (1 - d))


def share(values: Array, weights: Array | None) -> Array:
    """Compute the weighted mean over rows of values [N] or [N, C]."""
    w = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    total = w.sum(-1)
    return ratio(w @ values.astype(np.float64), total[..., None] if values.ndim == 2 else total)


def ratio(numerator: Array, denominator: Array) -> Array:
    """Divide two arrays; NaN where the denominator is not positive."""
    above, below = np.broadcast_arrays(numerator, denominator)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def mean_defined(values: Array) -> Array:
    """Average the defined values over the last axis; NaN where none is defined."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))
