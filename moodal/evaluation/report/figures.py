"""Figures of a report: bars with intervals, ROC curves, confusion, values, compared runs.

They are written as PNG or SVG, by the ending of the path, see `moodal.evaluation.report.drawing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError, UsageError
from moodal.evaluation.metrics import auc, ccc, mae, pearson, top
from moodal.evaluation.report.cells import metric_title
from moodal.evaluation.report.drawing import (
    BLUE,
    COLOURS,
    DASHES,
    GREY,
    ORANGE,
    RED,
    drawing,
    folded,
    legend_below,
)
from moodal.evaluation.report.scores import Scored

_MOST_CURVES = 10
_MOST_DOTS = 1000
_OF_VALUES = {"CCC": ccc, "r": pearson, "MAE": mae}


def emotion_bars(report: Mapping[str, Any], metric: str, path: Path | str) -> Path:
    """Draw a bar per emotion with its interval, chance and best baseline, and the mean as a line.

    The best trivial baseline is drawn where it is better than chance. Emotions are sorted from
    best to worst, and those without training rows are orange. An undefined figure has its reason
    instead of a bar.

    Raises:
        UsageError: the report does not have the metric for each emotion.
    """
    entry = report["metrics"].get(metric, {})
    if "emotions" not in entry:
        raise UsageError(
            f"The report has no {metric!r} for each emotion; choose a metric per emotion."
        )
    values = entry["emotions"]
    known = {k: v["value"] for k, v in values.items() if v["value"] is not None}
    order = sorted(known, key=known.__getitem__, reverse=not entry["lower_is_better"])
    order += [label for label in values if label not in known]
    unseen = set(report["protocol"]["unseen"])
    with drawing(path, width=6.4, height=1.5 + 0.3 * len(order)) as (figure, axes):
        labelled = set()
        for place, label in enumerate(order):
            value = values[label]
            if value["value"] is None:
                axes.text(
                    0.01,
                    place,
                    "undefined: " + value["gap"],
                    va="center",
                    color=GREY,
                    fontsize=8,
                    transform=axes.get_yaxis_transform(),
                )
                continue
            colour, name = (ORANGE, "unseen in training") if label in unseen else (BLUE, "seen")
            bar = axes.barh(place, value["value"], color=colour, height=0.7, alpha=0.85)
            if unseen and name not in labelled:
                bar.set_label(name)
                labelled.add(name)
            if value["low"] is not None and value["high"] is not None:
                axes.plot([value["low"], value["high"]], [place] * 2, color="black", lw=1.4)
            for level, mark in _levels(value, entry["lower_is_better"]).items():
                line = axes.plot([mark] * 2, [place - 0.42, place + 0.42], **_LEVELS[level])
                if level not in labelled:
                    line[0].set_label(level)
                    labelled.add(level)
        if entry["mean"]["value"] is not None:
            axes.axvline(entry["mean"]["value"], color=GREY, ls="--", lw=1, label="mean", zorder=0)
        axes.set_yticks(range(len(order)), order)
        axes.set_ylim(len(order) - 0.4, -0.6)  # the first on top
        axes.set_xlabel(
            entry["title"]
            + (" (lower is better)" if entry["lower_is_better"] else "")
            + (", with 95% intervals" if _has_intervals(report) else "")
        )
        if report["task"] != "regression":
            axes.set_xlim(0, 1)
        axes.set_title(_title(report))
        legend_below(figure, axes)
    return Path(path)


_LEVELS: Mapping[str, Mapping[str, Any]] = {
    "chance": {"color": RED, "lw": 2},
    "best trivial baseline": {"color": "black", "lw": 2, "ls": ":"},
}


def _levels(entry: Mapping[str, Any], lower_is_better: bool) -> dict[str, float]:
    """Return the levels that a figure is compared with: chance, and a baseline better than it."""
    chance = entry["chance"]
    levels = {} if chance is None else {"chance": chance}
    baselines = [value for value in entry.get("baselines", {}).values() if value is not None]
    if baselines:
        best = min(baselines) if lower_is_better else max(baselines)
        if chance is None or (best < chance if lower_is_better else best > chance):
            levels["best trivial baseline"] = best
    return levels


def _has_intervals(report: Mapping[str, Any]) -> bool:
    """Check whether the figures of a report have intervals."""
    return bool(report["bootstrap"]["draws"]) and report["clusters"]["count"] > 1


def roc_curves(
    test: Scored,
    path: Path | str,
    labels: Sequence[str] | None = None,
    stamps: Sequence[str] = (),
) -> Path:
    """Draw the ROC curve of each emotion, with its AUC in the legend.

    At most ten emotions are drawn, those with the most rows, and the title says so. An emotion
    that no row or every row has is left out.

    Raises:
        DataError: the predictions are of values.
    """
    defined = [
        i
        for i, label in enumerate(test.labels)
        if 0 < (test.targets[:, i] > 0).sum() < len(test) and (labels is None or label in labels)
    ]
    if test.task == "regression":
        raise DataError(f"{test.subset}: values have no ROC curve.")
    shown = sorted(defined, key=lambda i: -int((test.targets[:, i] > 0).sum()))[:_MOST_CURVES]
    with drawing(path, width=5.6, height=5.6) as (_, axes):
        axes.plot([0, 1], [0, 1], color=GREY, lw=1, ls=":", label="chance (0.50)")
        for place, i in enumerate(sorted(shown)):
            target, score = test.targets[:, i] > 0, test.probabilities[:, i]
            false, true = _roc(target, score)
            name = f"{test.labels[i]} ({float(auc(target, score)):.2f})"
            axes.plot(
                false,
                true,
                label=name,
                lw=1.6,
                color=COLOURS[place % len(COLOURS)],
                ls=DASHES[place % 5],
            )
        more = f": the {len(shown)} most frequent of {len(defined)}"
        more = more if len(shown) < len(defined) else ""
        title = f"{test.subset}{more if shown else ': no emotion has a curve'}"
        axes.set_title("\n".join([title, *folded(stamps, 60)]))
        axes.set(xlabel="false positive rate", xlim=(-0.01, 1.01))
        axes.set(ylabel="true positive rate", ylim=(-0.01, 1.01))
        axes.set_aspect("equal")
        axes.legend(loc="lower right", fontsize=8, title="emotion (AUC)", title_fontsize=8)
    return Path(path)


def confusion(test: Scored, path: Path | str, stamps: Sequence[str] = ()) -> Path:
    """Draw the confusion matrix: for each true emotion (a row), the share of each decision.

    Raises:
        DataError: rows may have several emotions, or values.
    """
    if test.task != "single":
        raise DataError(
            f"{test.subset}: a confusion matrix needs one emotion per row ({test.task})."
        )
    counts = (test.targets > 0).astype(float).T @ top(test.logits)
    support = counts.sum(1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros_like(counts), where=support > 0)
    size = 1.2 + 0.55 * len(test.labels)
    room = 0.08 * max(map(len, test.labels))
    with drawing(path, width=size + room + 1.5, height=size + 0.7 * room) as (figure, axes):
        image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i, j in np.ndindex(*shares.shape):
            if support[i]:
                ink = "white" if shares[i, j] > 0.55 else "black"
                text = f"{shares[i, j]:.0%}"
                axes.text(j, i, text, ha="center", va="center", color=ink, fontsize=8)
        names = [f"{x} ({int(n):,})" for x, n in zip(test.labels, support[:, 0], strict=True)]
        axes.set_yticks(range(len(names)), names)
        axes.set_xticks(range(len(names)), test.labels, rotation=40, ha="right")
        title = "\n".join([test.subset, *folded(stamps, 45)])
        axes.set(xlabel="decided", ylabel="true (rows)", title=title)
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.03)
        bar.set_label("share of the true emotion's rows")
    return Path(path)


def values_against_truth(test: Scored, path: Path | str, stamps: Sequence[str] = ()) -> Path:
    """Draw the predictions of each value over its truth, on the range of the value.

    With more than a thousand rows, a density replaces the dots. The line joins the mean
    predictions of rows of similar truth; for a good model it lies on the diagonal.

    Raises:
        DataError: the predictions are of emotions.
    """
    if not test.values:
        raise DataError(
            f"{test.subset}: emotions have no numbers to draw over their truth; use another figure."
        )
    rows, columns = -(-len(test.values) // 3), min(3, len(test.values))
    with drawing(path, 3.4 * columns + 0.4, 3.7 * rows, columns, rows) as (figure, axes):
        flat = np.atleast_1d(axes).ravel()
        for panel, (axis, value) in enumerate(zip(flat, test.values, strict=False)):
            truth, predicted = test.targets[:, panel], test.probabilities[:, panel]
            span = (value.low - 0.03 * value.width, value.high + 0.03 * value.width)
            if len(test) > _MOST_DOTS:
                extent = (*span, *span)
                axis.hexbin(truth, predicted, gridsize=28, extent=extent, mincnt=1, cmap="Blues")
            else:
                axis.scatter(truth, predicted, s=9, color=BLUE, alpha=0.45, lw=0)
            axis.plot(span, span, color=GREY, lw=1, ls=":", label="prediction = truth")
            means = _means_over_truth(truth, predicted)
            axis.plot(*means, "o-", ms=4, color=RED, label="mean prediction")
            figures_of = {
                name: float(f(truth, test.logits[:, panel])) for name, f in _OF_VALUES.items()
            }
            shown = ", ".join(f"{k} {v:.2f}" for k, v in figures_of.items() if np.isfinite(v))
            axis.set(xlim=span, ylim=span, xlabel="truth", title=f"{value.name}\n{shown}")
            axis.set_aspect("equal")
        for axis in flat[len(test.values) :]:
            axis.set_visible(False)
        flat[0].set_ylabel("prediction")
        figure.suptitle("\n".join([f"{test.subset}: {len(test):,} rows", *folded(stamps, 60)]))
        legend_below(figure, flat[0])
    return Path(path)


def _means_over_truth(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Average truth and predictions in at most ten groups of similar truth and equal size."""
    order = np.argsort(truth, kind="stable")
    groups = np.array_split(order, min(10, max(1, len(order) // 5)))
    return tuple(np.array([column[g].mean() for g in groups]) for column in (truth, predicted))  # type: ignore[return-value]


def differences(comparison: Mapping[str, Any], path: Path | str) -> Path:
    """Draw the headline figures of compared runs, and their differences from the first run.

    Runs with a stamp that others lack are orange; stamps of all runs are in the title.
    """
    runs, keys = comparison["runs"], comparison["headlines"]
    everywhere = [s for s in runs[0]["stamps"] if all(s in run["stamps"] for run in runs)]
    with drawing(path, 9, 1.2 + 0.34 * len(runs) * len(keys), columns=2) as (figure, axes):
        places = []
        for block, key in enumerate(keys):
            for line, run in enumerate(runs):
                place = block * (len(runs) + 0.7) + line
                places.append((place, run["name"]))
                colour = ORANGE if set(run["stamps"]) - set(everywhere) else BLUE
                for axis, kind in zip(axes, ("metrics", "difference"), strict=True):
                    entry = run.get(kind, {}).get(key, {"value": None})
                    if entry["value"] is None:
                        continue
                    if entry["low"] is not None and entry["high"] is not None:
                        axis.plot([entry["low"], entry["high"]], [place] * 2, color="black", lw=1.4)
                    axis.plot(entry["value"], place, "o", color=colour, mec="black", mew=0.6)
            axes[0].annotate(
                metric_title(comparison, key),
                (0, block * (len(runs) + 0.7) - 0.62),
                fontsize=8,
                xycoords=("axes fraction", "data"),
                fontweight="bold",
                va="center",
            )
        axes[0].set_yticks([p for p, _ in places], [name for _, name in places])
        axes[1].set_yticks([])
        axes[1].axvline(0, color=GREY, lw=1, ls="--", zorder=0)
        for axis in axes:
            axis.set_ylim(places[-1][0] + 0.7, -1)  # the first on top
            axis.grid(axis="x", alpha=0.25)
            axis.locator_params(axis="x", nbins=6)  # more labels would overlap
        axes[0].set_xlabel(
            "value" + (", with 95% interval" if comparison["bootstrap"]["draws"] else "")
        )
        axes[1].set_xlabel(f"minus {runs[0]['name']}")
        marked: dict[str, list[str]] = {}
        for run in runs:
            for stamp in run["stamps"]:
                marked.setdefault(stamp, []).append(run["name"])
        notes = [
            stamp if stamp in everywhere else f"orange, {', '.join(names)}: {stamp}"
            for stamp, names in marked.items()
        ]
        lines = [f"{comparison['rows']:,} rows that all runs tested", *folded(notes, 110)]
        figure.suptitle("\n".join(lines), fontsize=9)
    return Path(path)


def matrix(report: Mapping[str, Any], path: Path | str) -> Path:
    """Draw the matrix of a cross-corpus test: a row per training, a column per tested corpus.

    A cell has its figure with the interval below; cells with a frame are a training's own test.
    """
    rows, columns, key = report["rows"], report["columns"], report["metric"]
    cells = {(cell["trained"], cell["tested"]): cell for cell in report["cells"]}
    values = np.full((len(rows), len(columns)), np.nan)
    for (trained, tested), cell in cells.items():
        value = cell["metrics"][key]["value"]
        if value is not None:
            values[rows.index(trained), columns.index(tested)] = value
    known = values[np.isfinite(values)]
    bounded = not len(known) or (known.min() >= 0 and known.max() <= 1)
    low, high = (0.0, 1.0) if bounded else (float(known.min()), float(known.max()))
    room = 0.075 * max(map(len, rows))
    size = (2.4 + room + 1.35 * len(columns), 1.9 + 0.75 * len(rows))
    with drawing(path, *size) as (figure, axes):
        colours = "Blues_r" if report["lower_is_better"] else "Blues"
        image = axes.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto")
        for (trained, tested), cell in cells.items():
            i, j, entry = rows.index(trained), columns.index(tested), cell["metrics"][key]
            share = 0.0 if np.isnan(values[i, j]) else (values[i, j] - low) / ((high - low) or 1)
            dark = (share < 0.45) if report["lower_is_better"] else (share > 0.55)
            text = "undefined" if entry["value"] is None else f"{entry['value']:.3f}"
            if entry.get("low") is not None and entry.get("high") is not None:
                text += f"\n[{entry['low']:.3f}, {entry['high']:.3f}]"
            ink = "white" if dark else "black"
            axes.text(j, i, text, ha="center", va="center", color=ink, fontsize=8)
            if cell["own"]:
                frame = {"fill": False, "edgecolor": ORANGE, "lw": 2}
                axes.add_patch(_rectangle((j - 0.47, i - 0.46), 0.94, 0.92, **frame))
        axes.set_yticks(range(len(rows)), rows)
        axes.set_xticks(range(len(columns)), columns, rotation=20, ha="right")
        axes.set(xlabel="tested on (framed: other rows of it trained)", ylabel="trained on")
        axes.set_title("\n".join(folded([report["title"], *report["stamps"]], 60)))
        axes.spines[:].set_visible(False)
        bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.03)
        lower = " (lower is better)" if report["lower_is_better"] else ""
        bar.set_label(report["titles"][key] + lower)
    return Path(path)


def _rectangle(corner: tuple[float, float], width: float, height: float, **style: Any) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, width, height, **style)


def _roc(target: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute false and true positive rates at every threshold between two scores."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.diff(score[order]) != 0, True)
    hits, alarms = np.cumsum(target[order])[last], np.cumsum(~target[order])[last]
    return np.append(0, alarms / alarms[-1]), np.append(0, hits / hits[-1])


def _title(report: Mapping[str, Any]) -> str:
    """Return the title of a figure: the rows and the stamps."""
    about = report["clusters"]
    lines = [f"{report['subset']}: {report['rows']:,} rows, {about['count']:,} {about['kind']}s"]
    return "\n".join([*lines, *report["protocol"]["stamps"]])
