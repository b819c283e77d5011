"""What several predictions of the same rows say, and how they differ.

Every difference is taken within each resample of the clusters: the rows that one system finds
hard the other mostly finds hard too, so a difference is known better than the figures it is
made of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from moodal.core.emotions import Task
from moodal.evaluation import metrics
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.intervals import intervals, percentiles
from moodal.evaluation.report.measures import LINES, Decisions, number, statistic
from moodal.evaluation.report.scores import Scored


class Said(NamedTuple):
    """Predictions, and what was decided of them (`moodal.evaluation.report.measures.decisions`)."""

    scored: Scored
    decided: Decisions

    def rows(self, which: Sequence[int] | np.ndarray) -> Said:
        """Only these rows, in this order."""
        which = np.asarray(which, np.int64)
        decided = {kind: made[which] for kind, made in self.decided.items()}
        return Said(self.scored.rows(which), decided)


def paired(
    said: Sequence[Said], keys: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> list[dict[str, Any]]:
    """For each of them the metrics ``keys`` and, but for the first, the differences from it.

    Means over emotions are told of metrics that judge each emotion by itself.

    Args:
        said: of the same rows, in the same order.

    Returns:
        For each ``{"metrics": {key: {value, low, high}}, "difference": {key: ...}}``.
    """
    first = said[0].scored
    of_key = {line.key: line for line in LINES[first.task]}
    lines = [of_key[key] for key in keys]
    one = {(i, x.key): statistic(x, *s) for i, s in enumerate(said) for x in lines}
    drawn = intervals(
        {f"{i} {key}": function for (i, key), function in one.items()},
        first.clusters,
        draws=draws,
        seed=seed,
    )
    rows = np.ones(len(first))
    out: list[dict[str, Any]] = []
    for i in range(len(said)):
        told: dict[str, Any] = {"metrics": {}}
        if i:
            told["difference"] = {}
        for line in lines:
            mean = METRICS[line.metric].per_emotion
            values, samples = (
                [_mean(v, mean) for v in of]
                for of in (
                    [one[k, line.key](rows) for k in (0, i)],
                    [drawn[f"{k} {line.key}"] for k in (0, i)] if draws else [],
                )
            )
            told["metrics"][line.key] = _entry(values[1], samples[1] if draws else None)
            if i:
                between = samples[1] - samples[0] if draws else None
                told["difference"][line.key] = _entry(values[1] - values[0], between)
        out.append(told)
    return out


def _mean(values: np.ndarray, per_emotion: bool) -> np.ndarray:
    return metrics.mean_defined(values) if per_emotion else values


def _entry(value: np.ndarray, drawn: np.ndarray | None) -> dict[str, Any]:
    if np.isnan(value):
        return {"value": None, "gap": "it is undefined for these rows"}
    low, high = (None, None) if drawn is None else percentiles(drawn)
    return {"value": number(value), "low": number(low), "high": number(high)}


def titles(keys: Sequence[str], task: Task) -> Mapping[str, str]:
    """Key of a metric -> its name in tables."""
    return {line.key: line.title for line in LINES[task] if line.key in keys}
