"""Decision thresholds of emotions: fixed, or chosen on validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.evaluation.report.scores import Scored

Criterion = Literal["binary_f1", "balanced_accuracy"]


@dataclass(frozen=True, eq=False)
class Thresholds:
    """A threshold per emotion, and how it was chosen.

    Attributes:
        values: [C], 0 to 1; an emotion is decided if its probability is higher.
        source: how they were chosen, in words for reports and artefacts.
        notes: what a reader must know, e.g. emotions whose threshold could not be chosen.
    """

    values: np.ndarray
    source: str
    notes: tuple[str, ...] = ()


def fixed(labels: Sequence[str], value: float = 0.5) -> Thresholds:
    """Use one threshold for every emotion.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise UsageError(f"A threshold is a probability from 0 to 1; got {value}.")
    return Thresholds(np.full(len(labels), float(value)), f"fixed at {value:g}")


def choose(valid: Scored, criterion: Criterion = "binary_f1", otherwise: float = 0.5) -> Thresholds:
    """Choose the best threshold of each emotion on validation, half way between two scores.

    Of equally good thresholds the nearest to ``otherwise`` is chosen. An emotion without positive
    validation rows, or with no others, gets ``otherwise``.

    Args:
        valid: predictions of the validation rows.
        criterion: the metric to maximise.
        otherwise: the default threshold, 0 to 1.

    Raises:
        DataError: there are no validation rows, or the task has no thresholds.
        UsageError: the criterion is unknown.
    """
    if valid.task == "regression" or not len(valid):
        raise DataError(f"{valid.subset}: thresholds need validation rows that have emotions.")
    if criterion not in ("binary_f1", "balanced_accuracy"):
        raise UsageError(f"No criterion {criterion!r}; choose binary_f1 or balanced_accuracy.")
    values = np.full(len(valid.labels), float(otherwise))
    defaulted = []
    for column, label in enumerate(valid.labels):
        target = valid.targets[:, column] > 0
        values[column] = best_threshold(target, valid.each[:, column], criterion, otherwise)
        if target.all() or not target.any():
            defaulted.append(label)
    notes: tuple[str, ...] = ()
    if defaulted:
        which = "has" if len(defaulted) == 1 else "have"
        notes = (
            f"{', '.join(defaulted)} {which} only positive or only negative rows in "
            f"{valid.subset}: "
            f"the threshold stays at {otherwise:g}.",
        )
    return Thresholds(values, f"chosen for {criterion} on {valid.subset}", notes)


def best_threshold(
    target: np.ndarray, scores: np.ndarray, criterion: Criterion, otherwise: float = 0.5
) -> float:
    """Choose the best threshold of one emotion, half way between two scores.

    Args:
        target: [N] bool.
        scores: [N], 0 to 1.
        criterion: the metric to maximise.
        otherwise: returned if all rows are positive or all are negative.

    >>> best_threshold(np.array([False, True, True]), np.array([0.1, 0.3, 0.8]), "binary_f1")
    0.2
    """
    if target.all() or not target.any():
        return otherwise
    levels, group = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    positives = np.bincount(group, weights=target, minlength=len(levels))
    rows = np.bincount(group, minlength=len(levels))
    # candidate k decides the levels from k up: from all levels to none
    tp = np.append(np.cumsum(positives[::-1])[::-1], 0)
    decided = np.append(np.cumsum(rows[::-1])[::-1], 0)
    p, n = target.sum(), (~target).sum()
    if criterion == "binary_f1":
        gain = 2 * tp / (decided + p)
    else:
        gain = (tp / p + (n - (decided - tp)) / n) / 2
    # decided means strictly higher than the threshold, so a probability of exactly 0 never counts
    candidates = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [levels[-1]]])
    if levels[0] <= 0:
        gain[0] = -1
    highest = np.flatnonzero(gain >= gain.max() - 1e-12)
    return float(candidates[highest[np.argmin(np.abs(candidates[highest] - otherwise))]])
