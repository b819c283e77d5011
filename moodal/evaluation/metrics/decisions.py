"""Metrics of decisions: accuracy, recall, precision and F1 in the variants that papers use.

In the formulas of one emotion, TP, FP, FN and TN count its binary decisions; P = TP + FN are the
rows with the emotion, N = TN + FP the rows without it.
"""

from __future__ import annotations

import numpy as np

from moodal.evaluation.metrics.rows import Array, cells, mean_defined, pair, ratio, share


def decide(probabilities: Array, thresholds: Array | float = 0.5) -> Array:
    """Decide each emotion whose probability exceeds its threshold.

    Args:
        probabilities: [N, C], 0 to 1.
        thresholds: one, or [C].

    Returns:
        [N, C], 0 or 1.
    """
    return (np.asarray(probabilities) > thresholds).astype(np.float64)


def top(scores: Array) -> Array:
    """Decide the emotion with the highest score in each row, the first of equals: one-hot rows."""
    return np.eye(scores.shape[1])[np.argmax(scores, axis=1)]


def binary_accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute (TP + TN) / (P + N) for each emotion: "Acc" in EEA's results on IEMOCAP."""
    tp, fp, fn, tn = cells(targets, decisions, weights)
    return ratio(tp + tn, tp + fp + fn + tn)


def weighted_accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the mean of recall and specificity of each emotion, "W-Acc" (Tong et al. 2017).

    It is (TP * N/P + TN) / (2N).

    >>> weighted_accuracy(np.array([1, 0, 0, 0]), np.array([0, 0, 0, 0])).item()
    0.5
    """
    tp, fp, fn, tn = cells(targets, decisions, weights)
    return (ratio(tp, tp + fn) + ratio(tn, tn + fp)) / 2


def recall(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute TP / P for each emotion."""
    tp, _, fn, _ = cells(targets, decisions, weights)
    return ratio(tp, tp + fn)


def precision(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute TP / (TP + FP) for each emotion; 0 if rows have the emotion but none is decided."""
    tp, fp, fn, _ = cells(targets, decisions, weights)
    return np.where(tp + fn > 0, np.nan_to_num(ratio(tp, tp + fp)), np.nan)


def binary_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the F1 of each emotion, 2TP / (2TP + FP + FN)."""
    tp, fp, fn, _ = cells(targets, decisions, weights)
    return np.where(tp + fn > 0, _f1(tp, fp, fn), np.nan)


def weighted_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the mean F1 of presence and absence of each emotion, weighted by rows: EEA's "F1".

    It is (P * F1 of presence + N * F1 of absence) / (P + N). A rare emotion scores high if it is
    never predicted: about .70 where `binary_f1` is .25. Do not compare the two.
    """
    tp, fp, fn, tn = cells(targets, decisions, weights)
    positive, negative = _f1(tp, fp, fn), _f1(tn, fn, fp)
    return ratio((tp + fn) * positive + (tn + fp) * negative, tp + fp + fn + tn)


def accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the share of rows with the right class, "WA", from one-hot rows [N, C]."""
    return exact_match(targets, decisions, weights)


def balanced_accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the mean recall of the classes in the truth, "UA", from one-hot rows [N, C]."""
    return mean_defined(recall(targets, decisions, weights))


def macro_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Average `binary_f1` over the emotions in the truth; scikit-learn counts absent ones as 0."""
    return mean_defined(binary_f1(targets, decisions, weights))


def support_weighted_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Average `binary_f1` weighted by P, as scikit-learn does with ``average="weighted"``."""
    tp, fp, fn, _ = cells(targets, decisions, weights)
    return ratio(((tp + fn) * _f1(tp, fp, fn)).sum(-1), (tp + fn).sum(-1))


def exact_match(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the share of rows [N, C] whose emotions are all decided correctly."""
    t, d = pair(targets, decisions)
    return share((t == d).all(1), weights)


def subset_match(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the share of rows that are exact or have only true decisions, at least one."""
    t, d = pair(targets, decisions)
    return share((t == d).all(1) | ((d <= t).all(1) & d.any(1)), weights)


def intersect_match(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Compute the share of rows that are exact or have at least one true decision."""
    t, d = pair(targets, decisions)
    return share((t == d).all(1) | (t * d).any(1), weights)


def intersect_match_published(
    targets: Array, decisions: Array, weights: Array | None = None
) -> Array:
    """Compute `intersect_match` as EEA's code does: a true decision precedes all false positives.

    It depends on the order of the columns and exists only for comparison with published figures.
    """
    t, d = pair(targets, decisions)
    hits = (t * d > 0) & (np.cumsum(d * (1 - t), axis=1) == 0)
    return share((t == d).all(1) | hits.any(1), weights)


def _f1(tp: Array, fp: Array, fn: Array) -> Array:
    """Compute 2TP / (2TP + FP + FN); 0 if there are neither true nor decided cases."""
    return np.nan_to_num(ratio(2 * tp, 2 * tp + fp + fn))
