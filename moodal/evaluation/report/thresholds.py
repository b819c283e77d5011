"""From which probability on an emotion counts as decided: fixed, or chosen on validation."""

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
    """A threshold per emotion and where it came from.

    Attributes:
        values: [C], 0 to 1; an emotion is decided when its probability lies above.
        source: in words, for reports and artefacts.
        notes: what a reader must know, e.g. emotions that no threshold could be chosen for.
    """

    values: np.ndarray
    source: str
    notes: tuple[str, ...] = ()


def fixed(labels: Sequence[str], value: float = 0.5) -> Thresholds:
    """The same threshold for every emotion.

    Raises:
        UsageError: it is not between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise UsageError(f"A threshold is a probability from 0 to 1; got {value}.")
    return Thresholds(np.full(len(labels), float(value)), f"fixed at {value:g}")


def choose(valid: Scored, criterion: Criterion = "binary_f1", otherwise: float = 0.5) -> Thresholds:
    """For each emotion the threshold that is best on validation, half way between two scores.

    Of equally good ones the nearest to ``otherwise``, which is also what an emotion gets that
    validation has no positive row, or only positive rows, of.

    Raises:
        DataError: there is nothing to choose on, or the task has no thresholds.
        UsageError: no such criterion.
    """
    if valid.task == "regression" or not len(valid):
        raise DataError(f"{valid.subset}: thresholds need validation rows that have emotions.")
    if criterion not in ("binary_f1", "balanced_accuracy"):
        raise UsageError(f"No criterion {criterion!r}; there are binary_f1 and balanced_accuracy.")
    values = np.full(len(valid.labels), float(otherwise))
    left = []
    for column, label in enumerate(valid.labels):
        target = valid.targets[:, column] > 0
        values[column] = best_threshold(target, valid.each[:, column], criterion, otherwise)
        if target.all() or not target.any():
            left.append(label)
    notes: tuple[str, ...] = ()
    if left:
        which = "has" if len(left) == 1 else "have"
        notes = (
            f"{', '.join(left)} {which} no positive rows (or nothing else) in {valid.subset}: "
            f"the threshold stays at {otherwise:g}.",
        )
    return Thresholds(values, f"chosen for {criterion} on {valid.subset}", notes)


def best_threshold(
    target: np.ndarray, scores: np.ndarray, criterion: Criterion, otherwise: float = 0.5
) -> float:
    """The best threshold for targets [N] (bool) and scores [N], half way between two scores;
    ``otherwise`` where there is no positive row, or nothing else.

    >>> best_threshold(np.array([False, True, True]), np.array([0.1, 0.3, 0.8]), "binary_f1")
    0.2
    """
    if target.all() or not target.any():
        return otherwise
    levels, group = np.unique(np.asarray(scores, np.float64), return_inverse=True)
    positives = np.bincount(group, weights=target, minlength=len(levels))
    rows = np.bincount(group, minlength=len(levels))
    # candidate k decides the levels from k up; all of them, none of them, and all between
    tp = np.append(np.cumsum(positives[::-1])[::-1], 0)
    decided = np.append(np.cumsum(rows[::-1])[::-1], 0)
    p, n = target.sum(), (~target).sum()
    if criterion == "binary_f1":
        gain = 2 * tp / (decided + p)
    else:
        gain = (tp / p + (n - (decided - tp)) / n) / 2
    # decided means above: below all of them is 0, so a probability of exactly 0 never counts
    candidates = np.concatenate([[0.0], (levels[1:] + levels[:-1]) / 2, [levels[-1]]])
    if levels[0] <= 0:
        gain[0] = -1
    highest = np.flatnonzero(gain >= gain.max() - 1e-12)
    return float(candidates[highest[np.argmin(np.abs(candidates[highest] - otherwise))]])
