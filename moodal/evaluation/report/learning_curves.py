"""Learning curves: the epochs of a training, and which of them was kept and tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.protocols.select_on_test import SELECTED_ON_TEST
from moodal.evaluation.report.cells import number
from moodal.evaluation.report.drawing import COLOURS, DASHES, drawing, folded

Row = Mapping[str, Any]

SHOTS = "the shots"
"""The rows on which a second training, of few-shot protocols, computes its ``valid_`` figures."""


def trainings(rows: Sequence[Row]) -> list[list[Row]]:
    """Divide the epochs of a run into its trainings, each of which counts its epochs from 0.

    A second training follows the first where a few-shot protocol adapts the system.
    """
    parts: list[list[Row]] = []
    for row in rows:
        if not parts or row["epoch"] <= parts[-1][-1]["epoch"]:
            parts.append([])
        parts[-1].append(row)
    return parts


def chosen_on(report: Mapping[str, Any]) -> str:
    """Return the rows on which a run chose its epoch: "validation" or "test"."""
    return "test" if SELECTED_ON_TEST in report["protocol"]["stamps"] else "validation"


def kept_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each training of a run: its epochs, and which was kept and why.

    Epochs are counted from 1. Reports of earlier versions do not know which was kept.
    """
    kept = report["extras"].get("kept", ())
    for place, (about, rows) in enumerate(
        zip(kept, trainings(report["extras"].get("epochs", ())), strict=False)
    ):
        name = "Second training, on the shots" if place else "Training"
        count = f"{about['epochs']} epoch{'s' if about['epochs'] > 1 else ''}"
        if about["epochs"] < about["planned"]:
            count += f" of at most {about['planned']}, stopped early"
        use = "tested" if place == len(kept) - 1 else "trained further"
        why = "the last"
        if about["by"] != "last":
            figure = number(rows[about["epoch"]][f"valid_{about['by']}"])
            why = f"the best on {chosen_on(report)} ({_title(about['by'])} {figure})"
        yield f"{name}: {count}; epoch {about['epoch'] + 1}, {why}, was kept and {use}."


def learning_curves(
    rows: Sequence[Row],
    path: Path | str,
    stamps: Sequence[str] = (),
    chosen_on: str = "validation",
    kept: Sequence[Row] = (),
) -> Path:
    """Draw the losses and every ``valid_<metric>`` over epochs; the kept epoch is marked.

    A second training is drawn below the first.

    Args:
        rows: one per epoch: epoch (from 0, drawn from 1, as the terminal counts), train_loss,
            valid_loss, valid_<metric> ...; any may be missing.
        path: of the figure.
        stamps: caveats for the title.
        chosen_on: the rows behind ``valid_``: "validation", or "test" where a paper's protocol
            selects the epoch on them.
        kept: of each training the epoch whose weights were kept, see `kept_epochs` in
            `moodal.train.experiment.results`; none where it is not known.

    Raises:
        DataError: there are no epochs, or they have neither losses nor metrics.
    """
    if not rows:
        raise DataError("There are no epochs to draw.")
    losses, scores = _columns(rows)
    panels = [keys for keys in (losses, scores) if keys]
    if not panels:
        raise DataError("The epochs have neither train_loss nor valid_<metric> to draw.")
    parts = trainings(rows)
    width, height = 4.6 * len(panels) + 0.4, 3.6 * len(parts)
    with drawing(path, width, height, len(panels), len(parts)) as (figure, axes):
        if stamps:
            figure.suptitle("\n".join(folded(stamps, 90)), fontsize=9)
        grid = np.reshape(np.atleast_1d(axes), (len(parts), len(panels)))
        for place, part in enumerate(parts):
            on = SHOTS if place else chosen_on
            about = kept[place] if place < len(kept) else None
            for panel, axis in zip(panels, grid[place], strict=True):
                if not any(_finite(row.get(key)) for row in part for key in panel):
                    axis.set_visible(False)
                    continue
                _curves(axis, part, panel, on, about)
                title = "loss" if panel is losses else on
                axis.set_title(f"second training: {title}" if place else title)
    return Path(path)


def _columns(rows: Sequence[Row]) -> tuple[list[str], list[str]]:
    """Return the columns of losses and of validation metrics."""
    keys = list(dict.fromkeys(k for r in rows for k in r if k.startswith(("train_", "valid_"))))
    # of a loss with several terms, only the term that validation has too is drawn
    omitted = ["train_loss"] if "train_ce" in keys else []
    losses = [k for k in keys if (k.endswith("_loss") or k == "train_ce") and k not in omitted]
    return losses, [k for k in keys if k not in losses and k.startswith("valid_")]


def _curves(axis: Any, rows: Sequence[Row], keys: Sequence[str], on: str, kept: Row | None) -> None:
    """Draw columns of one training, and a line and stars at the epoch that was kept."""
    for place, key in enumerate(keys):
        points = [(r["epoch"] + 1, r[key]) for r in rows if _finite(r.get(key))]
        if not points:
            continue
        x, y = zip(*points, strict=True)
        colour = COLOURS[place % len(COLOURS)]
        dots = {"marker": "o", "ms": 3.5} if len(points) < 15 else {}
        label, dashes = _name(key, on), DASHES[place % 5]
        axis.plot(x, y, label=label, lw=1.6, color=colour, ls=dashes, **dots)
        if kept and kept["epoch"] + 1 in x:
            height = y[x.index(kept["epoch"] + 1)]
            axis.plot(kept["epoch"] + 1, height, "*", ms=12, mec="black", mew=0.6, color=colour)
    if kept:
        label = f"kept: epoch {kept['epoch'] + 1}, {_reason(kept['by'])}"
        style = {"color": "black", "lw": 1, "ls": (0, (1, 2)), "marker": "*", "mfc": "white"}
        axis.axvline(kept["epoch"] + 1, label=label, markevery=[], ms=9, zorder=0, **style)
    axis.set_xlabel("epoch")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.grid(alpha=0.25)
    axis.legend(fontsize=8)


def _reason(by: str) -> str:
    """Say in a few words why an epoch was kept."""
    if by == "last":
        return "the last"
    worst = by == "loss" or METRICS[by].lower_is_better
    return f"{'lowest' if worst else 'highest'} {_title(by)}"


def _title(by: str) -> str:
    """Name what an epoch was chosen by."""
    return METRICS[by].title if by in METRICS else by


def _finite(value: Any) -> bool:
    """Check that a value is a finite number."""
    return isinstance(value, (int, float)) and bool(np.isfinite(value))


def _name(key: str, on: str) -> str:
    """Name a column of the epochs' table in words."""
    name = key.removeprefix("valid_")
    if name in METRICS:
        return METRICS[name].title
    if on == SHOTS and name != key:
        return f"{name} on {on}".replace("_", " ")
    return key.replace("valid_", f"{on}_").replace("_", " ")
