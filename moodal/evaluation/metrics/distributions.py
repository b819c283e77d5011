"""Metrics against the shares of raters: both rows of a pair are distributions over C emotions.

Lin, "Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory
1991. Shares [N, C] are what the raters chose; predictions [N, C] are probabilities. Each row sums
to 1. Accuracies count a prediction as right if it is any of the emotions with the most votes, so
that rows with ties count, too.
"""

from __future__ import annotations

import numpy as np

from moodal.core.votes import modes
from moodal.evaluation.metrics.rows import Array, pair, share

LEAST = 1e-12
"""The least probability whose logarithm is taken."""


def jsd(shares: Array, probabilities: Array, weights: Array | None = None) -> Array:
    """Compute the mean Jensen-Shannon divergence in bits: 0 where rows are equal, 1 at most.

    With m = (p + q) / 2 it is (KL(p, m) + KL(q, m)) / 2, the square of SciPy's distance.

    >>> jsd(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])).item()
    1.0
    """
    p, q = pair(shares, probabilities)
    middle = (p + q) / 2
    return share((_divergence(p, middle) + _divergence(q, middle)) / 2, weights)


def cross_entropy(shares: Array, probabilities: Array, weights: Array | None = None) -> Array:
    """Compute the mean of -sum_c p_c ln q_c in nats, p being the shares; its floor is p's entropy.

    Probabilities below 1e-12 are taken as 1e-12.
    """
    p, q = pair(shares, probabilities)
    return share(-(p * np.log(np.maximum(q, LEAST))).sum(-1), weights)


def mode_accuracy(shares: Array, probabilities: Array, weights: Array | None = None) -> Array:
    """Compute how often the most probable emotion is one of those with the most votes."""
    p, q = pair(shares, probabilities)
    return share(np.take_along_axis(modes(p), q.argmax(1)[:, None], 1)[:, 0], weights)


def top2_accuracy(shares: Array, probabilities: Array, weights: Array | None = None) -> Array:
    """Compute how often one of the two most probable emotions is one with the most votes."""
    p, q = pair(shares, probabilities)
    best = np.argsort(-q, axis=1, kind="stable")[:, :2]
    return share(np.take_along_axis(modes(p), best, 1).max(1), weights)


def _divergence(p: Array, q: Array) -> Array:
    """Compute the Kullback-Leibler divergence of each row in bits; 0 log 0 is 0."""
    return np.where(p > 0, p * np.log2(np.maximum(p, LEAST) / np.maximum(q, LEAST)), 0.0).sum(-1)
