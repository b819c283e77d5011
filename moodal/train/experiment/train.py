"""Train a recipe from end to end, in a folder where a killed run resumes.

RUN/recipe.json, report.json, report.md, predictions.*, figures/, artefact/
RUN/<fold>/...        the same for each fold, if there are several
RUN/values/...        the report of values that are learned next to emotions
RUN/<fold>/adapted/   the second training of a few-shot protocol
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor

from moodal.core import recipe as recipes
from moodal.core.emotions import Targets
from moodal.core.errors import DataError, OutputError, UsageError
from moodal.core.files import load_json, save_json
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.evaluation.protocols.audit import audit
from moodal.evaluation.protocols.audit_finding import AuditFinding
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.protocols.subset import labelled, require_columns
from moodal.evaluation.seeds import write_seeds
from moodal.hub.fetch import fetch_named_backbones
from moodal.train.engine import parallel
from moodal.train.engine.fit import launch
from moodal.train.engine.selection import require
from moodal.train.experiment import assemble, checks, companions, null_tests, results
from moodal.train.experiment.run import Run, load_weights
from moodal.train.experiment.text_baseline import require_texts
from moodal.train.experiment.vote_targets import require_votes, with_targets
from moodal.train.systems.section import current
from moodal.train.systems.system import System


def train(
    recipe_file: Path | str,
    overrides: Sequence[str],
    out: Path | str,
    jobs: int = 1,
    strict_audit: bool = False,
) -> dict[str, Any] | None:
    """Train, test and report every experiment of a recipe file; see `train_recipe`."""
    recipe = recipes.load(recipe_file, overrides)
    fetch_named_backbones(recipe.model_dump())
    return train_recipe(recipe, Path(out), jobs=jobs, strict_audit=strict_audit)


def train_recipe(
    recipe: Recipe,
    out: Path,
    initial: Mapping[str, Tensor] | None = None,
    *,
    jobs: int = 1,
    part: int | None = None,
    strict_audit: bool = False,
) -> dict[str, Any] | None:
    """Train, test and report every experiment of a recipe.

    Args:
        out: folder of the run; it resumes where the folder holds the same recipe, half done.
        initial: weights to start from.
        jobs: experiments trained at once, each in a separate process.
        part: train only the experiment of this number, and write no report of the whole.
        strict_audit: whether nothing is trained if the audit has a warning or an error.

    Returns:
        The report, as in report.json, or in seeds.json of a recipe with several seeds; None in all
        processes but the first.

    Raises:
        UsageError: ``out`` holds a run of another recipe, or both ``jobs`` and the recipe's
            devices are more than one.
        DataError: the audit found something, and ``strict_audit`` refuses it.
    """
    if recipe.train.seeds:
        return _train_seeds(recipe, out, initial, jobs=jobs, strict_audit=strict_audit)
    if jobs < 1 or (jobs > 1 and recipe.train.devices > 1):
        raise UsageError(
            "--jobs is how many folds are trained at once, 1 or more; train.devices how many "
            "devices train each: one of the two may be above 1."
        )
    plan = ready_plan(recipe, initial)
    count = len(plan.experiments)
    if strict_audit:
        require_clean(plan)
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


def _train_seeds(
    recipe: Recipe,
    out: Path,
    initial: Mapping[str, Tensor] | None,
    *,
    jobs: int,
    strict_audit: bool,
) -> dict[str, Any] | None:
    """Train a recipe with each of its seeds in a folder of its own, and report them together."""
    folders = {seed: out / f"seed-{seed}" for seed in recipe.train.seeds}
    done = [
        train_recipe(
            of_seed(recipe, position), folder, initial, jobs=jobs, strict_audit=strict_audit
        )
        for position, folder in enumerate(folders.values())
    ]
    if None in done:
        return None
    draws, seed = recipe.report.draws, recipe.train.seed
    if recipe.data.targets == "both":
        values = {number: folder / results.VALUES for number, folder in folders.items()}
        write_seeds(values, out / results.VALUES, title=recipe.title, draws=draws, seed=seed)
    return write_seeds(folders, out, title=recipe.title, draws=draws, seed=seed)


def of_seed(recipe: Recipe, position: int) -> Recipe:
    """Return the recipe of one of its seeds, by the seed's position.

    Where the clips of few-shot emotions are drawn (``protocol.shots_seed`` of 0 or more), each seed
    draws others: its own is the recipe's plus the position. The split is the same for all.
    """
    train = recipe.train.model_copy(update={"seed": recipe.train.seeds[position], "seeds": []})
    protocol = recipe.protocol
    if protocol.shots_seed >= 0:
        shots = protocol.shots_seed + position
        protocol = protocol.model_copy(update={"shots_seed": shots})
    return recipe.model_copy(update={"train": train, "protocol": protocol})


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
    _audited: dict[str, list[AuditFinding]] = field(default_factory=dict, init=False, repr=False)
    """Name of an experiment -> the findings on its split."""

    def audit(self, experiment: Experiment) -> list[AuditFinding]:
        """Examine the split of one of the experiments, once."""
        if experiment.name not in self._audited:
            rows = (experiment.shown, experiment.valid, experiment.test)
            findings = audit(self.manifest, *rows, self.inputs, experiment.unseen)
            self._audited[experiment.name] = findings
        return self._audited[experiment.name]

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
    learned = assemble.targets_of(manifest)
    require(recipe.train.select, recipe.train.loss, learned, recipe.train.record)
    require_votes(recipe, manifest)
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
            system = assemble.system(recipe, manifest, assemble.seen_of(space, experiment))
            checks.require_objective(recipe, system, space)
            checks.require_balance(recipe, system)
            checks.require_features(recipe, system, manifest)
            checks.require_rates(recipe, system)
            checks.require_layers(system, manifest)
            load_weights(system, initial)
            systems[experiment.seen] = system
        system = systems[experiment.seen]
        checks.require_open(recipe, experiment, system)
        experiments.append(assemble.readable(experiment, system, recipe.data.trim_padding))
    return Plan(recipe, manifest, manifest.fingerprint, space, experiments, system.inputs, initial)


def ready_plan(recipe: Recipe, initial: Mapping[str, Tensor] | None = None) -> Plan:
    """Make a plan whose validation and test rows can all be scored, see `make_plan`."""
    plan = make_plan(recipe, initial)
    chosen = [with_targets(recipe, _labelled(e)) for e in plan.experiments]
    return dataclasses.replace(plan, experiments=chosen)


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
    findings = plan.audit(experiment)
    trained = run.train()
    nulls = null_tests.null_tests(trained)
    logits = {"test": trained.scores(experiment.test)}
    on_test = run.recipe.train.select_on == "test"  # then these are the same rows
    logits["valid"] = logits["test"] if on_test else trained.scores(experiment.valid)
    if not run.fabric.is_global_zero:
        return None
    findings = [*findings, *companions.view_findings(trained)]
    return results.write(trained, logits, audit=findings, nulls=nulls)


def require_clean(plan: Plan) -> None:
    """Check that the audit of no experiment has a warning or an error.

    Raises:
        DataError: names the first three.
    """
    found = dict.fromkeys(
        (
            f"{finding.detail} (e.g. {', '.join(finding.examples)})"
            if finding.examples
            else finding.detail
        )
        for experiment in plan.experiments
        for finding in plan.audit(experiment)
        if finding.level != "note"
    )
    if found:
        more = f" And {len(found) - 3} more." if len(found) > 3 else ""
        raise DataError(
            f"The audit refuses this split (--strict-audit): {' '.join(list(found)[:3])}{more}"
        )


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
    save_json(path, content)


def _same_run(path: Path, content: Mapping[str, Any]) -> bool:
    """Compare a run's recipe.json with another recipe, the system under its present name."""
    try:
        stored = load_json(path)
        stored["system"] = current(stored["system"])
    except (ValueError, TypeError, KeyError, AttributeError, UsageError):
        return False
    return bool(stored == {**content, "system": current(content["system"])})
