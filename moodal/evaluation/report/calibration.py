"""Calibration of probabilities: expected calibration error, reliability diagram, abstention."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.metrics.calibration import BINS, bin_numbers, binned, calibration_error
from moodal.evaluation.report.cells import cell
from moodal.evaluation.report.drawing import BLUE, GREY, RED, drawing, folded, legend_below
from moodal.evaluation.report.intervals import interval
from moodal.evaluation.report.measures import number
from moodal.evaluation.report.scores import Scored


def calibration(scored: Scored, *, draws: int = 1000, seed: int = 0) -> dict[str, Any] | None:
    """Compute the calibration error with its interval and its bins; None for regression.

    With one emotion per row, the cases are the most probable emotions (Guo et al. 2017); with any
    number of emotions per row, every emotion of every row.

    Returns:
        JSON values: ``of`` (what the cases are), ``ece``, ``low``, ``high`` and ``bins``, a list
        of ``low``, ``high``, ``cases``, ``confidence``, ``accuracy`` (the last two are null for
        an empty bin).
    """
    if scored.task == "regression":
        return None
    confidence, true = _cases(scored)
    bins = binned(confidence.ravel(), true.ravel())
    low = high = None
    if draws:
        low, high = interval(_error(confidence, true), scored.clusters, draws=draws, seed=seed)
    single = scored.task == "single"
    return {
        "of": "the most probable emotion" if single else "each emotion of each row",
        "ece": number(calibration_error(bins)),
        "low": None if low is None else number(float(low)),
        "high": None if high is None else number(float(high)),
        "bins": [
            {**b._asdict(), "confidence": number(b.confidence), "accuracy": number(b.accuracy)}
            for b in bins
        ],
    }


def _cases(scored: Scored) -> tuple[np.ndarray, np.ndarray]:
    """Return confidence and truth of the cases of each row: [N, 1] or [N, C]."""
    true = (scored.targets > 0).astype(np.float64)
    if scored.task == "multi":
        return scored.probabilities, true
    best = scored.probabilities.argmax(1)[:, None]
    return np.take_along_axis(scored.probabilities, best, 1), np.take_along_axis(true, best, 1)


def _error(confidence: np.ndarray, true: np.ndarray) -> Any:
    """Return the calibration error as a function of row weights, [R, N] -> [R]."""
    place = bin_numbers(confidence)
    off = np.zeros((len(confidence), BINS))
    for column in range(confidence.shape[1]):
        off[np.arange(len(off)), place[:, column]] += true[:, column] - confidence[:, column]

    def of(weights: np.ndarray) -> np.ndarray:
        total = np.maximum(weights.sum(-1), 1e-12) * confidence.shape[1]
        return np.asarray(np.abs(weights @ off).sum(-1) / total)

    return of


def abstention(
    scored: Scored, decided: np.ndarray, right: np.ndarray, *, draws: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """Compute how many rows are decided under abstention, and the accuracy on them.

    Args:
        scored: the predictions, for their clusters.
        decided: [N] bool: the model does not abstain.
        right: [N] bool: the most probable emotion is the true one.
        draws, seed: of the bootstrap.

    Returns:
        JSON values: ``rows`` (number decided), ``share`` (decided), ``accuracy`` (on the decided
        rows) and ``accuracy_all`` (on all rows), each of the latter ``value``, ``low``, ``high``.
    """
    shares: dict[str, Any] = {}
    for name, of, among in (
        ("share", decided, np.ones(len(decided), bool)),
        ("accuracy", right, decided),
        ("accuracy_all", right, np.ones(len(decided), bool)),
    ):
        shares[name] = _share(of, among, scored.clusters, draws, seed)
    return {"rows": int(decided.sum()), **shares}


def _share(
    of: np.ndarray, among: np.ndarray, clusters: Sequence[str], draws: int, seed: int
) -> dict[str, float | None]:
    """Compute the share of rows ``of`` within the rows ``among``, with its interval."""

    def statistic(weights: np.ndarray) -> np.ndarray:
        total = weights @ among.astype(float)
        hits = weights @ (of & among).astype(float)
        return np.divide(hits, total, out=np.full_like(hits, np.nan), where=total > 0)

    value = statistic(np.ones((1, len(of))))[0]
    low = high = None
    if draws and among.any():
        low, high = interval(statistic, clusters, draws=draws, seed=seed)
    return {
        "value": number(value),
        "low": None if low is None else number(float(low)),
        "high": None if high is None else number(float(high)),
    }


def reliability_panels(
    sets: Mapping[str, tuple[float, Sequence[tuple[float, float, int]]]],
) -> bytes:
    """Draw reliability diagrams side by side, as a PNG.

    Args:
        sets: title -> calibration error, and of each bin the mean probability, the share that was
            right, and the number of rows.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(4, len(sets))
    lines = -(-len(sets) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.7 * lines), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    panels: list[Any] = list(figure.subplots(lines, columns, squeeze=False).ravel())
    for panel, (title, (error, points)) in zip(panels, sets.items(), strict=False):
        probabilities, shares, rows = zip(*points, strict=True)
        panel.plot([0, 1], [0, 1], color="0.75", linewidth=1)
        panel.plot(probabilities, shares, color=BLUE)
        panel.scatter(probabilities, shares, s=[4 + 60 * n / max(rows) for n in rows], color=BLUE)
        panel.set_title(f"{title}\nECE {error:.3f}", fontsize=8)
        panel.set_xlim(0, 1)
        panel.set_ylim(0, 1)
        panel.set_aspect("equal")
        panel.tick_params(labelsize=7)
    for panel in panels[len(sets) :]:
        panel.set_axis_off()
    figure.supxlabel("predicted probability", fontsize=8)
    figure.supylabel("share that was right", fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", metadata={"Software": None})
    return picture.getvalue()


def calibration_lines(report: Mapping[str, Any]) -> list[str]:
    """Describe calibration and abstention in one sentence each, where the report has them."""
    lines = []
    if calibrated := report.get("calibration"):
        entry = {"value": calibrated["ece"], "low": calibrated["low"], "high": calibrated["high"]}
        lines.append(
            f"Calibration: expected calibration error {cell(entry)} of {calibrated['of']}, "
            f"{len(calibrated['bins'])} bins."
        )
    if shares := report["extras"].get("abstention"):
        lines.append(
            f"Abstention: {cell(shares['share'])} of the rows are decided; the accuracy is "
            f"{cell(shares['accuracy'])} on these and {cell(shares['accuracy_all'])} on all rows."
        )
    return lines


def reliability_diagram(report: Mapping[str, Any], path: Path | str) -> Path:
    """Draw the share of true cases over their probability, and above it the number of cases.

    Raises:
        DataError: the report is about values, which have no calibration.
    """
    calibrated = report.get("calibration")
    if calibrated is None:
        raise DataError("The report has no calibration to draw: it is about values, not emotions.")
    bins = [b for b in calibrated["bins"] if b["cases"]]
    with drawing(path, width=4.8, height=5.6) as (figure, axes):
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="calibrated")
        for b in bins:
            middle, width = (b["low"] + b["high"]) / 2, b["high"] - b["low"]
            axes.bar(
                middle,
                b["accuracy"],
                width=width,
                color=BLUE,
                alpha=0.75,
                lw=0.6,
                edgecolor="white",
            )
        axes.plot(
            [b["confidence"] for b in bins],
            [b["accuracy"] for b in bins],
            "o-",
            ms=4,
            lw=1,
            color=RED,
            label="observed, at the mean probability",
        )
        axes.set(xlim=(0, 1), ylim=(0, 1), xlabel=f"probability of {calibrated['of']}")
        axes.set_ylabel("share that is true")
        legend_below(figure, axes)
        counts = axes.inset_axes((0, 1.04, 1, 0.18), sharex=axes)
        total = sum(b["cases"] for b in bins)
        counts.bar(
            [(b["low"] + b["high"]) / 2 for b in bins],
            [b["cases"] / total for b in bins],
            width=1 / len(calibrated["bins"]),
            color=GREY,
            alpha=0.75,
            edgecolor="white",
            lw=0.6,
        )
        counts.tick_params(labelbottom=False)
        counts.set_ylabel("cases", fontsize=8)
        counts.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
        entry = {"value": calibrated["ece"], "low": calibrated["low"], "high": calibrated["high"]}
        lines = [f"{report['subset']}: {report['rows']:,} rows, calibration error {cell(entry)}"]
        figure.suptitle("\n".join([*lines, *folded(report["protocol"]["stamps"], 60)]), fontsize=9)
    return Path(path)
