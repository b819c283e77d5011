"""Paired comparison of several predictions for the same rows.

Every difference is computed within each resample of the clusters. Rows that are difficult for one
system are mostly difficult for the other, so a difference has a narrower interval than the two
figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from moodal.core.emotions import Task
from moodal.evaluation import metrics
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.intervals import intervals
from moodal.evaluation.report.measures import (
    LINES,
    Decisions,
    Statistic,
    number,
    percentile_entry,
    statistic,
)
from moodal.evaluation.report.scores import Scored

T975 = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""The 97.5th percentile of Student's t with 1 to 20 degrees of freedom."""


class Decided(NamedTuple):
    """Predictions and their decisions (`moodal.evaluation.report.measures.decisions`)."""

    scored: Scored
    decided: Decisions

    def rows(self, which: Sequence[int] | np.ndarray) -> Decided:
        """Select rows, in this order."""
        which = np.asarray(which, np.int64)
        decided = {kind: cells[which] for kind, cells in self.decided.items()}
        return Decided(self.scored.rows(which), decided)


def paired(
    systems: Sequence[Sequence[Decided]],
    keys: Sequence[str],
    *,
    draws: int = 1000,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Compute metrics of several systems and their differences from the first system.

    Metrics per emotion are averaged over emotions, and those of a system that was trained with
    several seeds over the seeds.

    Args:
        systems: of each system the predictions by each seed, all of the same rows, in the same
            order.
        keys: of the metrics.
        draws: of the bootstrap; 0: no intervals.
        seed: of the bootstrap.

    Returns:
        For each system ``{"metrics": {key: {value, low, high}}, "difference": {key: ...}}``; the
        first has no difference. With several seeds each entry has ``seeds``, see `over_seeds`; of
        a difference where both systems have as many.
    """
    first = systems[0][0].scored
    of_key = {line.key: line for line in LINES[first.task]}
    lines = [of_key[key] for key in keys]
    each = {
        (i, x.key): [statistic(x, *one) for one in seeds]
        for i, seeds in enumerate(systems)
        for x in lines
    }
    one = {key: _averaged(functions) for key, functions in each.items()}
    drawn = intervals(
        {f"{i} {key}": function for (i, key), function in one.items()},
        first.clusters,
        draws=draws,
        seed=seed,
    )
    rows = np.ones(len(first))
    out: list[dict[str, Any]] = []
    for i in range(len(systems)):
        entry: dict[str, Any] = {"metrics": {}}
        if i:
            entry["difference"] = {}
        for line in lines:
            mean = METRICS[line.metric].per_emotion
            values, samples = (
                [_mean(v, mean) for v in of]
                for of in (
                    [one[k, line.key](rows) for k in (0, i)],
                    [drawn[f"{k} {line.key}"] for k in (0, i)] if drawn else [],
                )
            )
            by_seed = [
                np.array([float(_mean(of(rows), mean)) for of in each[k, line.key]]) for k in (0, i)
            ]
            entry["metrics"][line.key] = percentile_entry(values[1], samples[1] if drawn else None)
            entry["metrics"][line.key] |= over_seeds(by_seed[1])
            if i:
                between = samples[1] - samples[0] if drawn else None
                entry["difference"][line.key] = percentile_entry(values[1] - values[0], between)
                if len(by_seed[0]) == len(by_seed[1]):
                    entry["difference"][line.key] |= over_seeds(by_seed[1] - by_seed[0])
        out.append(entry)
    return out


def _averaged(statistics: Sequence[Statistic]) -> Statistic:
    """Return the mean of the statistics by several seeds."""
    if len(statistics) == 1:
        return statistics[0]
    return lambda weights: np.mean([of(weights) for of in statistics], axis=0)


def over_seeds(values: np.ndarray) -> dict[str, Any]:
    """Describe the spread over seeds: ``{"seeds": {values, deviation, low, high}}``.

    The interval (95%) is Student's of the mean over seeds: another training of the same recipe,
    on the same rows. There is nothing to describe for a single seed, or an undefined value.
    """
    if len(values) < 2 or not np.isfinite(values).all():
        return {}
    deviation = float(values.std(ddof=1))
    half = T975[min(len(values) - 1, len(T975)) - 1] * deviation / len(values) ** 0.5
    middle = float(values.mean())
    return {
        "seeds": {
            "values": [number(v) for v in values],
            "deviation": deviation,
            "low": middle - half,
            "high": middle + half,
        }
    }


def _mean(values: np.ndarray, per_emotion: bool) -> np.ndarray:
    """Average a metric per emotion over the emotions; return any other unchanged."""
    return metrics.mean_defined(values) if per_emotion else values


def titles(keys: Sequence[str], task: Task) -> Mapping[str, str]:
    """Return the name of each metric in tables."""
    return {line.key: line.title for line in LINES[task] if line.key in keys}
