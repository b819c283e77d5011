"""What all metrics do with rows: check them, weigh them, count them."""

from __future__ import annotations

import numpy as np

from moodal.core.errors import DataError

Array = np.ndarray


def pair(targets: Array, predictions: Array) -> tuple[Array, Array]:
    """Truth and prediction as float64, both [N] or both [N, C].

    Raises:
        DataError: they differ in shape, have no rows, or hold NaN or infinity.
    """
    t, p = np.asarray(targets, np.float64), np.asarray(predictions, np.float64)
    if t.shape != p.shape or t.ndim not in (1, 2) or not len(t):
        raise DataError(
            f"A metric needs targets and predictions of one shape, [N] or [N, C], with rows; "
            f"got {t.shape} and {p.shape}."
        )
    if not (np.isfinite(t).all() and np.isfinite(p).all()):
        which = "predictions" if np.isfinite(t).all() else "targets"
        raise DataError(f"The {which} hold NaN or infinity; a metric needs finite numbers.")
    return t, p


def cells(
    targets: Array, decisions: Array, weights: Array | None
) -> tuple[Array, Array, Array, Array]:
    """Weighted TP, FP, FN, TN of each column."""
    t, d = pair(targets, decisions)
    w = np.ones(len(t)) if weights is None else np.asarray(weights, np.float64)
    # four sums, not differences: a cell that is empty must come out as exactly 0
    return w @ (t * d), w @ ((1 - t) * d), w @ (t * (1 - d)), w @ ((1 - t) * (1 - d))


def share(values: Array, weights: Array | None) -> Array:
    """Weighted mean over the rows of values [N] or [N, C]."""
    w = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    total = w.sum(-1)
    return ratio(w @ values.astype(np.float64), total[..., None] if values.ndim == 2 else total)


def ratio(above: Array, below: Array) -> Array:
    """above / below, NaN where there is nothing below."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def mean_defined(values: Array) -> Array:
    """Mean over the last axis of what is defined there, NaN where nothing is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(-1), defined.sum(-1))
