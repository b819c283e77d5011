"""Clusters: group vectors by agglomeration with average linkage, in bounded memory."""

from __future__ import annotations

import numpy as np

BLOCK = 400
"""Vectors that are compared with each other; more are grouped block by block."""


def grouped(vectors: np.ndarray, distance: float, most: int | None = None) -> np.ndarray:
    """Group vectors [n, D] by the angles between them.

    More than `BLOCK` vectors are grouped in blocks, and then the means of the groups.

    Args:
        vectors: [n, D].
        distance: the mean cosine distance above which groups are not merged.
        most: groups beyond this number are merged, whatever their distance.

    Returns:
        The group of each vector, [n] from 0, numbered by first appearance.
    """
    if len(vectors) <= BLOCK:
        return numbered(_agglomerated(vectors, distance, most))
    means: list[np.ndarray] = []
    labels = np.zeros(len(vectors), int)
    for first in range(0, len(vectors), BLOCK):
        part = vectors[first : first + BLOCK]
        own = numbered(_agglomerated(part, distance, BLOCK // 4))
        labels[first : first + BLOCK] = len(means) + own
        means += [part[own == k].mean(0) for k in range(own.max() + 1)]
    return numbered(grouped(np.stack(means), distance, most)[labels])


def numbered(labels: np.ndarray) -> np.ndarray:
    """Number labels from 0 by their first appearance.

    >>> numbered(np.array([7, 7, 2, 7, 5])).tolist()
    [0, 0, 1, 0, 2]
    """
    known: dict[int, int] = {}
    return np.array([known.setdefault(int(label), len(known)) for label in labels], int)


def _agglomerated(vectors: np.ndarray, distance: float, most: int | None) -> np.ndarray:
    """Merge the two nearest groups, again and again (Lance and Williams, 1967)."""
    count = len(vectors)
    labels = np.arange(count)
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    gaps = np.asarray(1 - unit @ unit.T, np.float64)
    np.fill_diagonal(gaps, np.inf)
    sizes = np.ones(count)
    groups = count
    while groups > 1:
        one, other = divmod(int(gaps.argmin()), count)
        if gaps[one, other] > distance and (most is None or groups <= most):
            break
        weights = sizes[[one, other]] / (sizes[one] + sizes[other])
        merged = weights[0] * gaps[one] + weights[1] * gaps[other]
        gaps[one] = gaps[:, one] = merged
        gaps[one, one] = np.inf
        gaps[other] = gaps[:, other] = np.inf
        sizes[one] += sizes[other]
        labels[labels == other] = one
        groups -= 1
    return labels
