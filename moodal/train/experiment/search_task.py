"""The task of a search: the keys of a recipe that are varied, its folder, and whether both fit."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moodal.core import recipe as recipes
from moodal.core.errors import (
    DataError,
    OutputError,
    UsageError,
)
from moodal.core.files import holds_json, load_json, save_json
from moodal.core.recipe import Recipe
from moodal.core.search_space import SearchRange, assignments
from moodal.evaluation.search import FILE
from moodal.train.experiment.train import Plan
from moodal.train.systems.section import parse_system

CLAIM = "space.json"


@dataclass(frozen=True)
class Search:
    """A search over the keys of a recipe.

    Attributes:
        recipe_file: the recipe; overrides: values that replace the recipe's, ``key=value``.
        space: recipe key -> its range.
        trials: number of trials in each fold.
        seed: of the values that are proposed.
        out: the folder.
    """

    recipe_file: Path
    overrides: tuple[str, ...]
    space: Mapping[str, SearchRange]
    trials: int
    seed: int
    out: Path

    @property
    def grid(self) -> list[dict[str, Any]]:
        """All combinations, where there are no more of them than trials; else none."""
        if not all(values.choices for values in self.space.values()):
            return []
        if math.prod(len(values.choices) for values in self.space.values()) > self.trials:
            return []
        every = itertools.product(*(values.choices for values in self.space.values()))
        return [dict(zip(self.space, combination, strict=True)) for combination in every]

    @property
    def limit(self) -> int:
        """The number of trials in each fold; each combination of a grid is tried once."""
        return len(self.grid) or self.trials

    def recipe(self, values: Mapping[str, Any] = {}) -> Recipe:
        """Read the recipe with a trial's values."""
        return recipes.load(self.recipe_file, [*self.overrides, *assignments(values)])


def require_fit(task: Search, space_file: Path | str) -> None:
    """Check that the recipe can be searched, and takes the ends of each range.

    Raises:
        UsageError: it cannot, or does not; the message names the key.
    """
    if task.trials < 1:
        raise UsageError(f"--trials is 1 or more; got {task.trials}.")
    train = task.recipe().train
    refused = {
        "train.select_on": train.select_on == "test",
        "train.select": train.select == "last",
        "train.seed": bool(train.seeds),
        "train.devices": train.devices > 1,
    }
    cures = {
        "train.select_on": 'chooses on validation rows; set it to "valid"',
        "train.select": 'chooses by a validation figure; set it to a metric or "loss"',
        "train.seed": "has one seed; give one, and train the chosen values with several",
        "train.devices": "trains on one device; set it to 1",
    }
    for key, wrong in refused.items():
        if wrong:
            raise UsageError(f"{task.recipe_file}: {key}: a search {cures[key]}.")
    if train.select == "loss" and "train.loss" in task.space:
        raise UsageError(
            f"{space_file}: train.loss cannot be varied with train.select = 'loss', whose figures "
            "would not be comparable; select by a metric."
        )
    for key, values in task.space.items():
        for end in values.ends:
            _require_end(task, space_file, key, end)


def _require_end(task: Search, space_file: Path | str, key: str, end: Any) -> None:
    """Check that the recipe takes a value at the end of a range."""
    try:
        recipe = task.recipe({key: end})
        parse_system(recipe.system, str(task.recipe_file))
    except UsageError as error:
        raise UsageError(f"{space_file}, {key}: {error}") from None


def claim(task: Search, plan: Plan) -> dict[str, Any] | None:
    """Write what is searched into the folder, or check that it is the same.

    Returns:
        The report of a search that is finished.

    Raises:
        UsageError: ``out`` holds another search, or a finished one with fewer trials.
        OutputError: it holds something else.
    """
    content = {
        "data": plan.fingerprint,
        "recipe": plan.recipe.model_dump(mode="json"),
        "space": {key: values.model_dump() for key, values in task.space.items()},
        "seed": task.seed,
    }
    path = task.out / CLAIM
    if not path.exists():
        if task.out.is_dir() and any(task.out.iterdir()):
            raise OutputError(
                f"{task.out} is not empty and holds no search; choose another folder."
            )
        save_json(path, content)
        return None
    if not holds_json(path, content):
        raise UsageError(
            f"{task.out} holds another search; choose another --out, or delete that folder."
        )
    return _finished(task)


def _finished(task: Search) -> dict[str, Any] | None:
    """Return the report of a finished search with as many trials; None where it is not finished.

    Raises:
        UsageError: it has another number of trials.
    """
    path = task.out / FILE
    if not path.exists():
        return None
    try:
        report: dict[str, Any] = load_json(path)
        counts = {len(fold["trials"]) for fold in report["searches"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}); delete it and search again.") from None
    if counts != {task.limit}:
        raise UsageError(
            f"{task.out} holds a finished search of {max(counts)} trials, whose test has been "
            "scored; more trials would choose after it, so choose another --out."
        )
    return report
