"""Label shift: groups of rows whose emotions are not equally frequent, in one training.

One corpus calls a tenth of its texts angry and another one a third, and languages differ
likewise. A system that is trained on all of them would learn to tell the corpus in order to guess
its shares. So the logits of a row are moved, in training alone, by the difference between the log
odds of each emotion in its group and in all rows (logit adjustment: Menon et al., "Long-Tail
Learning via Logit Adjustment", ICLR 2021), and the system learns what is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

STRENGTH = 20.0
"""The number of rows with the shares of the whole that each group is given besides its own."""


def label_shift(labels: np.ndarray, train: np.ndarray, groups: Sequence[object]) -> np.ndarray:
    """Compute how far the logits of each row are moved in training: [N, C] float32.

    Args:
        labels: [N, C] 0/1, NaN where a row says nothing of an emotion.
        train: the rows from which shares are counted.
        groups: the group of each of the N rows; one without training rows is not moved.

    Returns:
        The log odds of each emotion in the row's group, less those in all training rows; 0 where
        a group says nothing of an emotion.
    """
    present = labels > 0
    known = ~np.isnan(labels)
    whole = _share(present[train].sum(0), known[train].sum(0), 0.5, 1.0)
    names = np.array([str(group) for group in groups])
    shift = np.zeros(labels.shape, np.float32)
    for name in np.unique(names[train]):
        own = train[names[train] == name]
        count = known[own].sum(0)
        share = _share(present[own].sum(0), count, STRENGTH * whole, STRENGTH)
        moved = np.where(count > 0, _log_odds(share) - _log_odds(whole), 0.0)
        shift[names == name] = moved
    return shift


def _share(
    positives: np.ndarray, count: np.ndarray, more: np.ndarray | float, rows: float
) -> np.ndarray:
    return np.asarray((positives + more) / (count + rows))


def _log_odds(share: np.ndarray) -> np.ndarray:
    share = np.clip(share, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(share / (1 - share)))
