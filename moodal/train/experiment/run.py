"""run: a recipe from end to end, into a folder that a killed run goes on in.

RUN/recipe.json, report.json, report.md, predictions.*, figures/, artefact/
RUN/<fold>/...        the same for each fold, where there are several
RUN/<fold>/adapted/   the second training of a few-shot protocol
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import Tensor

from moodal.core import recipe as recipes
from moodal.core.emotions import EmotionSpace
from moodal.core.errors import OutputError, SpaceError, UsageError
from moodal.core.files import replacing
from moodal.core.manifest import Manifest
from moodal.core.recipe import Recipe
from moodal.evaluation.protocols.audit import audit
from moodal.evaluation.protocols.experiment import Experiment
from moodal.evaluation.protocols.subset import require_columns
from moodal.train.engine import parallel
from moodal.train.engine.fit import launch
from moodal.train.engine.selection import require
from moodal.train.experiment import assemble, companions, null_tests, results
from moodal.train.experiment.text_baseline import require_words
from moodal.train.experiment.train import Trained, start_from, train
from moodal.train.systems.system import System


def run(
    recipe_file: Path, overrides: Sequence[str], out: Path, jobs: int = 1
) -> dict[str, Any] | None:
    """Run a recipe file; see `run_recipe`."""
    return run_recipe(recipes.load(recipe_file, overrides), out, jobs=jobs)


def run_recipe(
    recipe: Recipe,
    out: Path,
    initial: Mapping[str, Tensor] | None = None,
    *,
    jobs: int = 1,
    part: int | None = None,
) -> dict[str, Any] | None:
    """Train, test and report every experiment of a recipe.

    Args:
        out: folder of the run; goes on there if it holds the same recipe, half done.
        initial: weights to start from.
        jobs: experiments trained at once, each in a process of its own.
        part: only this experiment of them all, and no report of the whole.

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
    manifest = assemble.corpus(recipe)
    require(recipe.train.select, recipe.train.loss, manifest.space.task)
    space = assemble.space_of(recipe, manifest)
    null_tests.require(recipe, manifest, space)
    require_columns(manifest, recipe.report.by, "report.by")
    if recipe.report.words:
        require_words(manifest)
    experiments, reads = _checked(recipe, manifest, space, initial)
    fingerprint = manifest.fingerprint
    if jobs > 1 and len(experiments) > 1:
        claim(recipe, fingerprint, out)
        parallel.each(partial(_part, recipe, out, initial), len(experiments), jobs)
    fabric = launch(recipe.train)
    claim(recipe, fingerprint, out)
    folds = []
    for number, experiment in enumerate(experiments):
        if part not in (None, number):
            continue
        folder = out if len(experiments) == 1 else out / experiment.name.replace(" ", "-")
        done = results.finished(folder)
        if done is None:
            rows = (experiment.shown, experiment.valid, experiment.test)
            findings = audit(manifest, *rows, reads)
            trained = train(fabric, recipe, experiment, space, folder, fingerprint, initial)
            null = against(fabric, recipe, experiment, trained, folder, fingerprint)
            logits = {"test": trained.scores(experiment.test)}
            on_test = recipe.train.select_on == "test"  # then these are the same rows
            logits["valid"] = logits["test"] if on_test else trained.scores(experiment.valid)
            if fabric.is_global_zero:
                done = results.write(
                    folder,
                    recipe,
                    experiment,
                    trained.system,
                    space,
                    logits,
                    trained.history,
                    trained.scales,
                    fingerprint,
                    nulls=null,
                    audit=[*findings, *companions.views_told(trained.data, experiment)],
                    more=partial(
                        companions.of,
                        recipe,
                        experiment,
                        trained.system,
                        trained.data,
                        trained.history,
                    ),
                )
        if done is not None:
            folds.append(done)
    if not fabric.is_global_zero or part is not None:
        return None
    if len(experiments) == 1:
        return folds[0].report
    return results.write_folds(out, recipe, folds)


def _part(recipe: Recipe, out: Path, initial: Mapping[str, Tensor] | None, part: int) -> None:
    run_recipe(recipe, out, initial, part=part)


def _checked(
    recipe: Recipe, manifest: Manifest, space: EmotionSpace, initial: Mapping[str, Tensor] | None
) -> tuple[list[Experiment], tuple[str, ...]]:
    """The experiments, once it is sure that each can be run; and the streams learned from.

    A system that writes the words down knows the text, too.
    """
    experiments = []
    systems: dict[tuple[str, ...], System] = {}
    for experiment in assemble.experiments(recipe, manifest):
        if experiment.seen not in systems:
            system = assemble.system(recipe, manifest, space.select(experiment.seen))
            assemble.require_objective(recipe, system)
            assemble.require_features(recipe, system, manifest)
            start_from(system, initial)
            systems[experiment.seen] = system
        system = systems[experiment.seen]
        _require_open(recipe, experiment, system)
        experiments.append(assemble.readable(experiment, system, recipe.data.trim_padding))
    streams = assemble.parse_streams(recipe)
    return experiments, (*streams, "text") if system.transcribes else streams


def _require_open(recipe: Recipe, experiment: Experiment, system: System) -> None:
    """Refuse a closed-set system for emotions that its training does not show."""
    if experiment.held_out and not system.open_set:
        raise SpaceError(
            f"{recipe.system['name']} is a closed-set system and cannot score "
            f"{', '.join(experiment.held_out)}, which training does not show; use eea, or "
            'protocol.method = "scratch".'
        )


def against(
    fabric: Fabric,
    recipe: Recipe,
    experiment: Experiment,
    trained: Trained,
    folder: Path,
    fingerprint: str,
) -> dict[str, Any]:
    """The null distributions of the unseen emotions, see `moodal.train.experiment.null_tests`."""

    def retrain(space: EmotionSpace, place: Path) -> null_tests.Scores:
        data = f"{fingerprint} {space.fingerprint}"
        other = train(fabric, recipe, experiment, space, place, data)
        return lambda asked: other.scores(experiment.test, asked)

    return null_tests.of(
        recipe,
        experiment,
        lambda asked: trained.scores(experiment.test, asked),
        trained.space,
        folder / "null",
        retrain,
    )


def claim(recipe: Recipe, fingerprint: str, out: Path) -> None:
    """Say in ``out`` what is run there; refuse a folder where something else was begun.

    Raises:
        UsageError: another recipe, or other data, was run there.
        OutputError: the folder cannot be written.
    """
    whole = {"data": fingerprint, **recipe.model_dump(mode="json")}
    path = out / "recipe.json"
    others = out.is_dir() and any(not p.name.startswith(".") for p in out.iterdir())
    if others and not path.exists():
        raise OutputError(f"{out} is not empty and holds no run; choose another folder.")
    begun = (out / "report.json").exists() or any(out.rglob("resume.pt"))
    if path.exists() and begun:
        try:
            same = json.loads(path.read_text(encoding="utf-8")) == whole
        except ValueError:
            same = False
        if not same:
            raise UsageError(
                f"{out} holds a run of another recipe or other data; choose another --out, or "
                "delete that folder."
            )
        return
    with replacing(path) as part:
        part.write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
