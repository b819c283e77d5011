"""tested: what a model said of test rows becomes a folder with a report and its figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from moodal.core.emotions import Targets, Values
from moodal.core.errors import DataError, writing
from moodal.core.files import replacing
from moodal.core.manifest import Manifest
from moodal.evaluation.protocols.select_on_test import SELECTED_ON_TEST
from moodal.evaluation.report import figures, summary, tables
from moodal.evaluation.report import scores as scored
from moodal.evaluation.report.artefact import ReportedArtefact
from moodal.evaluation.report.calibration import reliability_diagram
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.thresholds import Thresholds


class Done(NamedTuple):
    """A finished experiment: its report and the predictions it was made of."""

    report: dict[str, Any]
    test: Scored


def finished(folder: Path) -> Done | None:
    """What `write` left in ``folder``, if it came to its end there."""
    path = folder / "report.json"
    if not path.exists():
        return None
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is damaged ({error}); delete it to make it again.") from None
    return Done(report, scored.load(folder))


def predictions(
    manifest: Manifest,
    rows: np.ndarray,
    logits: np.ndarray,
    space: Targets,
    subset: str,
    by: Sequence[str] = (),
) -> Scored:
    """Logits of ``rows`` beside their truth, clustered by speaker, dialogue or utterance.

    Args:
        by: columns whose values the report tells apart.
    """
    utterances = [manifest.utterances[row] for row in rows]
    clusters, kind = scored.clusters_of(utterances)
    columns = [manifest.space.index(label) for label in space.labels]
    values = space.values if isinstance(space, Values) else ()
    return Scored.from_logits(
        logits,
        manifest.labels[rows][:, columns],
        ids=[u.id for u in utterances],
        labels=space.labels,
        task=space.task,
        clusters=clusters,
        cluster_kind=kind,
        subset=subset,
        info={"corpus": manifest.corpus},
        values=values,
        groups={
            name: [str(column[row] or "") for row in rows]
            for name, column in ((name, manifest.column(name)) for name in by)
        },
    )


def report_on(
    out: Path,
    artefact: ReportedArtefact,
    manifest: Manifest,
    space: Targets,
    scores: np.ndarray | Scored,
    *,
    split: str,
    stamps: Sequence[str],
    by: Sequence[str] = (),
    thresholds: Thresholds | None = None,
    unseen: Sequence[str] | None = None,
    extras: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report of an artefact on a corpus, see `moodal.model.evaluate`.

    Baselines are those of the artefact's training; where it does not tell its label
    distribution (an import), those of the tested rows themselves, and a stamp says so.

    Args:
        artefact: what is tested.
        scores: logits [n, C] of the manifest's rows, or the predictions already made of them.
        thresholds: None: the artefact's.
        unseen: emotions that training did not show; None: those that the artefact does not name.
        extras: further JSON values, by name.
    """
    test = (
        scores
        if isinstance(scores, Scored)
        else predictions(manifest, np.arange(len(manifest)), scores, space, split, by)
    )
    if thresholds is None:
        values = np.array([artefact.thresholds.get(label, 0.5) for label in space.labels])
        thresholds = Thresholds(values, f"the artefact's: {artefact.source}")
    known = _trained_targets(artefact, test)
    if unseen is None:
        unseen = [x for x in space.labels if x not in artefact.trained]
    report = summary.summarise(
        test,
        train_targets=test.targets if known is None else known,
        thresholds=thresholds,
        stamps=(*stamps, *(UNKNOWN if known is None else ())),
        unseen=unseen,
        extras={
            "title": f"{artefact.name} on {manifest.corpus}",
            "artefact": {"weights": artefact.weights},
            "data": {"corpus": manifest.corpus, "fingerprint": manifest.fingerprint},
            **(extras or {}),
        },
    )
    return store(out, report, test, True, ()).report


UNKNOWN = ("training's label distribution is unknown: baselines are of the tested rows",)


MOST_ROWS = 200_000
"""Rows that baselines are computed of, at most."""


def _trained_targets(artefact: ReportedArtefact, test: Scored) -> np.ndarray | None:
    """Make targets [rows, C] with the label counts of the artefact's training, if it has them.

    An emotion that the training never showed has none. Of very many rows a sample stands for all.
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
    """The report's first figures: metric -> value and interval over all emotions."""
    return {
        key: {k: v for k, v in summary.overall(report["metrics"][key]).items() if k != "baselines"}
        for key in report["headlines"]
        if key in report["metrics"]
    }


def draw_figures(
    folder: Path, report: dict[str, Any], test: Scored, history: Sequence[Mapping[str, float]]
) -> None:
    """The pictures that this report has matter for."""
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
    else:
        figures.roc_curves(test, folder / "roc.png", stamps=stamps)
    if test.task == "single":
        figures.confusion(test, folder / "confusion.png", stamps)
    if history:
        on = "test" if SELECTED_ON_TEST in stamps else "validation"
        figures.learning_curves(history, folder / "learning-curves.png", stamps, on)


def store(
    folder: Path,
    report: dict[str, Any],
    test: Scored,
    draw: bool,
    history: Sequence[Mapping[str, float]],
) -> Done:
    """Everything that people read; report.json comes last, for it says that all is there."""
    test.save(folder)
    with replacing(folder / "report.md") as part:
        part.write_text(tables.markdown(report), encoding="utf-8")
    if draw:
        draw_figures(folder / "figures", report, test, history)
    summary.save(report, folder / "report.json")
    return Done(report, test)
