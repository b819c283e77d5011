"""Write the report of test predictions, its tables and its figures into a folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodal.core.emotions import Targets
from moodal.core.errors import DataError, writing
from moodal.core.files import load_json, replacing
from moodal.core.manifest import Manifest
from moodal.core.votes import HardRule
from moodal.evaluation.report import figures, stored, summary, tables
from moodal.evaluation.report import scores as scored
from moodal.evaluation.report.artefact import ReportedArtefact
from moodal.evaluation.report.calibration import reliability_diagram
from moodal.evaluation.report.learning_curves import chosen_on, learning_curves
from moodal.evaluation.report.rated_rows import RatedRows
from moodal.evaluation.report.scores import Scored, ScoredRows
from moodal.evaluation.report.summary import ReportContext
from moodal.evaluation.report.thresholds import Thresholds
from moodal.evaluation.report.value_calibration import value_calibration_figure


class FinishedExperiment(NamedTuple):
    """The report of a finished experiment and the predictions behind it."""

    report: dict[str, Any]
    test: Scored


def finished(folder: Path) -> FinishedExperiment | None:
    """Read the report and predictions of a finished experiment; None if it is not finished."""
    path = folder / "report.json"
    if not path.exists():
        return None
    try:
        report = load_json(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and run again.") from None
    return FinishedExperiment(report, scored.load(folder))


def again(folder: Path, *, draws: int | None = None, seed: int | None = None) -> dict[str, Any]:
    """Make the report of a finished run again from its predictions; nothing is written.

    Marks, thresholds, audit and extras are those that are stored, so without arguments the report
    is equal to report.json. That of several folds needs the folders of the folds.

    Args:
        folder: of a run, of one of its folds, or of an evaluation.
        draws: number of bootstrap samples (default: that of the run); 0: no intervals.
        seed: of the bootstrap and of the random baseline (default: that of the run).

    Raises:
        DataError: the folder is no finished run, or a file is damaged.
    """
    folder = Path(folder)
    done = finished(folder)
    if done is None:
        raise DataError(f"{folder} holds no report.json; name the folder of a finished run.")
    report, boot = done.report, done.report["bootstrap"]
    draws = boot["draws"] if draws is None else draws
    seed = boot["seed"] if seed is None else seed
    if "folds" not in report:
        # predictions of an earlier version are stored without their context
        test = done.test
        if not test.context:
            test = dataclasses.replace(test, context=stored.context_of(report))
        return summary.summarise(test, draws=draws, seed=seed)
    folders = [_fold(folder, fold["name"].replace(" ", "-")) for fold in report["folds"]]
    folds = [fold for part in folders if (fold := finished(part)) is not None]
    return summary.combine(
        [fold.report for fold in folds],
        [fold.test for fold in folds],
        draws=draws,
        seed=seed,
        stamps=report["protocol"]["stamps"],
        extras=report["extras"],
    )


def _fold(folder: Path, name: str) -> Path:
    """Return the folder of a fold; RUN/values has those of RUN/fold-1/values."""
    return folder / name if (folder / name).exists() else folder.parent / name / folder.name


def predictions(
    manifest: Manifest,
    rows: np.ndarray,
    logits: np.ndarray,
    space: Targets,
    subset: str,
    by: Sequence[str] = (),
    truth: HardRule | None = None,
) -> Scored:
    """Join the logits of some rows with their truth, clustered by speaker, dialogue or utterance.

    Args:
        manifest: the corpus.
        rows: [n] of the manifest.
        logits: [n, C], the columns in the order of ``space``.
        space: the emotions or values.
        subset: name of the rows in reports, e.g. "test".
        by: columns by which the report is broken down.
        truth: makes one emotion of shares of raters (default: the emotion with the most votes).

    Raises:
        DataError: the rule makes one emotion of no row.
    """
    utterances = [manifest.utterances[row] for row in rows]
    clusters, kind = scored.clusters_of(utterances)
    columns = [manifest.space.index(label) for label in space.labels]
    groups = {
        name: [str(column[row] or "") for row in rows]
        for name, column in ((name, manifest.column(name)) for name in by)
    }
    rated, targets = RatedRows.of(manifest, rows, columns, truth or HardRule())
    test = Scored.from_logits(
        logits,
        targets,
        space,
        ScoredRows([u.id for u in utterances], clusters, kind, groups),
        subset=subset,
        info={"corpus": manifest.corpus},
    )
    return test if rated is None else dataclasses.replace(test, rated=rated)


def report_on(
    out: Path,
    artefact: ReportedArtefact,
    manifest: Manifest,
    test: Scored,
    context: ReportContext,
    thresholds: Thresholds | None = None,
) -> dict[str, Any]:
    """Write and return the report of an artefact on a corpus, see `moodal.model.evaluate`.

    Baselines use the label distribution of the artefact's training. Where the artefact does not
    have it (an import), they use that of the tested rows, and a stamp says so.

    Args:
        out: folder of the report.
        artefact: what is tested.
        manifest: the tested rows of the corpus.
        test: the predictions of these rows.
        context: stamps, unseen labels and further values of the report.
        thresholds: None: the artefact's.
    """
    if thresholds is None:
        # a fixed threshold is that of emotions without training rows, too
        fixed = {*artefact.thresholds.values()} if artefact.source.startswith("fixed") else set()
        other = fixed.pop() if len(fixed) == 1 else 0.5
        values = np.array([artefact.thresholds.get(label, other) for label in test.labels])
        thresholds = Thresholds(values, f"the artefact's: {artefact.source}")
    train_targets = _trained_targets(artefact, test)
    extras = {
        "title": f"{artefact.name} on {manifest.corpus}",
        "artefact": {"weights": artefact.weights},
        "data": {"corpus": manifest.corpus, "fingerprint": manifest.fingerprint},
        **context.extras,
    }
    report = summary.summarise(
        test,
        train_targets=train_targets,
        thresholds=thresholds,
        context=dataclasses.replace(context, extras=extras),
    )
    return store(out, report, test, True, ()).report


MOST_ROWS = 200_000
"""Baselines are computed on at most so many rows."""


def _trained_targets(artefact: ReportedArtefact, test: Scored) -> np.ndarray | None:
    """Build targets [rows, C] with the label counts of the artefact's training, if it has them.

    An emotion without training rows is 0 throughout. Very many rows are scaled down.
    """
    if artefact.rows is None or test.task == "regression":
        return None
    scale = min(1.0, MOST_ROWS / max(artefact.rows, 1))
    targets = np.zeros((round(artefact.rows * scale), len(test.labels)), np.float32)
    first = 0
    for column, label in enumerate(test.labels):
        count = round(artefact.counts.get(label, 0) * scale)
        targets[first : first + count, column] = 1
        first += count if test.task == "single" else 0
    return targets


def headline(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headline metrics: key -> value, interval and chance over all emotions."""
    return {
        key: {k: v for k, v in summary.overall(report["metrics"][key]).items() if k != "baselines"}
        for key in report["headlines"]
        if key in report["metrics"]
    }


def draw_figures(
    folder: Path, report: dict[str, Any], test: Scored, history: Sequence[Mapping[str, float]]
) -> None:
    """Draw the figures that fit the report's task, and the learning curves if there are any."""
    test = test.hard
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    stamps = report["protocol"]["stamps"]
    bars = [*report["headlines"], *(["recall"] if test.task == "single" else [])]
    for metric in bars:
        if "emotions" in report["metrics"].get(metric, {}):
            figures.emotion_bars(report, metric, folder / f"{metric}.png")
    if report.get("calibration"):
        reliability_diagram(report, folder / "reliability.png")
    if test.values:
        figures.values_against_truth(test, folder / "values.png", stamps)
        value_calibration_figure(report, folder / "calibration.png")
    else:
        figures.roc_curves(test, folder / "roc.png", stamps=stamps)
    if test.task == "single":
        figures.confusion(test, folder / "confusion.png", stamps)
    if history:
        on, kept = chosen_on(report), report["extras"].get("kept", ())
        learning_curves(history, folder / "learning-curves.png", stamps, on, kept)


def store(
    folder: Path,
    report: dict[str, Any],
    test: Scored,
    draw: bool,
    history: Sequence[Mapping[str, float]],
) -> FinishedExperiment:
    """Write predictions, report.md and figures, and last report.json, which marks completion."""
    test = dataclasses.replace(test, context=stored.context_of(report))
    test.save(folder)
    with replacing(folder / "report.md") as part:
        part.write_text(tables.markdown(report), encoding="utf-8")
    if draw:
        draw_figures(folder / "figures", report, test, history)
    stored.save(report, folder / "report.json")
    return FinishedExperiment(report, test)
