"""Results of a run: its report, figures and artefact, from its predictions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from moodal.core.errors import DataError
from moodal.core.recipe import Recipe
from moodal.core.targets import JointTargets
from moodal.evaluation.report import scores, summary, thresholds
from moodal.evaluation.report.learning_curves import trainings
from moodal.evaluation.report.scores import Scored
from moodal.evaluation.report.summary import ReportContext
from moodal.evaluation.report.thresholds import Thresholds, fixed
from moodal.evaluation.report.write import (
    FinishedExperiment,
    finished,
    headline,
    predictions,
    store,
)
from moodal.model.info import (
    ACTIVATIONS,
    ArtefactInfo,
    BatchInfo,
    DataInfo,
    EncoderInfo,
    LabelCounts,
    ProtocolInfo,
    SystemBody,
    ThresholdInfo,
    WordInfo,
    modality_infos,
)
from moodal.model.value_info import ValueInfo
from moodal.train.engine.selection import merit
from moodal.train.experiment import companions
from moodal.train.experiment.run import Trained
from moodal.train.experiment.vote_targets import true_emotions
from moodal.train.export.artefact import export
from moodal.train.systems.section import parse_system

__all__ = [
    "FinishedExperiment",
    "choose",
    "finished",
    "headline",
    "predictions",
    "write",
    "write_folds",
]


VALUES = "values"
"""The folder of the report of values that are learned next to emotions, and its key in extras."""


def choose(recipe: Recipe, test: Scored, valid: Scored, seen: Sequence[str]) -> Thresholds:
    """Choose a report's thresholds; an unseen emotion keeps 0.5, as no validation row has it."""
    on_test = recipe.train.select_on == "test"  # then no validation rows are left to choose on
    if recipe.report.thresholds == "fixed" or test.task != "multi" or on_test:
        return thresholds.fixed(test.labels, recipe.report.threshold)
    chosen = thresholds.choose(valid.select(seen), recipe.report.criterion)
    by_label = dict(zip(seen, chosen.values, strict=True))
    values = np.array([by_label.get(x, 0.5) for x in test.labels])
    new = [x for x in test.labels if x not in by_label]
    notes = (f"{', '.join(new)}: unseen, so the threshold stays at 0.5.",) if new else ()
    return Thresholds(values, chosen.source, (*chosen.notes, *notes))


def write(
    trained: Trained,
    logits: Mapping[str, np.ndarray],
    *,
    audit: Sequence[Any] = (),
    nulls: Mapping[str, Any] | None = None,
) -> FinishedExperiment:
    """Write the artefact, the predictions, the figures and, last, the report.

    Args:
        logits: "test" and "valid" -> [n, C] for every emotion of the test.
    """
    run, system, history = trained.run, trained.system, trained.history
    recipe, experiment, folder = run.recipe, run.experiment, run.folder
    manifest, space, joint = experiment.manifest, run.space, run.space
    rated: dict[str, Any] | None = None
    if isinstance(joint, JointTargets):
        space, count = joint.words, len(joint.words)
        rated = _write_values(trained, {k: x[:, count:] for k, x in logits.items()}, audit)
        logits = {part: x[:, :count] for part, x in logits.items()}
    test, valid = (
        predictions(
            manifest,
            experiment.parts[part],
            logits[part],
            space,
            part,
            recipe.report.by,
            recipe.votes.rule(recipe.votes.truth),
        )
        for part in ("test", "valid")
    )
    seen = [x for x in space.labels if x not in experiment.unseen]
    chosen = choose(recipe, test, valid, seen)
    train = true_emotions(recipe, manifest, experiment.shown)
    if test.rated is not None:  # a report made again needs them for its baselines
        shares = manifest.labels[experiment.shown].mean(0, dtype=np.float64)
        test = dataclasses.replace(test, rated=dataclasses.replace(test.rated, train_shares=shares))
    if test.task == "regression":  # a report made again needs them for its baselines
        test = dataclasses.replace(test, train_targets=train)
    extras: dict[str, Any] = {
        "title": recipe.title,
        "about": recipe.about,
        "experiment": experiment.name,
        "recipe": recipe.model_dump(mode="json"),
        "data": {"corpus": manifest.corpus, "fingerprint": run.fingerprint},
        "epochs": [dict(row) for row in history],
        "kept": kept_epochs(recipe, history),
        "split": dict(experiment.split),
    }
    if nulls:
        extras["nulls"] = dict(nulls)
    if rated is not None:
        extras[VALUES] = headline(rated)
    extras |= companions.extras(trained, test)
    report = summary.summarise(
        test,
        train_targets=train,
        thresholds=chosen,
        valid=None if recipe.train.select_on == "test" else valid,
        draws=recipe.report.draws,
        seed=recipe.train.seed,
        context=ReportContext(experiment.stamps, audit, experiment.unseen, extras),
    )
    export(
        folder / "artefact",
        system,
        _described(trained, chosen, seen, report, rated),
        joint.vectors,
        scales=trained.scales,
        report=report,
        trained_ids=[manifest.utterances[row].id for row in experiment.shown],
    )
    return store(folder, report, test, recipe.report.figures, history)


def _write_values(
    trained: Trained, logits: Mapping[str, np.ndarray], audit: Sequence[Any]
) -> dict[str, Any]:
    """Write the report of values that were learned next to emotions, and return it.

    Args:
        logits: "test" and "valid" -> numbers [n, V].
    """
    run = trained.run
    recipe, experiment, manifest = run.recipe, run.experiment, run.experiment.manifest.rated
    test, valid = (
        predictions(
            manifest, experiment.parts[part], logits[part], manifest.space, part, recipe.report.by
        )
        for part in ("test", "valid")
    )
    train = manifest.labels[experiment.shown]
    test = dataclasses.replace(test, train_targets=train)
    extras = {
        "title": recipe.title,
        "about": recipe.about,
        "experiment": experiment.name,
        "recipe": recipe.model_dump(mode="json"),
        "data": {"corpus": manifest.corpus, "fingerprint": run.fingerprint},
        "split": dict(experiment.split),
    }
    report = summary.summarise(
        test,
        train_targets=train,
        valid=None if recipe.train.select_on == "test" else valid,
        draws=recipe.report.draws,
        seed=recipe.train.seed,
        context=ReportContext(experiment.stamps, audit, (), extras),
    )
    return store(run.folder / VALUES, report, test, recipe.report.figures, ()).report


def kept_epochs(recipe: Recipe, history: Sequence[Mapping[str, float]]) -> list[dict[str, Any]]:
    """Return of each training which epoch's weights were kept.

    Args:
        recipe: its second training, if any, keeps the last epoch.
        history: a row per epoch of all trainings, see `Trained`.

    Returns:
        Of each training ``epoch`` (from 0, as in ``history``), ``by`` (what chose it, as in
        ``train.select``), and the numbers of ``epochs`` that were trained and ``planned``.
    """
    settings = (
        (recipe.train.select, recipe.train.epochs),
        ("last", recipe.protocol.adapt_epochs),
    )
    return [
        {
            # the first of equal epochs, as the training loop keeps it
            "epoch": int(max(rows, key=lambda row, by=by: merit(by, row))["epoch"]),  # type: ignore[misc]
            "by": by,
            "epochs": len(rows),
            "planned": planned,
        }
        for rows, (by, planned) in zip(trainings(history), settings, strict=False)
    ]


def _described(
    trained: Trained,
    chosen: Thresholds,
    seen: Sequence[str],
    report: Mapping[str, Any],
    rated: Mapping[str, Any] | None,
) -> ArtefactInfo:
    """Describe the artefact of a trained system.

    Args:
        seen: the emotions that training showed, or all values.
        rated: the report of values that were learned next to emotions.
    """
    run, system = trained.run, trained.system
    recipe, experiment, space = run.recipe, run.experiment, run.space
    manifest = experiment.manifest
    name, _ = parse_system(recipe.system, recipe.title)
    streams = [s for s in system.streams if s in manifest.features]
    widths = {s: manifest.features[s].width for s in streams}
    further = space.labels[len(manifest.space) :]
    thresholds_of = [*chosen.values.tolist(), *fixed(further).values.tolist()]
    counted = {**report["train"], **({"means": rated["train"]["means"]} if rated else {})}
    encoders = {s: manifest.encoders[s] for s in streams if manifest.encoders.get(s)}
    return ArtefactInfo(
        body=SystemBody(name=name, config=system.portable.model_dump(mode="json")),
        widths=widths,
        labels=space.labels,
        task=space.task,
        values=ValueInfo.of(space),
        vectors=space.source or None,
        trained=(*seen, *further),
        encoders={s: EncoderInfo.of(spec, widths[s]) for s, spec in encoders.items()},
        modalities=modality_infos(streams),
        words=WordInfo(**recipe.space.model_dump(exclude={"vectors"})),
        activation=ACTIVATIONS[space.task],
        thresholds=ThresholdInfo(values=tuple(thresholds_of), source=chosen.source),
        protocol=ProtocolInfo(
            name=recipe.protocol.name,
            experiment=experiment.name,
            stamps=tuple(experiment.stamps),
            settings=recipe.protocol.model_dump(mode="json", exclude={"name"}),
        ),
        metrics=headline(report),
        data=DataInfo(
            corpus=manifest.corpus,
            fingerprint=run.fingerprint,
            rows={part: len(rows) for part, rows in experiment.parts.items()},
            trained=LabelCounts(**counted),
            trim_padding=recipe.data.trim_padding,
            max_steps=recipe.data.max_steps,
            scoring=BatchInfo(**trained.sizes),
            notes=tuple(manifest.notes),
        ),
        licence=manifest.licence,
    )


def write_folds(out: Path, recipe: Recipe, folds: Sequence[FinishedExperiment]) -> dict[str, Any]:
    """Write the report over all folds into the folder of the run.

    Raises:
        DataError: of both emotions and values, a fold has no report of its values.
    """
    rated = None
    if recipe.data.targets == "both":
        names = [str(fold.report["extras"]["experiment"]).replace(" ", "-") for fold in folds]
        parts = [_finished_values(out / name) for name in names]
        rated = _write_pooled(out / VALUES, recipe, parts)
    return _write_pooled(out, recipe, folds, rated)


def _finished_values(folder: Path) -> FinishedExperiment:
    """Read the report of a fold's values.

    Raises:
        DataError: there is none.
    """
    done = finished(folder / VALUES)
    if done is None:
        raise DataError(
            f"{folder / VALUES} has no report, so the values of all folds cannot be pooled; delete "
            f"{folder / 'report.json'} and run again, which trains this fold anew."
        )
    return done


def _write_pooled(
    out: Path,
    recipe: Recipe,
    folds: Sequence[FinishedExperiment],
    rated: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Write the report of the pooled rows of all folds.

    Args:
        rated: the report of the values that were learned next to these emotions.
    """
    nulls = {
        f"{emotion}, {fold.report['extras']['experiment']}": null
        for fold in folds
        for emotion, null in fold.report["extras"].get("nulls", {}).items()
    }
    report = summary.combine(
        [fold.report for fold in folds],
        [fold.test for fold in folds],
        draws=recipe.report.draws,
        seed=recipe.train.seed,
        extras={
            "title": recipe.title,
            "about": recipe.about,
            "recipe": recipe.model_dump(mode="json"),
            "data": folds[0].report["extras"]["data"],
            **({"nulls": nulls} if nulls else {}),
            **({VALUES: headline(rated)} if rated else {}),
            **companions.combined(recipe, [f.report for f in folds], [f.test for f in folds]),
        },
    )
    pooled = scores.join([fold.test for fold in folds])
    return store(out, report, pooled, recipe.report.figures, ()).report
