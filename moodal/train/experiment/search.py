"""Search: vary recipe keys over trials, choose on validation, and test what was chosen.

Optuna's tree-structured Parzen estimator (Bergstra et al., "Algorithms for Hyper-Parameter
Optimization", NeurIPS 2011) proposes the values. Each fold has a search of its own, since another
fold's test rows are among its training rows (nested cross-validation; Varma & Simon, "Bias in error
estimation when using cross-validation for model selection", BMC Bioinformatics 2006).

OUT/search.json, search.md, and what a run holds (`moodal.train.experiment.train`)
OUT/space.json             what is searched; another search is refused
OUT/[<fold>/]trials.log    Optuna's journal, from which a killed search resumes
OUT/[<fold>/]trials/<n>/   the learning curves of each trial; of the best, its weights
"""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lightning_fabric import Fabric

from moodal.core.errors import (
    DataError,
    MissingDependencyError,
    MoodalError,
    installation,
)
from moodal.core.search_space import SearchRange, read_search_space
from moodal.evaluation.metrics import METRICS
from moodal.evaluation.search import write_search
from moodal.train.engine.fit import launch
from moodal.train.engine.selection import merit
from moodal.train.experiment import results
from moodal.train.experiment.search_task import Search, claim, require_fit
from moodal.train.experiment.train import ready_plan, train_experiment

CHECKPOINT = "resume.pt"


def search(
    recipe_file: Path | str,
    space_file: Path | str,
    overrides: Sequence[str],
    out: Path | str,
    *,
    trials: int = 20,
    seed: int = 0,
) -> dict[str, Any]:
    """Search a recipe's keys on validation, and test what was chosen; return search.json's content.

    The same call resumes a search that was stopped, with the trials that it would have had.

    Args:
        space_file: see `moodal.core.search_space`.
        overrides: values that replace the recipe's, ``key=value``.
        trials: number of trials in each fold.
        seed: of the values that are proposed.

    Raises:
        UsageError: a key, a range or a setting is wrong, or ``out`` holds another search.
        MissingDependencyError: the package optuna is not installed.
        DataError: every trial failed; the message has the reason of the last.
    """
    _optuna()
    space = read_search_space(space_file)
    task = Search(Path(recipe_file), tuple(overrides), space, trials, seed, Path(out))
    require_fit(task, space_file)
    plan = ready_plan(task.recipe())
    if (done := claim(task, plan)) is not None:
        return done
    fabric = launch(plan.recipe.train)
    searches, folds = [], []
    for number, experiment in enumerate(plan.experiments):
        single = len(plan.experiments) == 1
        folder = task.out if single else task.out / experiment.name.replace(" ", "-")
        fold = FoldSearch(task, number, folder, fabric)
        searches.append({"experiment": experiment.name, **fold.run()})
        folds.append(fold.test(searches[-1]))
    report = folds[0].report
    if len(folds) > 1:
        report = results.write_folds(task.out, plan.recipe, folds)
    about = {
        "title": plan.recipe.title,
        "recipe": plan.recipe.model_dump(mode="json"),
        "command": shlex.join([str(recipe_file), *overrides]),
        "select": plan.recipe.train.select,
        "lower_is_better": _lower(plan.recipe.train.select),
        "seed": seed,
        "sampler": "every combination once" if task.grid else "Optuna's TPE",
        "space": {key: str(values) for key, values in space.items()},
    }
    return write_search(task.out, searches, report, about)


@dataclass(frozen=True)
class FoldSearch:
    """The search of one fold: training and validation rows alone, and one test at the end.

    Attributes:
        task: the whole search.
        number: of the fold.
        folder: of the fold.
        fabric: devices and precision.
    """

    task: Search
    number: int
    folder: Path
    fabric: Fabric

    def run(self) -> dict[str, Any]:
        """Run the trials that are missing; return the number of the chosen one, and all of them.

        Raises:
            DataError: every trial failed.
        """
        study = self._study()
        while (trial := self._next(study)) is not None:
            values = _suggest(study, trial, self.task)
            began = time.perf_counter()
            before = float(study.trials[trial.number].user_attrs.get("seconds", 0.0))
            try:
                value, epochs = self._train(trial.number, values)
            except MoodalError as error:
                trial.set_user_attr("reason", str(error))
                outcome: dict[str, Any] = {"state": _optuna().trial.TrialState.FAIL}
            else:
                trial.set_user_attr("epochs", epochs)
                outcome = {"values": value}
            trial.set_user_attr("seconds", round(before + time.perf_counter() - began, 3))
            study.tell(trial.number, **outcome)
            self._keep_best(study)
        best = _best(study)
        if best is None:
            reasons = [t.user_attrs.get("reason", "") for t in study.trials]
            raise DataError(f"All {len(reasons)} trials failed; the last one: {reasons[-1]}")
        trials = [self._entry(trial) for trial in study.trials]
        return {"chosen": best, "trials": trials}

    def test(self, chosen: Mapping[str, Any]) -> results.FinishedExperiment:
        """Score the test rows with the weights of the chosen trial, once, and write the report."""
        if (done := results.finished(self.folder)) is not None:
            return done
        number = chosen["chosen"]
        kept = self._place(number) / CHECKPOINT
        if kept.exists():
            os.replace(kept, self.folder / CHECKPOINT)
        plan = ready_plan(self.task.recipe(chosen["trials"][number]["values"]))
        run = plan.run(self.fabric, plan.experiments[self.number], self.folder)
        finished = train_experiment(plan, run)
        assert finished is not None  # there is one process
        return finished

    def _study(self) -> Any:
        """Open the journal of the fold's trials."""
        optuna = _optuna()
        self.folder.mkdir(parents=True, exist_ok=True)
        journal = optuna.storages.journal.JournalFileBackend(str(self.folder / "trials.log"))
        try:
            study = optuna.create_study(
                storage=optuna.storages.JournalStorage(journal),
                study_name="search",
                direction="maximize",
                load_if_exists=True,
            )
        except (ValueError, KeyError) as error:  # what reading a damaged journal raises
            raise DataError(
                f"{self.folder / 'trials.log'} is damaged ({error}); delete {self.folder} and "
                "search again."
            ) from None
        for values in self.task.grid[len(study.trials) :]:
            study.enqueue_trial({key: json.dumps(value) for key, value in values.items()})
        return study

    def _next(self, study: Any) -> Any:
        """Return the trial that was stopped, or a new one; None where all are done."""
        optuna = _optuna()
        for frozen in study.trials:
            if frozen.state == optuna.trial.TrialState.RUNNING:
                return optuna.trial.Trial(study, frozen._trial_id)
        finished = sum(trial.state.is_finished() for trial in study.trials)
        return None if finished >= self.task.limit else study.ask()

    def _train(self, number: int, values: Mapping[str, Any]) -> tuple[float, int]:
        """Train and validate a trial; return its merit (higher is better) and its epochs."""
        plan = ready_plan(self.task.recipe(values))
        experiment = plan.experiments[self.number]
        trained = plan.run(self.fabric, experiment, self._place(number)).train()
        select = plan.recipe.train.select
        return max(merit(select, row) for row in trained.history), len(trained.history)

    def _keep_best(self, study: Any) -> None:
        """Delete the weights of all trials but the best."""
        best = _best(study)
        for trial in study.trials:
            if trial.number != best:
                (self._place(trial.number) / CHECKPOINT).unlink(missing_ok=True)

    def _place(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:03d}"

    def _entry(self, trial: Any) -> dict[str, Any]:
        """Describe a finished trial for the report."""
        failed = trial.value is None
        sign = -1 if _lower(self.task.recipe().train.select) else 1
        entry = {
            "number": trial.number,
            "state": "failed" if failed else "complete",
            "values": _decoded(trial.params, self.task.space),
            "valid": None if failed else sign * trial.value,
            "epochs": trial.user_attrs.get("epochs", 0),
            "seconds": trial.user_attrs.get("seconds", 0.0),
        }
        reason = trial.user_attrs.get("reason")
        return {**entry, "reason": reason} if reason else entry


def _suggest(study: Any, trial: Any, task: Search) -> dict[str, Any]:
    """Propose a trial's values.

    Each value has a random state of its own, so that a search that was stopped proposes what it
    would have proposed.
    """
    samplers = _optuna().samplers
    for position, (key, values) in enumerate(task.space.items()):
        entropy = np.random.SeedSequence([task.seed, trial.number, position])
        study.sampler = samplers.TPESampler(seed=int(entropy.generate_state(1)[0]))
        if values.choices:
            trial.suggest_categorical(key, [json.dumps(choice) for choice in values.choices])
        elif values.whole:
            step = values.step or 1
            trial.suggest_int(key, values.low, values.high, step=step, log=values.log)
        else:
            trial.suggest_float(key, values.low, values.high, step=values.step, log=values.log)
    return _decoded(trial.params, task.space)


def _decoded(values: Mapping[str, Any], space: Mapping[str, SearchRange]) -> dict[str, Any]:
    """Return a trial's values as a recipe takes them, in the order of the space."""
    return {
        key: json.loads(values[key]) if space[key].choices else values[key]
        for key in space
        if key in values
    }


def _best(study: Any) -> int | None:
    """Return the number of the first of the best trials."""
    complete = [trial for trial in study.trials if trial.value is not None]
    return max(complete, key=lambda trial: trial.value).number if complete else None


def _lower(select: str) -> bool:
    """Return whether a lower validation figure is better."""
    return select == "loss" or METRICS[select].lower_is_better


def _optuna() -> Any:
    """Import Optuna, whose own log is silenced.

    Raises:
        MissingDependencyError: it is not installed.
    """
    try:
        import optuna
    except ModuleNotFoundError:
        raise MissingDependencyError(
            f"A search needs the package optuna; {installation('search')}."
        ) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
