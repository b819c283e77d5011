"""Every metric of one set of predictions, with its interval, chance level and baselines."""

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
    """A row of a report: a metric, and whether each emotion is decided separately.

    Papers also evaluate single-label corpora that way: the sigmoid of each emotion is compared
    with a threshold, so that a row may have two emotions or none.
    """

    metric: str
    each: bool = False

    @property
    def key(self) -> str:
        """The key of the row in report.json."""
        return f"{self.metric}_each" if self.each else self.metric

    @property
    def title(self) -> str:
        """The name of the row in tables."""
        return METRICS[self.metric].title + (", each emotion separately" if self.each else "")


def _lines(names: str, each: str = "") -> tuple[Line, ...]:
    """Build lines from names of metrics; those of ``each`` decide each emotion separately."""
    return (*map(Line, names.split()), *(Line(name, True) for name in each.split()))


LINES: Mapping[Task, tuple[Line, ...]] = {
    "multi": _lines(
        "auc average_precision weighted_accuracy binary_f1 weighted_f1 binary_accuracy precision "
        "recall macro_f1 support_weighted_f1 exact_match subset_match intersect_match"
    ),
    "single": _lines(
        "accuracy balanced_accuracy macro_f1 support_weighted_f1 auc average_precision recall "
        "precision binary_f1 weighted_accuracy jsd cross_entropy mode_accuracy top2_accuracy",
        each="auc weighted_accuracy binary_accuracy weighted_f1 binary_f1",
    ),
    "regression": _lines(
        "ccc pearson mae rmse acc7 acc5 acc2 acc2_nonzero sign_f1 sign_f1_nonzero"
    ),
}
"""Task -> the rows of its reports, in order; see `lines`."""

HEADLINES: Mapping[Task, tuple[str, ...]] = {
    "multi": ("auc", "weighted_accuracy", "binary_f1"),
    "single": ("balanced_accuracy", "accuracy", "auc"),
    "regression": ("ccc", "pearson", "mae"),
}
"""Task -> the keys of its headline metrics; see `headlines`."""

SHARES = ("jsd", "cross_entropy", "mode_accuracy", "top2_accuracy")
"""The keys of further headline metrics where the shares of raters are known."""

SENTIMENT = ("mae", "pearson", "acc2_nonzero")
"""The keys of the headline metrics if all values are sentiment."""

NO_SENTIMENT = "it is for sentiment from -3 to 3"
"""The reason why other values have no steps and signs; lists of gaps leave it out."""

NO_EVIDENCE = "no modality of these rows has evidence of it"
"""The reason why nothing is ranked by the scores of an emotion that no modality learned."""

Decisions = Mapping[str, np.ndarray]
BaselineValues = Mapping[str, Mapping[str, np.ndarray]]
"""Key of a line -> baseline -> its values [C], or one value."""


def lines(scored: Scored) -> list[Line]:
    """List the rows of a report; steps and signs appear only if a value is sentiment.

    The metrics against the shares of raters appear only where these are known.
    """
    sentiment, rated = bool(scored.sentiment.any()), scored.rated is not None
    return [
        x
        for x in LINES[scored.task]
        if (sentiment or not METRICS[x.metric].sentiment)
        and (rated or METRICS[x.metric].needs != "shares")
    ]


def headlines(scored: Scored) -> tuple[str, ...]:
    """Return the keys of the headline metrics."""
    if scored.rated is not None:
        return (*HEADLINES[scored.task], *SHARES)
    return SENTIMENT if scored.sentiment.all() else HEADLINES[scored.task]


def decisions(scored: Scored, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """Decide the emotions, "each" by its threshold and "rows" as the task does: [N, C], 0 or 1."""
    if scored.task == "regression":
        return {}
    each = metrics.decide(scored.each, thresholds)
    return {"each": each, "rows": metrics.top(scored.logits) if scored.task == "single" else each}


def measures(
    scored: Scored,
    decided: Decisions,
    baselines: BaselineValues,
    *,
    groups: Mapping[str, Sequence[int]],
    draws: int = 1000,
    seed: int = 0,
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Compute the entries of a report's metrics as JSON values (see docs/reports.md).

    Args:
        scored: the predictions.
        decided: of `decisions`.
        baselines: the baselines' values of each metric.
        groups: name of a mean -> its columns, e.g. {"mean": [0, 1, 2]}.
        draws: of the bootstrap; 0: no intervals.
        seed: of the bootstrap.
        only: the keys to compute (default: all of the task).

    Returns:
        Key of a line -> entry.
    """
    shown = [line for line in lines(scored) if only is None or line.key in only]
    statistics = {line.key: statistic(line, scored, decided) for line in shown}
    drawn = intervals(statistics, scored.clusters, draws=draws, seed=seed)
    rows = np.ones(len(scored))
    prevalence = (scored.targets[scored.clear] > 0).sum(0) / max(scored.clear.sum(), 1)
    out = {}
    for line in shown:
        about = METRICS[line.metric]
        level = about.chance_level(prevalence)
        others = baselines.get(line.key, {})
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
            predicted = _predictions(line, scored, decided)
            reasons = about.why_undefined(scored.targets, predicted)
            if about.needs == "scores":
                evident = zip(reasons, scored.evident, strict=True)
                reasons = [why if has_evidence else NO_EVIDENCE for why, has_evidence in evident]
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
    """A metric's value [C] or (), its samples [R, C] or [R], its chance level and baselines."""

    value: np.ndarray
    drawn: np.ndarray | None
    chance: np.ndarray | None
    baselines: Mapping[str, np.ndarray]

    def _map(self, function: Callable[[np.ndarray], np.ndarray]) -> _Values:
        """Apply a function over the columns to all parts."""
        return _Values(
            function(self.value),
            None if self.drawn is None else function(self.drawn),
            None if self.chance is None else function(self.chance),
            {name: function(value) for name, value in self.baselines.items()},
        )

    def at(self, column: int) -> _Values:
        """Select one emotion."""
        return self._map(lambda values: values[..., column])

    def mean(self, columns: Sequence[int]) -> _Values:
        """Average over emotions, without those that are undefined on the test set."""
        defined = [c for c in columns if not np.isnan(self.value[c])]
        return self._map(lambda values: metrics.mean_defined(values[..., defined]))

    def entry(self, reason: str | None) -> dict[str, Any]:
        """Return JSON values; an undefined value is null, and ``gap`` gives the reason."""
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
        undefined = 0 if self.drawn is None else int(np.isnan(self.drawn).sum())
        if undefined:
            entry["undefined_draws"] = undefined
        return entry


def overall(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a metric's entry for all rows, or that of the mean over emotions."""
    return entry["all"] if "all" in entry else entry["mean"]


def means(labels: Sequence[str], unseen: Sequence[str]) -> dict[str, list[int]]:
    """Return the columns of each mean over emotions: all, and those seen and unseen in training."""
    without = [i for i, label in enumerate(labels) if label in unseen]
    trained = [i for i, label in enumerate(labels) if label not in unseen]
    averages = {"mean": [*range(len(labels))]}
    if without and trained:
        averages |= {"mean_seen": trained, "mean_unseen": without}
    return averages


Statistic = Callable[[np.ndarray], np.ndarray]
"""A metric as a function of row weights."""


def percentile_entry(value: np.ndarray, drawn: np.ndarray | None) -> dict[str, Any]:
    """Return value and interval as JSON values, or the gap."""
    if np.isnan(value):
        return {"value": None, "gap": "it is undefined for these rows"}
    low, high = (None, None) if drawn is None else percentiles(drawn)
    return {"value": number(value), "low": number(low), "high": number(high)}


def number(value: np.ndarray | float | None) -> float | None:
    """Return a JSON number; None if the value is not finite."""
    return None if value is None or not np.isfinite(value) else float(value)


def _predictions(line: Line, scored: Scored, decided: Decisions) -> np.ndarray:
    """Return the decisions, scores or values that the metric of a line needs: [N, C]."""
    needs = METRICS[line.metric].needs
    if needs == "decisions":
        return decided["each" if line.each else "rows"]
    if needs == "shares":
        return scored.probabilities
    return scored.logits if line.each or needs == "values" else scored.probabilities


def statistic(line: Line, scored: Scored, decided: Decisions) -> Statistic:
    """Return the metric of this line as a function of row weights [N] or [R, N]."""
    metric, predictions = METRICS[line.metric], _predictions(line, scored, decided)

    rated = scored.rated

    def of(weights: np.ndarray) -> np.ndarray:
        if rated is not None and metric.needs == "shares":
            return metric.function(rated.shares, predictions, weights)
        if rated is not None:  # rows without a single true emotion count for nothing here
            weights = weights * rated.clear
        values = metric.function(scored.targets, predictions, weights)
        if metric.per_emotion and metric.needs == "scores":
            values = np.where(scored.evident, values, np.nan)
        return np.where(scored.sentiment, values, np.nan) if metric.sentiment else values

    return of
