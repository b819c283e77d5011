"""Calibration of values: whether rows with a prediction of 0.4 have a mean truth of 0.4.

The line of calibration is the least-squares line of the truth over the predictions (Cox, "Two
further applications of a model for binary regression", Biometrika 1958; for numbers: Mincer and
Zarnowitz, "The evaluation of economic forecasts", 1969). A calibrated model has the slope 1: below
it predictions spread too far, above it not far enough.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.metrics.values import calibration_slope
from moodal.evaluation.report.cells import cell
from moodal.evaluation.report.drawing import BLUE, GREY, RED, drawing, folded, legend_below
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.report.measures import number
from moodal.evaluation.report.scores import Scored

BINS = 10
"""Number of groups of similar predictions, of equal size."""

_FEWEST = 5
"""Rows of a group, at least."""


def value_calibration(
    scored: Scored, *, draws: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any]] | None:
    """Compute the calibration of each value; None for emotions.

    Returns:
        Value -> JSON values: ``slope`` of the line of calibration and ``error``, the mean distance
        between prediction and truth of the groups in ``bins``, in the value's unit, each with
        ``value``, ``low`` and ``high``; each bin has ``rows``, mean ``prediction`` and mean
        ``truth``.
    """
    if scored.task != "regression":
        return None
    return {
        name: _of_value(scored, column, draws, seed) for column, name in enumerate(scored.labels)
    }


def _of_value(scored: Scored, column: int, draws: int, seed: int) -> dict[str, Any]:
    truth, predicted = scored.targets[:, column], scored.logits[:, column]
    groups = _groups(predicted)
    off = np.zeros((len(truth), len(groups)))
    for place, rows in enumerate(groups):
        off[rows, place] = truth[rows] - predicted[rows]

    def slope(weights: np.ndarray) -> np.ndarray:
        return calibration_slope(truth, predicted, weights)

    def error(weights: np.ndarray) -> np.ndarray:
        total = np.maximum(weights.sum(-1), 1e-12)
        return np.asarray(np.abs(weights @ off).sum(-1) / total)

    return {
        "slope": _entry(slope, scored.clusters, draws, seed),
        "error": _entry(error, scored.clusters, draws, seed),
        "bins": [
            {
                "rows": len(rows),
                "prediction": number(predicted[rows].mean()),
                "truth": number(truth[rows].mean()),
            }
            for rows in groups
        ],
    }


def _groups(predicted: np.ndarray) -> list[np.ndarray]:
    """Divide the rows into groups of similar predictions, of equal size."""
    order = np.argsort(predicted, kind="stable")
    count = min(BINS, max(1, len(order) // _FEWEST))
    return [rows for rows in np.array_split(order, count) if len(rows)]


def _entry(
    statistic: Callable[[np.ndarray], np.ndarray],
    clusters: Sequence[str],
    draws: int,
    seed: int,
) -> dict[str, float | None]:
    """Compute a statistic of row weights and its interval, as JSON values."""
    value = statistic(np.ones((1, len(clusters))))[0]
    low = high = None
    if draws:
        low, high = interval(statistic, clusters, draws=draws, seed=seed)
    return {
        "value": number(value),
        "low": None if low is None else number(float(low)),
        "high": None if high is None else number(float(high)),
    }


def value_calibration_lines(report: Mapping[str, Any]) -> list[str]:
    """Describe the calibration of each value in one sentence, where the report has it."""
    return [
        f"Calibration of {name}: slope {cell(entry['slope'])} of the truth over the prediction (1 "
        f"if calibrated), mean error {cell(entry['error'])} of {len(entry['bins'])} groups."
        for name, entry in report.get("value_calibration", {}).items()
    ]


def value_calibration_figure(report: Mapping[str, Any], path: Path | str) -> Path:
    """Draw the mean truth over the mean prediction of rows with similar predictions.

    Raises:
        DataError: the report is about emotions, see `reliability_diagram`.
    """
    values = report.get("value_calibration")
    if not values:
        raise DataError("The report has no calibration of values: it is about emotions.")
    ranges = {value["name"]: (value["low"], value["high"]) for value in report["values"]}
    rows, columns = -(-len(values) // 3), min(3, len(values))
    with drawing(path, 3.4 * columns + 0.4, 3.7 * rows, columns, rows) as (figure, axes):
        flat = np.atleast_1d(axes).ravel()
        for axis, (name, entry) in zip(flat, values.items(), strict=False):
            low, high = ranges[name]
            points = [(bin_["prediction"], bin_["truth"]) for bin_ in entry["bins"]]
            predicted, truth = zip(*points, strict=True)
            axis.plot([low, high], [low, high], color=GREY, lw=1, ls=":", label="calibrated")
            label = "mean truth of rows of similar prediction"
            axis.plot(predicted, truth, "o-", ms=4, color=RED, mfc=BLUE, mec=BLUE, label=label)
            ends = [*predicted, *truth]
            room = 0.05 * (high - low)
            span = (max(low, min(ends) - room), min(high, max(ends) + room))
            title = f"{name} ({low:g} to {high:g})\nslope {cell(entry['slope'])}"
            axis.set(xlim=span, ylim=span, xlabel="prediction", title=title)
            axis.set_aspect("equal")
        for axis in flat[len(values) :]:
            axis.set_visible(False)
        flat[0].set_ylabel("truth")
        stamps = folded(report["protocol"]["stamps"], 60)
        figure.suptitle("\n".join([f"{report['subset']}: {report['rows']:,} rows", *stamps]))
        legend_below(figure, flat[0])
    return Path(path)
