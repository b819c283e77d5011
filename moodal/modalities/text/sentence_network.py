"""What the networks that read sentences share: batches of equal length, embeddings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

TOGETHER = 8
"""Texts of equal length in one batch of a network."""


def in_equal_lengths(
    pieces: Mapping[int, Sequence[int]], network: Callable[[np.ndarray], np.ndarray]
) -> dict[int, np.ndarray]:
    """Run a network on texts in batches of equal length, so that no text is padded.

    Args:
        pieces: row -> the numbers of its pieces.
        network: pieces [B, T] int64 -> states [B, T, H].

    Returns:
        Row -> its states [T, H].
    """
    rows_by_length: dict[int, list[int]] = defaultdict(list)
    for row, ids in pieces.items():
        rows_by_length[len(ids)].append(row)
    states: dict[int, np.ndarray] = {}
    for rows in rows_by_length.values():
        for i in range(0, len(rows), TOGETHER):
            batch = rows[i : i + TOGETHER]
            values = network(np.array([pieces[row] for row in batch], np.int64))
            states |= dict(zip(batch, values, strict=True))
    return states


def embedding_of(states: np.ndarray) -> np.ndarray:
    """Return the mean of states [T, H], scaled to length 1: [1, H] float32."""
    mean = states.mean(axis=0, keepdims=True)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)
