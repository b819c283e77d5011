"""Trivial baselines: the figures of predictions that ignore the input.

They know the label distribution of training and nothing about the test rows. ``majority`` (single)
always predicts the most frequent emotion; ``all-negative`` and ``all-positive`` (multi) predict no
emotion or all of them; ``prior-random`` predicts each emotion at random with its frequency in
training; ``train-mean`` and ``train-median`` (regression) always predict that value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from moodal.core.emotions import Task
from moodal.core.errors import DataError
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.report.measures import number, overall

_DRAWS = 50  # of prior-random; their mean varies far less than the test set does


def prior(train_targets: np.ndarray) -> np.ndarray:
    """Return the share of training rows [N, C] with each emotion: [C], 0 where unknown (NaN)."""
    known = np.nan_to_num(np.asarray(train_targets, np.float64))
    return (known > 0).mean(0)


def distribution(targets: np.ndarray, task: Task, labels: Sequence[str]) -> dict[str, Any]:
    """Count the rows and those of each emotion, or average each value, as JSON values."""
    if task == "regression":
        with np.errstate(invalid="ignore"):
            kind, values = "means", [number(v) for v in np.nanmean(targets, 0)]
    else:
        kind, values = "counts", [round(v * len(targets)) for v in prior(targets)]
    return {"rows": len(targets), kind: dict(zip(labels, values, strict=True))}


def baselines(
    name: str, task: Task, targets: np.ndarray, train_targets: np.ndarray, seed: int = 0
) -> Mapping[str, np.ndarray]:
    """Compute metric ``name`` for each baseline on the test targets.

    Args:
        name: of the metric.
        task: of the targets.
        targets: [N, C].
        train_targets: [M, C], the same columns; 0 or NaN throughout for an unseen emotion.
        seed: of the random baseline.

    Returns:
        Baseline -> [C], or one value for a metric of all rows.

    Raises:
        DataError: the training targets have no rows or another number of columns.

    >>> baselines("binary_accuracy", "multi", np.array([[1], [0]]), np.array([[1], [1]]))[
    ...     "all-negative"].tolist()
    [0.5]
    """
    return pooled_baselines(name, task, [(targets, train_targets)], seed)


def pooled_baselines(
    name: str, task: Task, folds: Sequence[tuple[np.ndarray, np.ndarray]], seed: int = 0
) -> Mapping[str, np.ndarray]:
    """Compute metric ``name`` for each baseline on the pooled test targets of several folds.

    Each row is predicted from the training of its own fold, as a system's rows are. A baseline
    ranks no rows, so for metrics of scores its scores are equal over all folds.

    Args:
        name: of the metric.
        task: of the targets.
        folds: of each fold the test targets [N, C] and the training targets [M, C].
        seed: of the random baseline.

    Returns:
        As `baselines`.

    Raises:
        DataError: the training targets have no rows or another number of columns.
    """
    targets = np.concatenate([tested for tested, _ in folds])
    for _, trained in folds:
        if trained.ndim != 2 or trained.shape[1] != targets.shape[1] or not len(trained):
            raise DataError(
                f"Baselines need training targets [M, {targets.shape[1]}] with rows; "
                f"got {list(trained.shape)}."
            )
    constants = [_constant(task, tested.shape, trained) for tested, trained in folds]
    figures = {}
    for baseline in constants[0]:
        values = np.concatenate([constant[baseline] for constant in constants])
        scores = np.zeros(targets.shape) if METRICS[name].needs == "scores" else values
        figures[baseline] = METRICS[name].measure(targets, scores=scores, decisions=values)
    figures["prior-random"] = _random(name, task, folds, seed)
    return figures


def mean_baselines(
    reports: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """Average the baselines of several folds, weighted by rows; undefined ones are left out.

    Args:
        reports: of the folds, each with "rows" and "metrics".
        labels: of the columns.

    Returns:
        Key of a metric -> baseline -> [C], or one value.
    """

    def mean(entries: Sequence[Mapping[str, Any]], name: str) -> float:
        """Average one baseline over the folds that define it."""
        pairs = [
            (e["baselines"][name], r["rows"])
            for e, r in zip(entries, reports, strict=True)
            if e.get("baselines", {}).get(name) is not None
        ]
        return sum(v * n for v, n in pairs) / sum(n for _, n in pairs) if pairs else np.nan

    out: dict[str, dict[str, np.ndarray]] = {}
    for key, first in reports[0]["metrics"].items() if reports else ():
        entries = [r["metrics"][key] for r in reports]
        names = list(dict.fromkeys(n for e in entries for n in overall(e).get("baselines", {})))
        if "all" in first:
            rows = [e["all"] for e in entries]
            out[key] = {name: np.array(mean(rows, name)) for name in names}
        else:
            by_label = [[e["emotions"][label] for e in entries] for label in labels]
            out[key] = {n: np.array([mean(rows, n) for rows in by_label]) for n in names}
    return out


def _constant(
    task: Task, shape: tuple[int, ...], train_targets: np.ndarray
) -> dict[str, np.ndarray]:
    """Return the constant predictions [N, C] of each baseline."""
    if task == "regression":
        rows = {
            "train-mean": np.nanmean(train_targets, 0),
            "train-median": np.nanmedian(train_targets, 0),
        }
    elif task == "single":
        rows = {"majority": np.eye(shape[1])[np.argmax(prior(train_targets))]}
    else:
        rows = {"all-negative": np.zeros(shape[1]), "all-positive": np.ones(shape[1])}
    return {baseline: np.broadcast_to(row, shape) for baseline, row in rows.items()}


def _random(
    name: str, task: Task, folds: Sequence[tuple[np.ndarray, np.ndarray]], seed: int
) -> np.ndarray:
    """Average metric ``name`` over draws from the training distributions; exact for scores."""
    targets = np.concatenate([tested for tested, _ in folds])
    if METRICS[name].needs == "scores":
        exact = METRICS[name].chance_level((targets > 0).mean(0))
        if exact is not None:
            constant = METRICS[name].measure(targets, scores=np.zeros(targets.shape))
            return np.where(np.isnan(constant), np.nan, exact)
    # a separate random stream, independent of targets that were drawn with the same seed
    rng = np.random.default_rng([seed, 20200929])
    total = np.zeros(())
    for _ in range(_DRAWS):
        drawn = np.concatenate([_drawn(task, len(t), trained, rng) for t, trained in folds])
        total = total + METRICS[name].measure(targets, scores=drawn, decisions=drawn)
    return np.asarray(total / _DRAWS)


def _drawn(task: Task, rows: int, trained: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw predictions [rows, C] from the distribution of training targets [M, C]."""
    rate = prior(trained)
    count = trained.shape[1]
    if task == "multi":
        return (rng.random((rows, count)) < rate).astype(np.float64)
    if task == "single" and rate.sum():
        return np.eye(count)[rng.choice(count, size=rows, p=rate / rate.sum())]
    return np.nan_to_num(trained)[rng.integers(len(trained), size=rows)]
