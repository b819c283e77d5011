"""Merging: join the speakers that VBx holds apart though one person explains them as well."""

from __future__ import annotations

import numpy as np

COUNTS = 0.25
"""How much a vector counts, as its neighbours overlap with it; chosen on development actors. A
lower value merges more."""

FEWEST = 12.0
"""Vectors, of 0.4 s each, below which a speaker is joined with the most similar one."""


def merged(
    vectors: np.ndarray,
    shares: np.ndarray,
    between: np.ndarray,
    speakers: int | None = None,
    fewest: float = FEWEST,
) -> np.ndarray:
    """Merge speakers, the most similar ones first.

    Args:
        vectors: [T, D] in the space of speakers.
        shares: [T, S] the probability that a vector is of a speaker.
        between: [D] the variance between speakers.
        speakers: how many remain, if there are more; None: found by the ratio of likelihoods
            of one person and of two.
        fewest: vectors that a speaker has at least, where the number is found.

    Returns:
        The shares [T, S'] of those that remain.
    """
    shares = shares.copy()
    while shares.shape[1] > max(1, speakers or 1):
        counts = COUNTS * shares.sum(0)
        ratios = same_speaker(COUNTS * (shares.T @ vectors), counts, between)
        smallest = int(counts.argmin())
        if speakers is None and ratios.max() <= 0:
            if counts[smallest] >= COUNTS * fewest:
                break
            kept, gone = smallest, int(ratios[smallest].argmax())
        else:
            kept, gone = divmod(int(ratios.argmax()), len(ratios))
        shares[:, kept] += shares[:, gone]
        shares = np.delete(shares, gone, axis=1)
    return shares


def same_speaker(sums: np.ndarray, counts: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Compute the log-likelihood ratios [S, S] of one person and of two, by PLDA.

    Args:
        sums: [S, D] of the vectors of each group.
        counts: [S] the vectors in each.
        between: [D] the variance between speakers.
    """
    alone = _evidence(sums, counts, between)
    together = _evidence(sums[:, None] + sums, counts[:, None] + counts, between)
    ratios = together - alone[:, None] - alone
    np.fill_diagonal(ratios, -np.inf)
    return np.asarray(ratios)


def _evidence(sums: np.ndarray, counts: np.ndarray, between: np.ndarray) -> np.ndarray:
    """Compute how much better an unknown speaker explains groups than the mean speaker does."""
    variance = 1 + counts[..., None] * between
    return np.asarray((sums**2 * between / variance - np.log(variance)).sum(-1) / 2)
