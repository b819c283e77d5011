"""results: predictions become a report, figures and an artefact, in a run's folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from moodal.artefact import Artefact
from moodal.config import Recipe
from moodal.corpora.manifest import Manifest
from moodal.emotions import EmotionSpace
from moodal.errors import DataError, writing
from moodal.files import replacing
from moodal.learn import beside
from moodal.learn.data.dataset import Scale
from moodal.learn.export import ACTIVATION, export, parse_system
from moodal.learn.scoring import scoring_sizes
from moodal.protocols.authors import SELECTED_ON_TEST
from moodal.protocols.experiment import Experiment
from moodal.report import figures, scored, summary, tables, thresholds
from moodal.report.scored import Scored
from moodal.report.thresholds import Thresholds
from moodal.report.transcripts import ctc_entry


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
    space: EmotionSpace,
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
        groups={
            name: [str(column[row] or "") for row in rows]
            for name, column in ((name, manifest.column(name)) for name in by)
        },
    )


def choose(recipe: Recipe, test: Scored, valid: Scored, seen: Sequence[str]) -> Thresholds:
    """The recipe's thresholds; an unseen emotion keeps 0.5, for validation knows nothing of it."""
    on_test = recipe.train.select_on == "test"  # then there are no validation rows to choose on
    if recipe.report.thresholds == "fixed" or test.task != "multi" or on_test:
        return thresholds.fixed(test.labels, recipe.report.threshold)
    chosen = thresholds.choose(valid.select(seen), recipe.report.criterion)
    by_label = dict(zip(seen, chosen.values, strict=True))
    values = np.array([by_label.get(x, 0.5) for x in test.labels])
    new = [x for x in test.labels if x not in by_label]
    notes = (f"{', '.join(new)}: unseen, so the threshold stays at 0.5.",) if new else ()
    return Thresholds(values, chosen.source, (*chosen.notes, *notes))


def write(
    folder: Path,
    recipe: Recipe,
    experiment: Experiment,
    system: nn.Module,
    space: EmotionSpace,
    logits: Mapping[str, np.ndarray],
    history: Sequence[Mapping[str, float]],
    scales: Mapping[str, Scale],
    fingerprint: str,
    *,
    audit: Sequence[Any] = (),
    nulls: Mapping[str, Any] | None = None,
    more: Callable[[Scored], Mapping[str, Any]] = lambda test: {},
) -> Done:
    """Write the artefact, the predictions, the figures and, last of all, the report.

    Args:
        space: every emotion of the test.
        logits: "test" and "valid" -> [n, C].
        more: further extras of the report, of the predictions of the test.
    """
    manifest = experiment.manifest
    name, settings = parse_system(recipe.system, recipe.title)
    settings = getattr(system, "portable", settings)
    test, valid = (
        predictions(
            manifest, getattr(experiment, part), logits[part], space, part, recipe.report.by
        )
        for part in ("test", "valid")
    )
    trained = [x for x in space.labels if x not in experiment.unseen]
    chosen = choose(recipe, test, valid, trained)
    train = manifest.labels[experiment.shown]
    extras: dict[str, Any] = {
        "title": recipe.title,
        "about": recipe.about,
        "experiment": experiment.name,
        "recipe": recipe.model_dump(mode="json"),
        "data": {"corpus": manifest.corpus, "fingerprint": fingerprint},
        "epochs": [dict(row) for row in history],
        "split": dict(experiment.split),
    }
    if nulls:
        extras["nulls"] = dict(nulls)
    extras |= more(test)
    report = summary.summarise(
        test, train_targets=train, thresholds=chosen,
        valid=None if recipe.train.select_on == "test" else valid, draws=recipe.report.draws,
        seed=recipe.train.seed, stamps=experiment.stamps, audit=audit,
        unseen=experiment.unseen, extras=extras,
    )  # fmt: skip
    streams = [s for s in system.streams if s in manifest.features]  # type: ignore[union-attr]
    export(
        folder / "artefact", system, name, settings,
        {s: manifest.features[s].width for s in streams}, space, scales=scales, report=report,
        trained_ids=[manifest.utterances[row].id for row in experiment.shown],
        about={
            "trained": trained,
            "encoders": {s: dict(manifest.encoders.get(s, {})) for s in streams},
            "words": recipe.space.model_dump(mode="json", exclude={"vectors"}),
            "activation": ACTIVATION[space.task],
            "thresholds": {"values": chosen.values.tolist(), "source": chosen.source},
            "calibration": None,
            "protocol": {
                **recipe.protocol.model_dump(mode="json"),
                "experiment": experiment.name, "stamps": list(experiment.stamps),
            },
            "metrics": headline(report),
            "data": {
                "corpus": manifest.corpus, "fingerprint": fingerprint,
                "rows": {p: len(getattr(experiment, p)) for p in ("train", "valid", "test")},
                "trained": report["train"],
                "trim_padding": recipe.data.trim_padding, "max_steps": recipe.data.max_steps,
                "scoring": scoring_sizes(system, recipe.train),
                "notes": list(manifest.notes),
            },
            "licence": manifest.licence,
        },
    )  # fmt: skip
    return _store(folder, report, test, recipe.report.figures, history)


def write_folds(out: Path, recipe: Recipe, folds: Sequence[Done]) -> dict[str, Any]:
    """The report over all folds, in the run's own folder."""
    drawn = {
        f"{emotion}, {fold.report['extras']['experiment']}": null
        for fold in folds
        for emotion, null in fold.report["extras"].get("nulls", {}).items()
    }
    report = summary.combine(
        [fold.report for fold in folds], [fold.test for fold in folds],
        draws=recipe.report.draws, seed=recipe.train.seed,
        extras={
            "title": recipe.title, "about": recipe.about,
            "recipe": recipe.model_dump(mode="json"),
            "data": folds[0].report["extras"]["data"],
            **({"nulls": drawn} if drawn else {}),
            **beside.combined(recipe, [f.report for f in folds], [f.test for f in folds]),
        },
    )  # fmt: skip
    pooled = scored.join([fold.test for fold in folds])
    return _store(out, report, pooled, recipe.report.figures, ()).report


def report_on(
    out: Path,
    found: Artefact,
    manifest: Manifest,
    space: EmotionSpace,
    logits: np.ndarray,
    *,
    split: str,
    stamps: Sequence[str],
    by: Sequence[str] = (),
    read: tuple[list[str], list[str]] | None = None,
) -> dict[str, Any]:
    """The report of an artefact on a corpus, by `moodal.learn.evaluate`.

    Baselines are those of the artefact's training; where it does not tell its label
    distribution (an import), those of the tested rows themselves, and a stamp says so.
    """
    rows = np.arange(len(manifest))
    test = predictions(manifest, rows, logits, space, split, by)
    ctc = {"ctc": ctc_entry(*read, test.clusters)} if read else {}
    by_label = dict(zip(found.about["labels"], found.about["thresholds"]["values"], strict=True))
    values = np.array([by_label.get(label, 0.5) for label in space.labels])
    known = _trained_targets(found, test)
    report = summary.summarise(
        test, train_targets=test.targets if known is None else known,
        thresholds=Thresholds(values, f"the artefact's: {found.about['thresholds']['source']}"),
        stamps=(*stamps, *(UNKNOWN if known is None else ())),
        unseen=[x for x in space.labels if x not in found.trained],
        extras={
            "title": f"{found.about['system']['name']} on {manifest.corpus}",
            "artefact": {"weights": found.about["files"]["weights.safetensors"]},
            "data": {"corpus": manifest.corpus, "fingerprint": manifest.fingerprint},
            **ctc,
        },
    )  # fmt: skip
    return _store(out, report, test, True, ()).report


UNKNOWN = ("training's label distribution is unknown: baselines are of the tested rows",)


def _trained_targets(found: Artefact, test: Scored) -> np.ndarray | None:
    """Targets [rows, C] of the same label counts as the artefact's training had, if it tells.

    An emotion that it never saw has none.
    """
    told = found.about["data"].get("trained")
    if told is None or test.task == "regression":
        return None
    targets = np.zeros((told["rows"], len(test.labels)), np.float32)
    first = 0
    for column, label in enumerate(test.labels):
        count = told["counts"].get(label, 0)
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


def _draw(
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
    if test.task != "regression":
        figures.roc_curves(test, folder / "roc.png", stamps=stamps)
    if test.task == "single":
        figures.confusion(test, folder / "confusion.png", stamps)
    if history:
        on = "test" if SELECTED_ON_TEST in stamps else "validation"
        figures.learning_curves(history, folder / "learning-curves.png", stamps, on)


def _store(
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
        _draw(folder / "figures", report, test, history)
    summary.save(report, folder / "report.json")
    return Done(report, test)
