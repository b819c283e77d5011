"""Rows told apart by what the corpus knows of them: scripted and improvised turns, sessions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from moodal.evaluation.report.baselines import distribution
from moodal.evaluation.report.measures import Beside, Decisions, headlines, means, measures
from moodal.evaluation.report.scores import Scored


def by_group(
    test: Scored,
    decided: Decisions,
    unseen: Sequence[str],
    beside: Callable[[str, str, Scored], Beside],
    *,
    draws: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Column of ``test.groups`` -> value -> its rows, their emotions and the headline metrics.

    Intervals are made as those of the whole: clusters are resampled, of those that the group
    has. Rows without a value are the group "".

    Args:
        beside: column, value and the group's rows -> its baselines.
    """
    averages = means(test.labels, unseen)
    keys = headlines(test)
    out: dict[str, dict[str, Any]] = {}
    for column, values in test.groups.items():
        out[column] = {}
        for value, rows in group_rows(values).items():
            part = test.rows(rows)
            said = {kind: made[rows] for kind, made in decided.items()}
            told = measures(
                part,
                said,
                beside(column, value, part),
                groups=averages,
                draws=draws,
                seed=seed,
                only=keys,
            )
            out[column][value] = {
                **distribution(part.targets, part.task, part.labels),
                "clusters": len(set(part.clusters)),
                "metrics": {key: told[key] for key in keys},
            }
    return out


def group_rows(values: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Value -> its rows; in the order of the alphabet, the rows without one last."""
    column = np.asarray(values, dtype=str)
    names = sorted({str(x) for x in values}, key=lambda x: (not x, x))
    return {name: np.flatnonzero(column == name) for name in names}
