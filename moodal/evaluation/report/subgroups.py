"""Metrics by group of rows: scripted and improvised turns, sessions, speakers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from moodal.evaluation.report.baselines import distribution
from moodal.evaluation.report.measures import BaselineValues, Decisions, headlines, means, measures
from moodal.evaluation.report.scores import Scored


def by_group(
    test: Scored,
    decided: Decisions,
    unseen: Sequence[str],
    baselines: Callable[[str, str, Scored], BaselineValues],
    *,
    draws: int,
    seed: int,
) -> dict[str, dict[str, Any]]:
    """Compute the headline metrics of each group of rows.

    Intervals resample the clusters of the group. Rows without a value form the group "".

    Args:
        test: the predictions; ``test.groups`` defines the groups.
        decided: of `moodal.evaluation.report.measures.decisions`.
        unseen: labels without training rows.
        baselines: (column, value, rows of the group) -> baselines of the group.
        draws, seed: of the bootstrap.

    Returns:
        Column -> value -> rows, counts of labels, clusters and metrics, as JSON values.
    """
    averages = means(test.labels, unseen)
    keys = headlines(test)
    out: dict[str, dict[str, Any]] = {}
    for column, values in test.groups.items():
        out[column] = {}
        for value, rows in group_rows(values).items():
            part = test.rows(rows)
            part_decided = {kind: cells[rows] for kind, cells in decided.items()}
            entries = measures(
                part,
                part_decided,
                baselines(column, value, part),
                groups=averages,
                draws=draws,
                seed=seed,
                only=keys,
            )
            out[column][value] = {
                **distribution(part.targets, part.task, part.labels),
                "clusters": len(set(part.clusters)),
                "metrics": {key: entries[key] for key in keys},
            }
    return out


def group_rows(values: Sequence[str]) -> Mapping[str, np.ndarray]:
    """Return the rows of each value in alphabetical order; rows without a value come last."""
    column = np.asarray(values, dtype=str)
    names = sorted({str(x) for x in values}, key=lambda x: (not x, x))
    return {name: np.flatnonzero(column == name) for name in names}
