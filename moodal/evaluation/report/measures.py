"""Every metric of one set of predictions, with interval, chance and baselines beside it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from moodal.core.emotions import Task
from moodal.evaluation import metrics
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.intervals import intervals, percentiles
from moodal.evaluation.report.scores import Scored


class Line(NamedTuple):
    """A row of a report: a metric, and whether every emotion was asked for by itself.

    Papers judge single-label corpora that way too: each emotion's sigmoid against a threshold,
    so that a row may have two emotions or none.
    """

    metric: str
    each: bool = False

    @property
    def key(self) -> str:
        """Its name in report.json."""
        return f"{self.metric}_each" if self.each else self.metric

    @property
    def title(self) -> str:
        """Its name in tables."""
        return METRICS[self.metric].title + (", each asked by itself" if self.each else "")


def _lines(names: str, each: str = "") -> tuple[Line, ...]:
    return (*map(Line, names.split()), *(Line(name, True) for name in each.split()))


LINES: Mapping[Task, tuple[Line, ...]] = {
    "multi": _lines(
        "auc average_precision weighted_accuracy binary_f1 weighted_f1 binary_accuracy precision "
        "recall macro_f1 support_weighted_f1 exact_match subset_match intersect_match"
    ),
    "single": _lines(
        "accuracy balanced_accuracy macro_f1 support_weighted_f1 auc average_precision recall "
        "precision binary_f1 weighted_accuracy",
        each="auc weighted_accuracy binary_accuracy weighted_f1 binary_f1",
    ),
    "regression": _lines(
        "ccc pearson mae rmse acc7 acc5 acc2 acc2_nonzero sign_f1 sign_f1_nonzero"
    ),
}
"""Task -> what its reports hold, in order; see `lines`."""

HEADLINES: Mapping[Task, tuple[str, ...]] = {
    "multi": ("auc", "weighted_accuracy", "binary_f1"),
    "single": ("balanced_accuracy", "accuracy", "auc"),
    "regression": ("ccc", "pearson", "mae"),
}
"""Task -> the keys that a summary opens with; see `headlines`."""

SENTIMENT = ("mae", "pearson", "acc2_nonzero")
"""The keys that a summary of sentiment alone opens with."""

NO_SENTIMENT = "it is for sentiment from -3 to 3"
"""Why other values have no steps and signs; not worth a line in a list of gaps."""

Decisions = Mapping[str, np.ndarray]
Beside = Mapping[str, Mapping[str, np.ndarray]]
"""Key of a line -> baseline -> its values [C], or one value."""


def lines(scored: Scored) -> list[Line]:
    """List the rows of a report: steps and signs only where a value is sentiment."""
    sentiment = bool(scored.sentiment.any())
    return [x for x in LINES[scored.task] if sentiment or not METRICS[x.metric].sentiment]


def headlines(scored: Scored) -> tuple[str, ...]:
    """Choose the keys that a summary opens with."""
    return SENTIMENT if scored.sentiment.all() else HEADLINES[scored.task]


def decisions(scored: Scored, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """What was decided, [N, C]: "each" by its threshold, and "rows" as the task decides them."""
    if scored.task == "regression":
        return {}
    each = metrics.decide(scored.each, thresholds)
    return {"each": each, "rows": metrics.top(scored.logits) if scored.task == "single" else each}


def measures(
    scored: Scored,
    decided: Decisions,
    beside: Beside,
    *,
    groups: Mapping[str, Sequence[int]],
    draws: int = 1000,
    seed: int = 0,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Key of a line -> its entry, JSON values only (docs/reports.md says what is in it).

    Args:
        decided: of `decisions`.
        beside: baselines.
        groups: name of a mean -> the columns it is taken over, e.g. {"mean": [0, 1, 2]}.
        draws: of the bootstrap; 0 for no intervals.
        only: the keys to tell (default: all of the task's).
    """
    shown = [line for line in lines(scored) if only is None or line.key in only]
    statistics = {line.key: statistic(line, scored, decided) for line in shown}
    drawn = intervals(statistics, scored.clusters, draws=draws, seed=seed)
    rows = np.ones(len(scored))
    out = {}
    for line in shown:
        about = METRICS[line.metric]
        level = about.chance_level((scored.targets > 0).mean(0))
        others = beside.get(line.key, {})
        if level is None:
            level = others.get("prior-random")
        full = _Values(statistics[line.key](rows), drawn.get(line.key), level, others)
        entry: dict[str, Any] = {
            "metric": line.metric,
            "title": line.title,
            "alias": about.alias,
            "lower_is_better": about.lower_is_better,
        }
        if about.per_emotion:
            seen = _predictions(line, scored, decided)
            reasons = about.why_undefined(scored.targets, seen)
            if about.sentiment:
                of_sentiment = zip(reasons, scored.sentiment, strict=True)
                reasons = [why if is_one else NO_SENTIMENT for why, is_one in of_sentiment]
            entry["emotions"] = {
                label: full.at(column).entry(reasons[column])
                for column, label in enumerate(scored.labels)
            }
            for name, columns in groups.items():
                entry[name] = full.mean(columns).entry("it is undefined for every emotion")
                entry[name]["over"] = int((~np.isnan(full.value[columns])).sum())
        else:
            entry["all"] = full.entry("it is undefined for every emotion")
        out[line.key] = entry
    return out


class _Values(NamedTuple):
    """A metric's value [C] or (), its draws [R, C] or [R], chance and baselines like the value."""

    value: np.ndarray
    drawn: np.ndarray | None
    chance: np.ndarray | None
    baselines: Mapping[str, np.ndarray]

    def _each(self, do: Callable[[np.ndarray], np.ndarray]) -> _Values:
        return _Values(
            do(self.value),
            None if self.drawn is None else do(self.drawn),
            None if self.chance is None else do(self.chance),
            {name: do(value) for name, value in self.baselines.items()},
        )

    def at(self, column: int) -> _Values:
        """Of one emotion."""
        return self._each(lambda values: values[..., column])

    def mean(self, columns: Sequence[int]) -> _Values:
        """Over emotions, those left out that the test set leaves undefined."""
        defined = [c for c in columns if not np.isnan(self.value[c])]
        return self._each(lambda values: metrics.mean_defined(values[..., defined]))

    def entry(self, reason: str | None) -> dict[str, Any]:
        """As JSON: an undefined value is null, and ``gap`` has the reason."""
        if np.isnan(self.value):
            return {"value": None, "gap": reason or "it is undefined here"}
        low, high = (None, None) if self.drawn is None else percentiles(self.drawn)
        entry = {
            "value": number(self.value),
            "low": number(low),
            "high": number(high),
            "chance": number(self.chance),
            "baselines": {name: number(value) for name, value in self.baselines.items()},
        }
        lost = 0 if self.drawn is None else int(np.isnan(self.drawn).sum())
        if lost:
            entry["undefined_draws"] = lost
        return entry


def overall(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a metric's entry, the one for all rows or the mean over emotions."""
    return entry["all"] if "all" in entry else entry["mean"]


def means(labels: Sequence[str], unseen: Sequence[str]) -> dict[str, list[int]]:
    """Name of a mean over emotions -> its columns."""
    new = [i for i, label in enumerate(labels) if label in unseen]
    old = [i for i, label in enumerate(labels) if label not in unseen]
    every = {"mean": [*range(len(labels))]}
    return every | ({"mean_seen": old, "mean_unseen": new} if new and old else {})


def number(value: np.ndarray | float | None) -> float | None:
    """As a JSON number; None for what is not finite."""
    return None if value is None or not np.isfinite(value) else float(value)


def _predictions(line: Line, scored: Scored, decided: Decisions) -> np.ndarray:
    needs = METRICS[line.metric].needs
    if needs == "decisions":
        return decided["each" if line.each else "rows"]
    return scored.logits if line.each or needs == "values" else scored.probabilities


def statistic(line: Line, scored: Scored, decided: Decisions) -> Callable[[np.ndarray], np.ndarray]:
    """Return the metric of this line as a function of row weights [N] or [R, N]."""
    metric, predictions = METRICS[line.metric], _predictions(line, scored, decided)

    def of(weights: np.ndarray) -> np.ndarray:
        values = metric.function(scored.targets, predictions, weights)
        return np.where(scored.sentiment, values, np.nan) if metric.sentiment else values

    return of
