"""Train a recipe from end to end, in a folder where a killed run resumes.

RUN/recipe.json, report.json, report.md, predictions.*, figures/, artefact/
RUN/<fold>/...        the same for each fold, if there are several
RUN/<fold>/adapted/   the second training of a few-shot protocol
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor

from moodal.core import recipe as recipes
from moodal.core.emotions import Targets
from moodal.core.errors import OutputError, UsageError
from moodal.core.files import load_json, replacing
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.evaluation.protocols.audit import audit
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.protocols.subset import labelled, require_columns
from moodal.train.engine import parallel
from moodal.train.engine.fit import launch
from moodal.train.engine.selection import require
from moodal.train.experiment import assemble, checks, companions, null_tests, results
from moodal.train.experiment.run import Run, load_weights
from moodal.train.experiment.text_baseline import require_texts
from moodal.train.systems.section import current
from moodal.train.systems.system import System


def train(
    recipe_file: Path | str, overrides: Sequence[str], out: Path | str, jobs: int = 1
) -> dict[str, Any] | None:
    """Train, test and report every experiment of a recipe file; see `train_recipe`."""
    return train_recipe(recipes.load(recipe_file, overrides), Path(out), jobs=jobs)


def train_recipe(
    recipe: Recipe,
    out: Path,
    initial: Mapping[str, Tensor] | None = None,
    *,
    jobs: int = 1,
    part: int | None = None,
) -> dict[str, Any] | None:
    """Train, test and report every experiment of a recipe.

    Args:
        out: folder of the run; it resumes where the folder holds the same recipe, half done.
        initial: weights to start from.
        jobs: experiments trained at once, each in a separate process.
        part: train only the experiment of this number, and write no report of the whole.

    Returns:
        The report, as in report.json; None in all processes but the first.

    Raises:
        UsageError: ``out`` holds a run of another recipe, or both ``jobs`` and the recipe's
            devices are more than one.
    """
    if jobs < 1 or (jobs > 1 and recipe.train.devices > 1):
        raise UsageError(
            "--jobs is how many folds are trained at once, 1 or more; train.devices how many "
            "devices train each: one of the two may be above 1."
        )
    plan = make_plan(recipe, initial)
    plan = dataclasses.replace(plan, experiments=[_labelled(e) for e in plan.experiments])
    count = len(plan.experiments)
    if jobs > 1 and count > 1:
        claim(plan, out)
        parallel.run_parts(partial(_train_part, recipe, out, initial), count, jobs)
    fabric = launch(recipe.train)
    claim(plan, out)
    folds = []
    for number, experiment in enumerate(plan.experiments):
        if part not in (None, number):
            continue
        folder = out if count == 1 else out / experiment.name.replace(" ", "-")
        done = results.finished(folder)
        if done is None:
            done = train_experiment(plan, plan.run(fabric, experiment, folder))
        if done is not None:
            folds.append(done)
    if not fabric.is_global_zero or part is not None:
        return None
    if count == 1:
        return folds[0].report
    return results.write_folds(out, recipe, folds)


def _train_part(recipe: Recipe, out: Path, initial: Mapping[str, Tensor] | None, part: int) -> None:
    train_recipe(recipe, out, initial, part=part)


@dataclass(frozen=True)
class Plan:
    """The trainings of a recipe, all checked before the first one starts.

    Attributes:
        recipe: the recipe.
        manifest: its corpus.
        fingerprint: the fingerprint of the corpus.
        space: the emotions of the test, with vectors where the recipe names some.
        experiments: one per training.
        inputs: the modalities that training learns from, a transcribed text included.
        initial: weights to start from.
    """

    recipe: Recipe
    manifest: Manifest
    fingerprint: str
    space: Targets
    experiments: Sequence[Experiment]
    inputs: tuple[str, ...]
    initial: Mapping[str, Tensor] | None = None

    def run(self, fabric: Fabric, experiment: Experiment, folder: Path) -> Run:
        """Return the run that trains one of the experiments in ``folder``."""
        return Run(
            fabric, self.recipe, experiment, self.space, folder, self.fingerprint, self.initial
        )


def make_plan(recipe: Recipe, initial: Mapping[str, Tensor] | None = None) -> Plan:
    """Assemble a recipe's trainings, and check that each can be run.

    Raises:
        MoodalError: one of them cannot; the message names the wrong key, column or encoder.
    """
    manifest = assemble.corpus(recipe)
    require(recipe.train.select, recipe.train.loss, manifest.space, recipe.train.record)
    space = assemble.space_of(recipe, manifest)
    null_tests.require_cosine(recipe, manifest, space)
    require_columns(manifest, recipe.report.by, "report.by")
    require_columns(manifest, recipe.train.shift_by, "train.shift_by")
    assemble.require_corpora(recipe.data.most, manifest, "data.most")
    assemble.require_corpora(recipe.train.weights, manifest, "train.weights")
    if recipe.report.words:
        require_texts(manifest)
    experiments = []
    systems: dict[tuple[str, ...], System] = {}
    for experiment in assemble.experiments(recipe, manifest):
        if experiment.seen not in systems:
            system = assemble.system(recipe, manifest, space.select(experiment.seen))
            checks.require_objective(recipe, system)
            checks.require_balance(recipe, system)
            checks.require_features(recipe, system, manifest)
            load_weights(system, initial)
            systems[experiment.seen] = system
        system = systems[experiment.seen]
        checks.require_open(recipe, experiment, system)
        experiments.append(assemble.readable(experiment, system, recipe.data.trim_padding))
    return Plan(recipe, manifest, manifest.fingerprint, space, experiments, system.inputs, initial)


def _labelled(experiment: Experiment) -> Experiment:
    """Leave out the validation and test rows that say nothing of some emotion, with a stamp."""
    valid, _ = labelled(experiment.manifest, experiment.valid)
    test, stamp = labelled(experiment.manifest, experiment.test)
    stamps = (*experiment.stamps, stamp) if stamp else experiment.stamps
    return dataclasses.replace(experiment, valid=valid, test=test, stamps=stamps)


def train_experiment(plan: Plan, run: Run) -> results.FinishedExperiment | None:
    """Train one experiment, test it, and write its report and artefact.

    Returns:
        The report, with the predictions; None in all processes but the first.
    """
    experiment = run.experiment
    rows = (experiment.shown, experiment.valid, experiment.test)
    findings = audit(plan.manifest, *rows, plan.inputs, experiment.unseen)
    trained = run.train()
    nulls = null_tests.null_tests(trained)
    logits = {"test": trained.scores(experiment.test)}
    on_test = run.recipe.train.select_on == "test"  # then these are the same rows
    logits["valid"] = logits["test"] if on_test else trained.scores(experiment.valid)
    if not run.fabric.is_global_zero:
        return None
    findings = [*findings, *companions.view_findings(trained)]
    return results.write(trained, logits, audit=findings, nulls=nulls)


def claim(plan: Plan, out: Path) -> None:
    """Write the recipe and the data of a run into its folder, or check that they are the same.

    Raises:
        UsageError: ``out`` holds a run of another recipe or of other data.
        OutputError: the folder cannot be written, or holds something else.
    """
    content = {"data": plan.fingerprint, **plan.recipe.model_dump(mode="json")}
    path = out / "recipe.json"
    occupied = out.is_dir() and any(not p.name.startswith(".") for p in out.iterdir())
    if occupied and not path.exists():
        raise OutputError(f"{out} is not empty and holds no run; choose another folder.")
    begun = (out / "report.json").exists() or any(out.rglob("resume.pt"))
    if path.exists() and begun:
        if not _same_run(path, content):
            raise UsageError(
                f"{out} holds a run of another recipe or other data; choose another --out, or "
                "delete that folder."
            )
        return
    with replacing(path) as part:
        part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _same_run(path: Path, content: Mapping[str, Any]) -> bool:
    """Compare a run's recipe.json with another recipe, the system under its present name."""
    try:
        stored = load_json(path)
        stored["system"] = current(stored["system"])
    except (ValueError, TypeError, KeyError, AttributeError, UsageError):
        return False
    return bool(stored == {**content, "system": current(content["system"])})
