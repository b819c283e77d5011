"""Metrics of decisions: what was said to be there against what is.

In the formulas of one emotion: TP, FP, FN, TN are the cells of its binary decision, P = TP + FN
the rows with the emotion, N = TN + FP those without.
"""

from __future__ import annotations

import numpy as np

from moodal.evaluation.metrics.rows import Array, cells, mean_defined, pair, ratio, share


def decide(probabilities: Array, thresholds: Array | float = 0.5) -> Array:
    """0/1 decisions [N, C]: is the probability above the threshold (one, or [C])?"""
    return (np.asarray(probabilities) > thresholds).astype(np.float64)


def top(scores: Array) -> Array:
    """One-hot decisions [N, C]: the highest score of each row, the first of equals."""
    return np.eye(scores.shape[1])[np.argmax(scores, axis=1)]


def binary_accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """(TP + TN) / (P + N) of each emotion by itself: the "Acc" of EEA on IEMOCAP."""
    tp, fp, fn, tn = cells(targets, decisions, weights)
    return ratio(tp + tn, tp + fp + fn + tn)


def weighted_accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """(TP * N/P + TN) / (2N), "W-Acc" (Tong et al. 2017): the mean of recall and specificity.

    >>> weighted_accuracy(np.array([1, 0, 0, 0]), np.array([0, 0, 0, 0])).item()
    0.5
    """
    tp, fp, fn, tn = cells(targets, decisions, weights)
    return (ratio(tp, tp + fn) + ratio(tn, tn + fp)) / 2


def recall(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """TP / P."""
    tp, _, fn, _ = cells(targets, decisions, weights)
    return ratio(tp, tp + fn)


def precision(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """TP / (TP + FP); 0 where the emotion is there but was never decided on."""
    tp, fp, fn, _ = cells(targets, decisions, weights)
    return np.where(tp + fn > 0, np.nan_to_num(ratio(tp, tp + fp)), np.nan)


def binary_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """2TP / (2TP + FP + FN): F1 of having the emotion."""
    tp, fp, fn, _ = cells(targets, decisions, weights)
    return np.where(tp + fn > 0, _f1(tp, fp, fn), np.nan)


def weighted_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """(P * F1 of having it + N * F1 of not having it) / (P + N), the "F1" of EEA.

    The two classes of one binary decision are weighted by their rows, so that a rare emotion
    scores high by being denied: about .70 where `binary_f1` is .25. Never compare the two.
    """
    tp, fp, fn, tn = cells(targets, decisions, weights)
    positive, negative = _f1(tp, fp, fn), _f1(tn, fn, fp)
    return ratio((tp + fn) * positive + (tn + fp) * negative, tp + fp + fn + tn)


def accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Share of rows whose one class is right, "WA"; rows one-hot [N, C]."""
    return exact_match(targets, decisions, weights)


def balanced_accuracy(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Mean recall of the classes in the truth, "UA"; rows one-hot [N, C]."""
    return mean_defined(recall(targets, decisions, weights))


def macro_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Mean of `binary_f1` over the emotions in the truth (scikit-learn counts absent ones as 0)."""
    return mean_defined(binary_f1(targets, decisions, weights))


def support_weighted_f1(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Sum of P * `binary_f1` over emotions / sum of P, scikit-learn's ``average="weighted"``."""
    tp, fp, fn, _ = cells(targets, decisions, weights)
    return ratio(((tp + fn) * _f1(tp, fp, fn)).sum(-1), (tp + fn).sum(-1))


def exact_match(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Share of rows [N, C] whose emotions are decided without any error."""
    t, d = pair(targets, decisions)
    return share((t == d).all(1), weights)


def subset_match(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Share of rows that are exact, or whose decided emotions (one at least) are all true."""
    t, d = pair(targets, decisions)
    return share((t == d).all(1) | ((d <= t).all(1) & d.any(1)), weights)


def intersect_match(targets: Array, decisions: Array, weights: Array | None = None) -> Array:
    """Share of rows that are exact, or have one decided emotion at least that is true."""
    t, d = pair(targets, decisions)
    return share((t == d).all(1) | (t * d).any(1), weights)


def intersect_match_published(
    targets: Array, decisions: Array, weights: Array | None = None
) -> Array:
    """`intersect_match` as EEA's code has it: the true one stands left of all false alarms.

    It changes with the order of the columns; kept only to compare with published figures.
    """
    t, d = pair(targets, decisions)
    hits = (t * d > 0) & (np.cumsum(d * (1 - t), axis=1) == 0)
    return share((t == d).all(1) | hits.any(1), weights)


def _f1(tp: Array, fp: Array, fn: Array) -> Array:
    """2TP / (2TP + FP + FN), 0 where nothing is there and nothing was decided."""
    return np.nan_to_num(ratio(2 * tp, 2 * tp + fp + fn))
