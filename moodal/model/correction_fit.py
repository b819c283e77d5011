"""Correction fit: choose scales and offsets by cross-validation over recordings.

Each kind of parameters (`moodal.model.corrected.KINDS`) is fitted with each width of `WIDTHS`, and
the one with the least loss on held-out recordings is chosen. Since a choice by held-out loss makes
that loss look too good, the loss that is reported comes from an outer cross-validation, within
whose training part each choice is made anew. The parameters are kept only where that loss is lower
than without them, by more than its standard error over recordings.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from moodal.model.corrected import KINDS, Corrected, Kind, fit, log_probabilities

WIDTHS = (0.5, 1.0, 2.0)
"""Standard deviations of offsets beforehand, in nats; scales have half of it."""
FOLDS = 10
"""The most folds of the outer cross-validation; the inner one has half as many."""


@dataclass(frozen=True)
class Labelled:
    """N utterances with their right emotions.

    Attributes:
        likelihood: [N, K] log likelihoods with mean 0.
        labels: [N] columns of the right emotions.
        recordings: [N] numbers of the recordings.
        prior: [K] log probabilities.
    """

    likelihood: np.ndarray
    labels: np.ndarray
    recordings: np.ndarray
    prior: np.ndarray

    def __getitem__(self, rows: np.ndarray) -> Labelled:
        """Select rows."""
        own = (self.likelihood[rows], self.labels[rows], self.recordings[rows])
        return Labelled(*own, self.prior)

    def losses(self, corrected: Corrected) -> np.ndarray:
        """Return the negative log probability [N] of each label, in nats."""
        logs = log_probabilities(corrected, self.likelihood, self.prior)
        return np.asarray(-logs[np.arange(len(self.labels)), self.labels])

    def fit(self, kind: Kind, width: float) -> Corrected:
        """Fit parameters to all rows."""
        return fit(kind, self.likelihood, self.labels, self.prior, width)


@dataclass(frozen=True)
class Fitted:
    """The parameters that were chosen, and their worth.

    Attributes:
        corrected: the parameters.
        kind, width: as they were fitted; "none" where nothing helped.
        before, after: the mean loss of held-out rows, in nats; where nothing was kept, ``after``
            is that of what was tried.
    """

    corrected: Corrected
    kind: Kind
    width: float
    before: float
    after: float


def cross_validated(rows: Labelled, seed: int = 0) -> Fitted:
    """Choose and fit parameters, and keep them only where they help on held-out recordings.

    Args:
        rows: of two recordings or more.
        seed: of the division of recordings into folds.
    """
    none = Corrected.none(rows.likelihood.shape[1])
    before, after = rows.losses(none), np.zeros(len(rows.labels))
    for inside, outside in _folds(rows.recordings, FOLDS, seed):
        kind, width = _chosen(rows[inside], seed)
        after[outside] = rows[outside].losses(rows[inside].fit(kind, width))
    kind, width = _chosen(rows, seed)
    helps = _exceeds_its_error(before - after, rows.recordings)
    kept: Kind = kind if helps else "none"
    return Fitted(
        corrected=rows.fit(kept, width),
        kind=kept,
        width=width,
        before=float(before.mean()),
        after=float(after.mean()),
    )


def _chosen(rows: Labelled, seed: int) -> tuple[Kind, float]:
    """Choose the kind and width with the least held-out loss."""
    losses: dict[tuple[Kind, float], float] = {}
    folds = list(_folds(rows.recordings, FOLDS // 2, seed))
    for kind in KINDS:
        for width in WIDTHS if kind != "none" else WIDTHS[:1]:
            losses[kind, width] = sum(
                float(rows[outside].losses(rows[inside].fit(kind, width)).sum())
                for inside, outside in folds
            )
    return min(losses, key=lambda choice: losses[choice]) if folds else ("none", WIDTHS[0])


def _folds(
    recordings: np.ndarray, count: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the rows inside and outside of each fold; all rows of a recording are on one side."""
    names = np.unique(recordings)
    if len(names) < 2:
        return
    order = np.random.default_rng(seed).permutation(names)
    for part in np.array_split(order, min(count, len(names))):
        outside = np.isin(recordings, part)
        yield np.flatnonzero(~outside), np.flatnonzero(outside)


def _exceeds_its_error(gains: np.ndarray, recordings: Sequence[int] | np.ndarray) -> bool:
    """Return whether the mean of gains [N] exceeds its standard error over recordings."""
    centred = gains - gains.mean()
    sums = np.array([centred[recordings == name].sum() for name in np.unique(recordings)])
    count = len(sums)
    error = np.sqrt(count / max(count - 1, 1) * (sums**2).sum()) / len(gains)
    return bool(gains.mean() > error)
