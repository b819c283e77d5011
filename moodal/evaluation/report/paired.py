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
from moodal.evaluation.report.intervals import intervals, percentiles
from moodal.evaluation.report.measures import LINES, Decisions, number, statistic
from moodal.evaluation.report.scores import Scored


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
    systems: Sequence[Decided], keys: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> list[dict[str, Any]]:
    """Compute metrics of several systems and their differences from the first system.

    Metrics per emotion are averaged over emotions.

    Args:
        systems: predictions of the same rows, in the same order.
        keys: of the metrics.
        draws: of the bootstrap; 0: no intervals.
        seed: of the bootstrap.

    Returns:
        For each system ``{"metrics": {key: {value, low, high}}, "difference": {key: ...}}``; the
        first has no difference.
    """
    first = systems[0].scored
    of_key = {line.key: line for line in LINES[first.task]}
    lines = [of_key[key] for key in keys]
    one = {(i, x.key): statistic(x, *s) for i, s in enumerate(systems) for x in lines}
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
            entry["metrics"][line.key] = _entry(values[1], samples[1] if drawn else None)
            if i:
                between = samples[1] - samples[0] if drawn else None
                entry["difference"][line.key] = _entry(values[1] - values[0], between)
        out.append(entry)
    return out


def _mean(values: np.ndarray, per_emotion: bool) -> np.ndarray:
    """Average a metric per emotion over the emotions; return any other unchanged."""
    return metrics.mean_defined(values) if per_emotion else values


def _entry(value: np.ndarray, drawn: np.ndarray | None) -> dict[str, Any]:
    """Return value and interval as JSON values, or the gap."""
    if np.isnan(value):
        return {"value": None, "gap": "it is undefined for these rows"}
    low, high = (None, None) if drawn is None else percentiles(drawn)
    return {"value": number(value), "low": number(low), "high": number(high)}


def titles(keys: Sequence[str], task: Task) -> Mapping[str, str]:
    """Return the name of each metric in tables."""
    return {line.key: line.title for line in LINES[task] if line.key in keys}
